"""How large errors are, learned from the tuning crystals: what every prediction says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inscape.evaluation import evaluate
from inscape.library import Library
from inscape.properties import slopes_of, values_of
from inscape.spectra import native_energy_edges
from inscape.structure_model import shipped_model
from inscape.structure_model.model import CALIBRATION, StructureModel, doubts
from inscape.training import WEIGHTS

Array = NDArray[Any]

TEMPERATURES = np.array([25.0, 50.0, 100.0, 200.0, 300.0, 600.0])
"""Where thermodynamic functions are compared, K."""

COVERED = 0.9
"""Share of the crystals that a band is to hold."""

BATCH = 20


def calibrate(
    library: str | Path,
    output: str | Path | None = None,
    *,
    max_atoms: int = 40,
    limit: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Learn from the tuning crystals how large errors are, and write it down as JSON.

    For each error e (Wasserstein-1 of the density of states, 1 − cut cosine of the maps): log e = a + b log d, d the
    disagreement of the members, by least squares. Bands of thermodynamic functions: `thermal_stretch`.
    """
    found = evaluate(library, "tune", max_atoms=max_atoms, limit=limit, progress=progress)
    errors = {
        "dos_w1_meV": found.column("dos", "predicted", "W1"),
        "powder_cut_cosine": 1 - found.column("powder", "predicted", "cut cosine"),
        "crystal_cut_cosine": 1 - found.column("crystal", "predicted", "cut cosine"),
    }
    x = np.log(np.maximum(found.spread, 1e-4))
    lines = {name: np.polyfit(x, np.log(np.maximum(e, 1e-4)), 1)[::-1].tolist() for name, e in errors.items()}
    path = Path(output) if output is not None else WEIGHTS / CALIBRATION
    stretch = thermal_stretch(Library(library), found.ids, shipped_model())
    calibration = {"crystals": len(found.ids), "log_error": lines, "stretch": stretch}
    path.write_text(json.dumps(calibration, indent=1) + "\n")
    return path


def thermal_stretch(library: Library, names: Sequence[str], model: StructureModel) -> dict[str, Any]:
    """By what share energies would have to be stretched to change thermodynamic functions as much as they are wrong.

    Of each function X and temperature that share is |ΔX| over |∂X/∂ ln E|. Its size goes with disagreement and novelty
    of a prediction, by least squares of the logarithm; the 90 % quantile of what it is beyond that makes the band hold
    nine in ten crystals (split conformal prediction).

    Returns
    -------
    dict
        ``line``, the coefficients of `inscape.structure_model.model.doubts`; ``temperatures``, K; ``factors``, a list
        over temperatures for each function.
    """
    shares: dict[str, list[Array]] = {}
    known = []
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        crystals = [library.crystal(name) for name in batch]
        for name, crystal, structure in zip(batch, crystals, model(crystals, ()), strict=True):
            true = library.arrays(name, "partial_dos")["partial_dos"].astype(float)
            known.append(doubts(structure))
            for quantity, share in _shares(structure.partial_dos, true, crystal.masses).items():
                shares.setdefault(quantity, []).append(share)
    judged = np.array(known)
    typical = np.log(np.maximum([s.mean() for s in shares["heat_capacity"]], 1e-6))
    line, *_ = np.linalg.lstsq(judged, typical, rcond=None)
    beyond = {name: np.array(rows) / np.exp(judged @ line)[:, None] for name, rows in shares.items()}
    return {
        "line": line.tolist(),
        "temperatures": TEMPERATURES.tolist(),
        "factors": {
            name: np.nanquantile(rows, COVERED, axis=0, method="higher").tolist() for name, rows in beyond.items()
        },
    }


def _shares(partial: Array, true: Array, masses: Array) -> dict[str, Array]:
    """|ΔX| over |∂X/∂ ln E| of each function, shape (n_temperatures,); of displacements, both summed over atoms."""
    edges = native_energy_edges()
    (ours, theirs), slopes = (
        [values_of((p.sum(axis=0), edges), (p, edges), masses, TEMPERATURES) for p in (partial, true)],
        slopes_of((partial.sum(axis=0), edges), (partial, edges), masses, TEMPERATURES),
    )
    found = {}
    for name, slope in slopes.items():
        wrong, steep = np.abs(ours[name] - theirs[name]), slope
        if wrong.ndim == 2:
            wrong, steep = wrong.sum(axis=1), steep.sum(axis=1)
        found[name] = np.broadcast_to(wrong / np.maximum(steep, 1e-12), TEMPERATURES.shape)
    return found
