"""Which observable each element of a code follows, how strongly, and what a code knows in all; in figures and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.feature_selection import mutual_info_regression
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from inscape.errors import DataError
from inscape.explore.elements import activity
from inscape.metrics import r_squared

Array = NDArray[np.floating]

STRONG, CLEAR = 0.8, 0.5
"""Rank correlations from which an element follows an observable closely, or clearly."""

READABLE = 0.1
"""Least R² of a linear probe that is worth a figure."""


@dataclass(frozen=True)
class Meaning:
    """What the elements of a code have to do with observables.

    Parameters
    ----------
    correlation
        Spearman's rank correlation, rows elements, columns observables.
    information
        Mutual information, nats, likewise.
    probe
        R² of each observable predicted linearly from the whole code, cross-validated.
    dead
        Elements that never change.
    """

    correlation: pd.DataFrame
    information: pd.DataFrame
    probe: pd.Series
    dead: list[str]

    def words(self) -> list[str]:
        """One sentence an element, strongest first, then one an observable and one on dead elements."""
        strongest = self.correlation.abs().max(axis=1)
        sentences = [self._sentence(str(name)) for name in strongest.sort_values(ascending=False).index]
        for name, value in self.probe.items():
            known, how = ("can", f" (R² = {value:.2f})") if value >= READABLE else ("cannot", "")
            sentences.append(f"{name} {known} be read off the code by a linear map{how}.")
        if self.dead:
            sentences.append(f"{len(self.dead)} elements never change: {', '.join(self.dead)}.")
        return sentences

    def _sentence(self, name: str) -> str:
        row = self.correlation.loc[name]
        best = str(row.abs().idxmax())
        value, shared = float(row[best]), float(self.information.loc[name, best])
        if abs(value) < CLEAR:
            return f"{name} follows none of the observables (closest: {best}, rank correlation {value:+.2f})."
        how = "closely follows" if abs(value) >= STRONG else "follows"
        sense = "rises" if value > 0 else "falls"
        return f"{name} {how} {best}: it {sense} with it (rank correlation {value:+.2f}, {shared:.2f} nats shared)."


def meaning(
    codes: ArrayLike, observables: Mapping[str, ArrayLike], *, names: list[str] | None = None, random_state: int = 0
) -> Meaning:
    """Correlate the elements of codes with observables of the same samples.

    Parameters
    ----------
    codes
        Shape (n, k).
    observables
        Name -> values, shape (n,); a sample whose value is NaN is left out for that observable.
    names
        Of the elements; "element 0", ... unless given.

    Raises
    ------
    DataError
        An observable of another length, or known for fewer than 10 samples, or constant.
    """
    array = np.asarray(codes, dtype=float)
    used = activity(array)
    labels = names or [f"element {i}" for i in range(array.shape[1])]
    correlation, information, probe = {}, {}, {}
    for name, given in observables.items():
        values = np.asarray(given, dtype=float)
        if values.shape != (len(array),):
            raise DataError(f"observable {name} has shape {values.shape}; expected ({len(array)},), one value a code")
        known = np.isfinite(values)
        if known.sum() < 10 or np.ptp(values[known]) == 0:
            raise DataError(f"observable {name} has {known.sum()} values, or is constant: 10 that differ are needed")
        correlation[name] = rank_correlation(array[known], values[known])
        information[name] = mutual_info_regression(array[known], values[known], random_state=random_state)
        probe[name] = linear_probe(array[known], values[known], random_state=random_state)
    return Meaning(
        pd.DataFrame(correlation, index=labels),
        pd.DataFrame(information, index=labels),
        pd.Series(probe),
        [labels[i] for i in used.dead],
    )


def rank_correlation(codes: Array, values: Array) -> Array:
    """Spearman's correlation of each element with an observable, shape (k,); 0 for an element that never changes."""
    ranks, order = rankdata(codes, axis=0), rankdata(values)
    ranks, order = ranks - ranks.mean(axis=0), order - order.mean()
    norm = np.sqrt((ranks**2).sum(axis=0) * (order**2).sum())
    return np.asarray(np.where(norm > 0, order @ ranks / np.where(norm > 0, norm, 1.0), 0.0))


def linear_probe(codes: ArrayLike, values: ArrayLike, *, folds: int = 5, random_state: int = 0) -> float:
    """R² of an observable predicted from codes by ridge regression, on samples left out in turn."""
    array, target = np.asarray(codes, dtype=float), np.asarray(values, dtype=float)
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-4, 4, 17)))
    split = KFold(min(folds, len(array)), shuffle=True, random_state=random_state)
    predicted = cross_val_predict(model, array, target, cv=split)
    return r_squared(predicted, target)
