"""Comparison of results: how far one file of spectra is from another, in figures, differences and cuts.

The first file is the reference, as the truth is in `inscape.evaluation`, whose figures these are. Both are brought to
the bins of one grid with the area kept, and smoothed alike. Maps are compared at the temperature of the files, and
above 1 meV; those of `inscape.evaluation` are at 10 K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inscape import metrics
from inscape.errors import DataError
from inscape.metrics import HIGH_Q, LOW_Q, LOWEST, NEAR, SIGMA, SIGMA_Q, STEP
from inscape.properties import atom_masses, complete_dos
from inscape.results import COORDINATES, EVERY, Prediction
from inscape.scattering import Setting
from inscape.spectra import centres, rebin, smooth, uniform_edges
from inscape.thermodynamics import heat_capacity

Array = NDArray[Any]

CAPTURED, MARGIN = 0.999, 10.0
"""R² is taken up to so many meV above the energy that holds this share of the modes of either."""

INSTRUMENT = "instrument_spectrum"
"""The variable of spectra of banks."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """One result beside the reference.

    Parameters
    ----------
    reference, other
        Names of the two.
    figures
        By kind of spectrum, "dos", "powder", "crystal" or "instrument", then by name; names end in their unit.
    notes
        What was left out, and where the two are not alike, in sentences.
    spectra
        Of each kind that was compared, a variable with the dimension ``source`` (reference, other) in front, on the
        common grid, smoothed: "dos", 1/meV per atom, (source, energy_dos), "powder", (source, q, energy), "crystal",
        (source, h, k, energy), and "instrument_spectrum", (source, bank, energy), barn sr⁻¹ meV⁻¹ per atom; the edges
        of the grid as ``…_edges``.
    """

    reference: str
    other: str
    figures: dict[str, dict[str, float]]
    notes: list[str]
    spectra: xr.Dataset

    def to_dict(self) -> dict[str, Any]:
        """Names, figures and notes, for JSON, which has no NaN: None stands for it."""
        figures = {
            kind: {name: value if np.isfinite(value) else None for name, value in found.items()}
            for kind, found in self.figures.items()
        }
        return {"reference": self.reference, "other": self.other, "figures": figures, "notes": self.notes}


def compare_files(paths: Sequence[str | Path], *, sigma: float = SIGMA) -> list[Comparison]:
    """Each file but the first beside the first; arguments and errors as for `compare`, and of `Prediction.load`."""
    if len(paths) < 2:
        raise DataError(f"{len(paths)} file to compare; give a reference and at least one other")
    first, *others = [Prediction.load(path) for path in paths]
    return [
        compare(first, other, names=(str(paths[0]), str(path)), sigma=sigma)
        for other, path in zip(others, paths[1:], strict=True)
    ]


def compare(
    reference: Prediction, other: Prediction, *, names: tuple[str, str] = ("reference", "other"), sigma: float = SIGMA
) -> Comparison:
    """Compare the kinds of spectra that both results hold, and those of the banks of one instrument.

    Parameters
    ----------
    names
        What the two are called in messages and pictures.
    sigma
        Standard deviation of the Gaussian by which energies of both are smoothed, meV; 0 for none. W₁, mean energy and
        heat capacities are those of what is not smoothed.

    Returns
    -------
    Comparison
        A result beside itself has distances and differences of 0, cosines, overlap, R² and ratios of 1.

    Raises
    ------
    DataError
        Other atoms, isotopes, maps of another temperature, or no kind of spectrum in common.
    """
    if not (np.isfinite(sigma) and sigma >= 0):
        raise DataError(f"smoothing is {sigma} meV; expected 0 or more")
    a, b = reference.dataset, other.dataset
    notes = _check_alike(a, b, names)
    common = _in_common(reference, other, names, notes)
    if not common:
        raise DataError(f"{names[0]} and {names[1]} have nothing in common to compare: {'; '.join(notes)}")
    figures: dict[str, dict[str, float]] = {}
    spectra = xr.Dataset(coords={"source": list(names)}, attrs={"formula": a.attrs["formula"]})
    if "dos" in common:
        figures["dos"] = _compare_dos(a, b, spectra, sigma)
    if "powder" in common:
        figures["powder"] = _compare_powder(a, b, spectra, sigma)
    if "crystal" in common:
        figures["crystal"] = _compare_planes(a, b, spectra, sigma)
    if "instrument" in common:
        figures["instrument"] = _compare_banks(a, b, spectra, sigma)
    if len(common) > ("dos" in common):
        spectra.attrs["temperature_K"] = float(a.attrs["temperature_K"])
    return Comparison(*names, figures, notes, spectra)


def _in_common(reference: Prediction, other: Prediction, names: tuple[str, str], notes: list[str]) -> list[str]:
    """What both hold alike, as keys of `Comparison.figures`; why the rest is left out is added to ``notes``."""
    a, b = reference.dataset, other.dataset
    common = [kind for kind in reference.kinds if kind in other.kinds]
    for kind in sorted({*reference.kinds, *other.kinds} - set(common)):
        notes.append(f"only {names[kind in other.kinds]} holds the kind {kind}, which is left out")
    if "crystal" in common and (reason := _planes_differ(a, b)):
        common.remove("crystal")
        notes.append(f"single-crystal maps are left out: {reason}")
    if INSTRUMENT in a or INSTRUMENT in b:
        if reason := _instruments_differ(a, b, names):
            notes.append(f"spectra of instruments are left out: {reason}")
        else:
            common.append("instrument")
    return common


def _check_alike(a: xr.Dataset, b: xr.Dataset, names: tuple[str, str]) -> list[str]:
    """Refuse what cannot be compared; sentences about what differs all the same."""
    if a.attrs["formula"] != b.attrs["formula"]:
        raise DataError(
            f"{names[0]} is {a.attrs['formula']} and {names[1]} is {b.attrs['formula']}: only spectra of the same "
            "atoms are compared"
        )
    kelvin = [float(x.attrs["temperature_K"]) for x in (a, b)]
    if kelvin[0] != kelvin[1] and any(name in a and name in b for name in ("powder", "crystal", INSTRUMENT)):
        raise DataError(
            f"the maps of {names[0]} are at {kelvin[0]:g} K, those of {names[1]} at {kelvin[1]:g} K: make both at one "
            "temperature"
        )
    isotopes = [str(x.attrs.get("isotopes", "natural")) for x in (a, b)]
    if isotopes[0] != isotopes[1]:
        raise DataError(
            f"isotopes of {names[0]} are {isotopes[0]}, those of {names[1]} {isotopes[1]}: compare spectra of the same"
        )
    notes = []
    if "dos" in a and "dos" in b:
        masses = [_mean_masses(x) for x in (a, b)]
        if different := [s for s, mass in masses[0].items() if abs(mass - masses[1].get(s, mass)) > 0.1]:
            raise DataError(
                f"{different[0]} weighs {masses[0][different[0]]:.2f} u in {names[0]} and "
                f"{masses[1][different[0]]:.2f} u in {names[1]}: compare spectra of the same isotopes"
            )
        if a.sizes["atom"] != b.sizes["atom"]:
            numbers = f"{a.sizes['atom']} and {b.sizes['atom']}"
            notes.append(f"primitive cells have {numbers} atoms; all is compared per atom")
    if a.attrs["space_group"] != b.attrs["space_group"]:
        notes.append(f"space groups are {a.attrs['space_group']} and {b.attrs['space_group']}")
    return notes


def _mean_masses(dataset: xr.Dataset) -> dict[str, float]:
    symbols, masses = dataset["atom_symbol"].values.astype(str), atom_masses(dataset)
    return {symbol: float(masses[symbols == symbol].mean()) for symbol in dict.fromkeys(symbols.tolist())}


def _planes_differ(a: xr.Dataset, b: xr.Dataset) -> str | None:
    """Why two planes are not the same; cells that were relaxed may differ by 5 % and 2°."""
    if a.attrs["plane"] != b.attrs["plane"]:
        return f"the planes are {a.attrs['plane']!r} and {b.attrs['plane']!r}"
    lengths = [np.atleast_1d(x.attrs["plane_lengths_per_angstrom"]) for x in (a, b)]
    angles = [float(x.attrs["plane_angle_degree"]) for x in (a, b)]
    if np.max(np.abs(lengths[1] / lengths[0] - 1)) > 0.05 or abs(angles[1] - angles[0]) > 2:
        return "the vectors of the plane differ by more than 5 % or 2°, so the cells are not the same"
    return None


# ---------------------------------------------------------------------------------------------------------------- DOS


def _compare_dos(a: xr.Dataset, b: xr.Dataset, spectra: xr.Dataset, sigma: float) -> dict[str, float]:
    """Figures of densities of states, each complete and of area 1; the smoothed ones, per atom, go into ``spectra``."""
    given = [complete_dos(x) for x in (a, b)]
    step = min(STEP, *(float(np.diff(edges).min()) for _, edges in given))
    edges = uniform_edges(max(float(edges[-1]) for _, edges in given), step, name="energy")
    t, p = (rebin(dos, old, edges) for dos, old in given)
    t, p = t / np.sum(t * step), p / np.sum(p * step)
    top = max(edges[1 + np.searchsorted(np.cumsum(x) * step, CAPTURED)] for x in (t, p))
    use = centres(edges) <= top + MARGIN
    smoothed = [_smooth(x, sigma, step) for x in (t, p)]
    st, sp = smoothed[0][use], smoothed[1][use]
    found = {
        "w1_meV": float(metrics.wasserstein(p, t, edges)),
        "r2": metrics.r_squared(sp, st),
        "cosine": float(metrics.cosine(sp, st)),
        "overlap": metrics.overlap(smoothed[1], smoothed[0], step),
        "mean_energy_difference_meV": float((p - t) @ centres(edges) * step),
    }
    for kelvin in (100.0, 300.0):
        c = [float(heat_capacity(*x, kelvin)) for x in given]
        found[f"heat_capacity_difference_{kelvin:.0f}K_J_per_mol_K"] = c[1] - c[0]
    last = int(use.sum())
    spectra.coords["energy_dos"] = ("energy_dos", centres(edges)[:last], {"units": "meV"})
    spectra.coords["energy_dos_edges"] = ("energy_dos_edge", edges[: last + 1], {"units": "meV"})
    spectra["dos"] = (("source", "energy_dos"), 3 * np.stack([st, sp]), {"units": "1/meV per atom"})
    return found


def _instruments_differ(a: xr.Dataset, b: xr.Dataset, names: tuple[str, str]) -> str | None:
    """Why spectra of banks are not of one instrument and of as many phonons."""
    for x, name in zip((b, a), reversed(names), strict=True):
        if INSTRUMENT not in x:
            return f"{name} holds none"
    one, other = (Setting.of_attributes(x.attrs) for x in (a, b))
    if str(one) != str(other) or a["bank"].values.tolist() != b["bank"].values.tolist():
        return f"they are of {one} and of {other}"
    many = ["instrument_multiphonon" in x for x in (a, b)]
    return None if many[0] == many[1] else f"only {names[many[1]]} has many phonons"


# --------------------------------------------------------------------------------------------------------------- maps


def _compare_powder(a: xr.Dataset, b: xr.Dataset, spectra: xr.Dataset, sigma: float) -> dict[str, float]:
    t, p = _on_common_grid("powder", ("q", "energy"), a, b, spectra, sigma)
    q = spectra["q"].values
    inside = (q > LOW_Q) & (q < HIGH_Q)
    return _map_figures(t[inside], p[inside], q[inside])


def _compare_planes(a: xr.Dataset, b: xr.Dataset, spectra: xr.Dataset, sigma: float) -> dict[str, float]:
    t, p = _on_common_grid("crystal", ("h", "k", "energy"), a, b, spectra, sigma)
    for name in ("plane", "plane_lengths_per_angstrom", "plane_angle_degree"):
        spectra.attrs[name] = a.attrs[name]
    u, v = np.atleast_1d(a.attrs["plane_lengths_per_angstrom"])
    angle = np.deg2rad(float(a.attrs["plane_angle_degree"]))
    h, k = np.meshgrid(spectra["h"].values * u, spectra["k"].values * v, indexing="ij")
    return _map_figures(t, p, np.sqrt(h**2 + k**2 + 2 * h * k * np.cos(angle)))


def _compare_banks(a: xr.Dataset, b: xr.Dataset, spectra: xr.Dataset, sigma: float) -> dict[str, float]:
    spectra.coords["bank"] = a["bank"]
    spectra.attrs |= {name: value for name, value in a.attrs.items() if str(name).startswith("instrument")}
    t, p = _on_common_grid(INSTRUMENT, ("bank", "energy"), a, b, spectra, sigma)
    return {"cut_cosine": _mean(metrics.cosine(p, t)), "ratio": _ratio(t, p)}


def _on_common_grid(
    name: str, axes: tuple[str, ...], a: xr.Dataset, b: xr.Dataset, spectra: xr.Dataset, sigma: float
) -> tuple[Array, Array]:
    """Both maps on the bins that both cover, smoothed, also put into ``spectra``."""
    maps = [x[name].transpose(*axes).values.astype(float) for x in (a, b)]
    if not all(np.isfinite(values).all() for values in maps):
        raise DataError(f"{name} holds values that are not finite; compare maps as they were before an instrument")
    for number, axis in enumerate(axes):
        if axis == "bank":
            continue
        old = [x[f"{axis}_edges"].values for x in (a, b)]
        edges = _common_edges(old[0], old[1], axis)
        step = float(edges[1] - edges[0])
        width = sigma if axis == "energy" else SIGMA_Q * (sigma > 0)
        maps = [
            _smooth(rebin(x, o, edges, axis=number), width, step, axis=number) for x, o in zip(maps, old, strict=True)
        ]
        _, unit, words = COORDINATES[axis]
        spectra.coords[axis] = (axis, centres(edges), {"units": unit, "long_name": words})
        spectra.coords[f"{axis}_edges"] = (f"{axis}_edge", edges, {"units": unit})
    _, unit, words = EVERY[name]
    spectra[name] = (("source", *axes), np.stack(maps), {"units": unit, "long_name": words})
    return maps[0], maps[1]


def _common_edges(a: Array, b: Array, axis: str) -> Array:
    """Equal bins over what both grids cover, energies from `LOWEST` on, as wide as the narrowest of the first."""
    start, stop = max(float(a[0]), float(b[0])), min(float(a[-1]), float(b[-1]))
    step = float(np.diff(a).min())
    if axis == "energy":
        start, step = max(start, LOWEST), min(step, STEP)
    count = int((stop - start) / step + 1e-6)
    if count < 2:
        raise DataError(
            f"the maps share less than two bins of {axis}: they cover {a[0]:g} to {a[-1]:g} and {b[0]:g} to {b[-1]:g}; "
            "make them on grids that overlap"
        )
    return start + step * np.arange(count + 1)


def _map_figures(t: Array, p: Array, moduli: Array) -> dict[str, float]:
    """Mean cosine of energy cuts, of all and of those at small |Q|, and Σp/Σt."""
    cut, near = metrics.cosine(p, t), moduli < NEAR
    return {
        "cut_cosine": _mean(cut),
        "cut_cosine_near": _mean(cut[near]),
        "ratio": _ratio(t, p),
    }


def _ratio(t: Array, p: Array) -> float:
    return float(p.sum() / t.sum()) if t.sum() > 0 else np.nan


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan


def _smooth(values: Array, sigma: float, step: float, *, axis: int = -1) -> Array:
    return smooth(values, sigma, step, axis=axis) if sigma > 0 else values
