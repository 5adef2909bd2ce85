"""How large errors are, learned from the tuning crystals: what every prediction says of itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import QuantileRegressor

from inscape.errors import DataError
from inscape.evaluation import (
    Outcome,
    Road,
    Truth,
    dos_record,
    plane_record,
    powder_record,
    read_truth,
    road_of,
    scattering,
)
from inscape.intervals import COVERED, BinErrors, thermal_shares
from inscape.library import Library
from inscape.spectra import centres, native_energy_edges
from inscape.structure_model.doubts import CALIBRATIONS, LEVEL_FLOOR, Judged, bin_signs, signs
from inscape.structure_model.train import training_ids
from inscape.training import WEIGHTS

Array = NDArray[Any]

TEMPERATURES = np.array([25.0, 50.0, 100.0, 200.0, 300.0, 600.0])
"""Where thermodynamic functions are compared, K."""

FOLDS = 10
"""Parts of the tuning crystals, each of which is judged by what the others say."""

LEAST_SHARE = 1e-3
"""Added to shares where their logarithm is taken: how much smaller an error is does not matter."""


@dataclass(frozen=True, eq=False)
class Case:
    """A prediction and the truth: density of states of each atom, shape (n_atoms, n_energy), native grid; masses, u."""

    structure: Judged
    true: Array
    masses: Array


def calibrate(
    library: str | Path,
    output: str | Path | None = None,
    *,
    road: str = "code",
    max_atoms: int = 40,
    limit: int | None = None,
    predict: Road | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Learn from the tuning crystals how large errors are, and write it down as JSON.

    Typical errors (Wasserstein-1 of the density of states, 1 − cut cosine of the maps): their logarithms go with
    `signs` of the prediction, by least squares. Intervals: `thermal_stretch` and `dos_band`.

    Parameters
    ----------
    output
        File to write; the shipped one unless given.
    limit
        Only the first so many crystals.
    road
        "code" or "force-constants".
    predict
        That road with other models than the shipped ones.

    Raises
    ------
    DataError
        The library holds no crystals to tune on.
    """
    if road not in CALIBRATIONS:
        raise DataError(f"road is {road!r}; expected one of {', '.join(CALIBRATIONS)}")
    predict = predict or road_of(road)
    source = Library(library)
    names = training_ids(source, max_atoms)[1][:limit]
    cases: list[Case] = []
    errors: dict[str, list[float]] = {"dos_w1_meV": [], "powder_cut_cosine": [], "crystal_cut_cosine": []}
    ratios: list[tuple[float, float]] = []
    for count, name in enumerate(names, start=1):
        truth = read_truth(source, name)
        outcome = predict(truth)
        cases.append(Case(outcome.structure, truth.partial_dos, truth.crystal.masses))
        errors["dos_w1_meV"].append(dos_record(truth, outcome.structure.partial_dos)["W1"])
        errors["powder_cut_cosine"].append(1 - powder_record(truth, outcome.powder)["cut cosine"])
        errors["crystal_cut_cosine"].append(1 - plane_record(truth, outcome.plane)["cut cosine"])
        if len(outcome.members) > 1:
            ratios.append(error_ratios(truth, outcome))
        if progress is not None:
            progress(count, len(names), name)
    judged = np.array([signs(case.structure) for case in cases])
    typical = {name: _line(judged, np.log(np.maximum(e, 1e-4))).tolist() for name, e in errors.items()}
    path = Path(output) if output is not None else WEIGHTS / CALIBRATIONS[road]
    found: dict[str, Any] = {
        "crystals": len(cases), "errors": typical, "stretch": thermal_stretch(cases), "dos": dos_band(cases),
    }  # fmt: skip
    if ratios:
        found["maps"] = dict(zip(("powder", "crystal"), np.median(ratios, axis=0).tolist(), strict=True))
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return path


def error_ratios(truth: Truth, outcome: Outcome) -> tuple[float, float]:
    """Errors of the powder and the single-crystal map over what the standard deviation of the networks says.

    Root mean squares over the bins of `map_errors`.
    """
    powder, plane = (float(np.sqrt(np.sum(e**2) / np.sum(s**2))) for _, e, s in map_errors(truth, outcome))
    return powder, plane


def map_errors(truth: Truth, outcome: Outcome) -> Iterator[tuple[Array, Array, Array]]:
    """Of the powder and the single-crystal map: the truth, the error, and the standard deviation of the networks.

    In the bins of S at 10 K, smoothed by 1 meV.
    """
    for number, (ours, true) in enumerate(((outcome.powder, truth.powder), (outcome.plane, truth.plane))):
        one, other = (scattering(x.reshape(-1, x.shape[-1]), truth) for x in (ours, true))
        members = [scattering(member[number], truth) for member in outcome.members]
        yield other, one - other, np.std(members, axis=0, ddof=1)


