"""How the error falls as codes grow, and how few labels a task needs on codes: curves over sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from inscape.autoencoders import BaseAutoencoder
from inscape.errors import DataError


def rate_distortion(
    estimators: dict[str, BaseAutoencoder], X: ArrayLike, test: ArrayLike, sizes: Sequence[int]
) -> pd.DataFrame:
    """Share of the variance of unseen samples that codes of each size lose: a column an estimator, a row a size.

    Each estimator is cloned with that ``n_components`` and fitted on ``X``.
    """
    table = {
        name: [1 - clone(estimator).set_params(n_components=size).fit(X).score(test) for size in sizes]
        for name, estimator in estimators.items()
    }
    return pd.DataFrame(table, index=pd.Index(list(sizes), name="n_components"))


def label_curve(
    estimator: Any,
    inputs: dict[str, NDArray[np.floating]],
    labels: ArrayLike,
    counts: Sequence[int],
    *,
    repeats: int = 5,
    random_state: int = 0,
) -> pd.DataFrame:
    """Score of a supervised estimator trained on few labels, on each kind of input: a column a kind, a row a count.

    Parameters
    ----------
    estimator
        Any classifier or regressor of scikit-learn.
    inputs
        Name -> what it learns from, shape (n, ...): codes and raw spectra, say.
    labels
        Shape (n,).
    counts
        Numbers of labelled samples to learn from; all others are for testing.
    repeats
        Random choices of the labelled ones, the same for all inputs, over which the score is averaged; each class has
        its share of them.
    """
    target = np.asarray(labels)
    if max(counts) >= len(target):
        raise DataError(f"{max(counts)} labels of {len(target)} samples leave none to test on: take fewer")
    split = StratifiedShuffleSplit if is_classifier(estimator) else ShuffleSplit
    table: dict[str, list[float]] = {name: [] for name in inputs}
    for count in counts:
        chooser = split(repeats, train_size=count, test_size=len(target) - count, random_state=random_state)
        choices = list(chooser.split(target, target))
        for name, values in inputs.items():
            flat = np.asarray(values).reshape(len(target), -1)
            table[name].append(float(np.mean([_score(estimator, flat, target, *choice) for choice in choices])))
    return pd.DataFrame(table, index=pd.Index(list(counts), name="labels"))


def _score(estimator: Any, values: NDArray[Any], target: NDArray[Any], learn: Any, test: Any) -> float:
    return float(clone(estimator).fit(values[learn], target[learn]).score(values[test], target[test]))
