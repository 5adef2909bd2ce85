"""Where the truth lies in the intervals of predictions: what these are learned from, and what they are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from inscape.metrics import SIGMA, STEP
from inscape.prediction import refine
from inscape.properties import slopes_of, values_of
from inscape.spectra import NATIVE_ENERGY_MAX, centres, native_energy_edges, rebin, smooth, uniform_edges
from inscape.structure_model.doubts import Doubts, Judged
from inscape.thermodynamics import heat_capacity

Array = NDArray[np.floating]

COVERED = 0.9
"""Share of the crystals, or bins, that an interval is to hold."""

BINS = "bins of the density of states"

KELVINS = (100.0, 300.0)
"""Where heat capacities are judged."""

ROUNDING = 1 + 1e-9
"""An error as large as allowed is inside, however it is rounded."""


def thermal_shares(partial: Array, true: Array, masses: Array, kelvin: Array) -> dict[str, Array]:
    """By what share energies would have to be stretched to change thermodynamic functions as much as they are wrong.

    Parameters
    ----------
    partial, true
        Predicted and true density of states of each atom, shape (n_atoms, n_energy), native grid.
    masses
        Shape (n_atoms,), u.
    kelvin
        Temperatures, shape (n_temperatures,), K.

    Returns
    -------
    dict
        |ΔX| over |∂X/∂ ln E| by the name of the function X, each shape (n_temperatures,); of displacements, both summed
        over the atoms.
    """
    edges = native_energy_edges()
    (ours, theirs), slopes = (
        [values_of((p.sum(axis=0), edges), (p, edges), masses, kelvin) for p in (partial, true)],
        slopes_of((partial.sum(axis=0), edges), (partial, edges), masses, kelvin),
    )
    found = {}
    for name, slope in slopes.items():
        wrong, steep = np.abs(ours[name] - theirs[name]), slope
        if wrong.ndim == 2:
            wrong, steep = wrong.sum(axis=1), steep.sum(axis=1)
        found[name] = np.broadcast_to(wrong / np.maximum(steep, 1e-12), kelvin.shape)
    return found


@dataclass(frozen=True, eq=False)
class BinErrors:
    """A density of states in bins of `STEP` up to the highest true mode, as users get it, and how far off it is.

    ``energy`` of the bins, meV, ``predicted``, and ``missing``, the true one smoothed by `SIGMA` less the predicted,
    1/meV, of the whole cell; each shape (n,).
    """

    energy: Array
    predicted: Array
    missing: Array

    @classmethod
    def of(cls, partial: Array, true: Array) -> BinErrors:
        """Of predicted and true partial densities of states, shape (n_atoms, n_energy), native grid."""
        native, edges = native_energy_edges(), uniform_edges(NATIVE_ENERGY_MAX, STEP)
        n = int(np.ceil(native[1 + np.flatnonzero(true.sum(axis=0) > 0)[-1]] / STEP))
        sharp = np.maximum(rebin(true.sum(axis=0), native, edges), 0.0)  # rounding leaves less than nothing in gaps
        predicted = refine(partial, edges).sum(axis=0)
        return cls(centres(edges)[:n], predicted[:n], (smooth(sharp, SIGMA, STEP) - predicted)[:n])


def where(structure: Judged, doubts: Doubts, true: Array, masses: Array) -> dict[str, float]:
    """Whether the truth lies in the intervals of a prediction, and how wide these are.

    Parameters
    ----------
    true
        Density of states of each atom, shape (n_atoms, n_energy), native grid.
    masses
        Shape (n_atoms,), u.

    Returns
    -------
    dict
        1 where it does and 0 where not, of "mean energy", "C_V(100 K)" and "C_V(300 K)"; of `BINS` the share that does.
        After "±", half the width: meV, J mol⁻¹ K⁻¹, and of bins the mean of all over that of the density of states.
        Nothing where nothing was calibrated.
    """
    band = doubts.dos_band(structure)
    allowed, kelvin = doubts.shares(structure)
    if band is None or not allowed:
        return {}
    wrong = thermal_shares(structure.partial_dos, true, masses, np.array(KELVINS))
    mean = float(allowed["zero_point_energy"][0])
    found = {
        "mean energy": float(wrong["zero_point_energy"][0] <= mean * ROUNDING),
        "± mean energy": mean * structure.mean_energy,
    }
    edges, total = native_energy_edges(), structure.partial_dos.sum(axis=0)
    low, high = (heat_capacity(total, (1 + step) * edges, KELVINS) for step in (-0.01, 0.01))
    for number, name in enumerate(f"C_V({t:.0f} K)" for t in KELVINS):
        share = float(np.interp(KELVINS[number], kelvin, allowed["heat_capacity"]))
        found[name] = float(wrong["heat_capacity"][number] <= share * ROUNDING)
        found[f"± {name}"] = share * float(np.abs(high - low)[number] / 0.02)
    bins = BinErrors.of(structure.partial_dos, true)
    below, above = (np.interp(bins.energy, centres(edges), part) for part in band)
    below = np.minimum(below, bins.predicted)
    found[BINS] = float(np.mean((bins.missing >= -below) & (bins.missing <= above)))
    found[f"± {BINS}"] = float(np.sum(below + above) / 2 / np.sum(bins.predicted))
    return found


def chance(n: int) -> tuple[float, float]:
    """Between which shares 19 of 20 samples of n crystals lie, each crystal held with the probability `COVERED`."""
    low, high = binom.ppf([0.025, 0.975], n, COVERED)
    return float(low / n), float(high / n)


def table(records: Sequence[Mapping[str, float]], novelty: Sequence[float]) -> str:
    """How many crystals the intervals hold: of all, and of each third by novelty; in Markdown.

    ``records`` are those of `where`, and ``novelty`` that of each crystal.
    """
    thirds = np.array_split(np.argsort(novelty, kind="stable"), 3)
    lines = [
        f"**Intervals** that are to hold {COVERED:.0%} (by chance {_span(len(records))} of all crystals, "
        f"{_span(len(thirds[0]))} of a third)\n",
        "| | inside | of each third by novelty, lowest first | half width, median |",
        "|---|---|---|---|",
    ]
    for name in (n for n in records[0] if not n.startswith("±")):
        held, width = (np.array([record[n] for record in records]) for n in (name, f"± {name}"))
        by_third = ", ".join(f"{held[part].mean():.1%}" for part in thirds if len(part))
        lines.append(f"| {name} | {held.mean():.1%} | {by_third} | {np.median(width):.3f} |")
    return "\n".join(lines) + "\n"


def _span(n: int) -> str:
    low, high = chance(n)
    return f"{low:.1%} to {high:.1%}"