def thermal_stretch(cases: Sequence[Case]) -> dict[str, Any]:
    """By what share energies would have to be stretched to change thermodynamic functions as much as they are wrong.

    For each function and temperature, the logarithm of that share (`thermal_shares`) goes with `signs` of a prediction;
    what it stays below in nine of ten crystals makes the interval. How far crystals are beyond the line that the others
    give, in tenths, moves it up or down (conformal prediction, with its correction for a finite number of crystals). Of
    two laws, `_line` and `_upper_line`, it is the one that holds, judged so, nearest to nine in ten of each third by
    novelty.

    Returns
    -------
    dict
        ``stretch`` of `inscape.structure_model.doubts.Doubts`.

    References
    ----------
    Y. Romano, E. Patterson and E. J. Candès, arXiv:1905.03222 (2019); A. N. Angelopoulos and S. Bates,
    arXiv:2107.07511, section 1: the ⌈(n + 1)(1 − α)⌉-th smallest of the n scores.
    """
    found = [thermal_shares(c.structure.partial_dos, c.true, c.masses, TEMPERATURES) for c in cases]
    judged = np.array([signs(case.structure) for case in cases])
    thirds = np.argsort(np.argsort([case.structure.novelty for case in cases])) * 3 // len(cases)
    columns = {name: np.array([f[name] for f in found]).T for name in found[0]}
    laws = [{name: [_interval(judged, c, thirds, law) for c in own] for name, own in columns.items()} for law in LAWS]
    best = min(laws, key=lambda lines: sum(miss for own in lines.values() for _, miss in own))
    lines = {name: [line for line, _ in own] for name, own in best.items()}
    return {"lines": lines, "temperatures": TEMPERATURES.tolist()}


def _interval(
    judged: Array, shares: Array, thirds: Array, law: Callable[[Array, Array], Array]
) -> tuple[list[float], float]:
    """Coefficients of `signs` for the logarithm of what nine in ten shares stay below; and of crystals judged by others
    the squares, added, of what is held of each third too much or too little. NaN do not count."""
    known = np.isfinite(shares)
    x, y = judged[known], np.log(shares[known] + LEAST_SHARE)
    line = law(x, y)
    beyond = y - x @ line
    if len(y) >= 2 * FOLDS:
        for fold in range(FOLDS):
            part = np.arange(len(y)) % FOLDS == fold
            beyond[part] = y[part] - x[part] @ law(x[~part], y[~part])
    line[0] += (up := held(beyond))
    parts = [beyond[thirds[known] == third] for third in range(3)]
    return line.tolist(), sum(float(np.mean(part <= up) - COVERED) ** 2 for part in parts if len(part))


def _upper_line(x: Array, y: Array) -> Array:
    """Coefficients, shape (n,), of the linear function of x (m, n) that a share `COVERED` of y (m,) is below."""
    fit = QuantileRegressor(quantile=COVERED, alpha=0.0, fit_intercept=False, solver="highs")
    return np.array(fit.fit(x, y).coef_, dtype=float)


def _line(x: Array, y: Array) -> Array:
    """Coefficients, shape (n,), of a linear fit of y (m,) by x (m, n)."""
    return np.asarray(np.linalg.lstsq(x, y, rcond=None)[0])


LAWS = (_line, _upper_line)
"""Of the mean of y, and of what most are below."""


def held(scores: Array) -> float:
    """The score that `COVERED` of all crystals stay below, if those given are a fair sample."""
    n = len(scores)
    return float(np.sort(scores)[min(n, math.ceil((n + 1) * COVERED)) - 1])


def dos_band(cases: Sequence[Case]) -> dict[str, Any]:
    """How much lower and higher densities of states may be in each bin.

    The logarithm of what a bin lacks goes with `bin_signs` of the prediction, by least squares; the share of bins that
    is beyond the interval on either side, averaged over crystals, is half of what may be outside.

    Returns
    -------
    dict
        ``dos`` of `inscape.structure_model.doubts.Doubts`.
    """
    native = centres(native_energy_edges())
    bins = [BinErrors.of(case.structure.partial_dos, case.true) for case in cases]
    known = [bin_signs(case.structure) for case in cases]
    near = [np.abs(native[:, None] - b.energy).argmin(axis=0) for b in bins]
    x = np.concatenate([own[n] for own, n in zip(known, near, strict=True)])
    units = [case.structure.mean_energy / (3 * len(case.masses)) for case in cases]
    lacks = np.concatenate([b.missing * unit for b, unit in zip(bins, units, strict=True)])
    weight = np.concatenate([np.full(len(n), 1 / len(n)) for n in near])
    root = np.sqrt(weight)
    line = _line(x * root[:, None], np.log(np.abs(lacks) + LEVEL_FLOOR) * root)
    sizes = [np.interp(b.energy, native, np.exp(own @ line)) for b, own in zip(bins, known, strict=True)]
    score = lacks / np.concatenate(sizes)
    order = np.argsort(score)
    below, above = np.interp([0.5 - COVERED / 2, 0.5 + COVERED / 2], _middles(weight[order]), score[order])
    return {"line": line.tolist(), "below": max(0.0, -float(below)), "above": max(0.0, float(above))}


def _middles(weight: Array) -> Array:
    """Share of the weight below the middle of each, shape (n,)."""
    return np.asarray((np.cumsum(weight) - 0.5 * weight) / weight.sum())
