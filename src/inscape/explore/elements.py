"""The elements of a code one by one: when each is active, what it adds to a sample, which samples it stands for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.autoencoders import BaseAutoencoder
from inscape.errors import DataError

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Activity:
    """How the elements of codes are used.

    Parameters
    ----------
    share
        Share of samples for which each element is not 0, shape (k,).
    deviation
        Standard deviation of each element over samples, shape (k,).
    """

    share: Array
    deviation: Array

    @property
    def dead(self) -> NDArray[np.int64]:
        """Elements that never change, so that they say nothing."""
        return np.flatnonzero(self.deviation <= 1e-6 * max(self.deviation.max(), 1e-300))

    @property
    def dead_share(self) -> float:
        """Their share of all elements."""
        return len(self.dead) / len(self.share)


def activity(codes: ArrayLike) -> Activity:
    """How the elements of codes, shape (n, k), are used."""
    values = _codes(codes)
    return Activity((values != 0).mean(axis=0), values.std(axis=0))


def traversal(
    model: BaseAutoencoder, codes: ArrayLike, element: int, *, steps: int = 7, start: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Decode along one element of the code, with the others held.

    Parameters
    ----------
    model
        Any fitted autoencoder.
    codes
        Codes of samples, shape (n, k): the element runs from its 1st to its 99th percentile there.
    element
        Which element, 0 to k − 1.
    steps
        Number of codes decoded.
    start
        The code to vary, shape (k,); the mean of ``codes`` unless given.

    Returns
    -------
    values, decoded
        Of the element, shape (steps,), and what they decode to, shape (steps, *shape of a sample).
    """
    array = _codes(codes)
    _check_element(element, array)
    low, high = np.percentile(array[:, element], [1, 99])
    values = np.linspace(low, high, steps)
    centre = array.mean(axis=0) if start is None else np.asarray(start, dtype=float)
    varied = np.repeat(centre[None], steps, axis=0)
    varied[:, element] = values
    return values, model.inverse_transform(varied)


def atoms(model: BaseAutoencoder, codes: ArrayLike) -> Array:
    """What each element adds to a decoded sample, per unit, at the mean code, shape (k, *shape of a sample).

    Central differences over a hundredth of each element's standard deviation: of a linear decoder its columns, exactly
    but for rounding; of any other the tangent.
    """
    array = _codes(codes)
    centre, step = array.mean(axis=0), 0.01 * array.std(axis=0)
    step[step == 0] = 0.01
    shifts = np.diag(step)
    up, down = (model.inverse_transform(centre + sign * shifts) for sign in (1, -1))
    return np.asarray((up - down) / (2 * step.reshape(-1, *[1] * (up.ndim - 1))))


def most_activating(codes: ArrayLike, element: int, n: int = 10) -> NDArray[np.int64]:
    """Numbers of the ``n`` samples for which an element of the code is largest, the largest first."""
    array = _codes(codes)
    _check_element(element, array)
    return np.argsort(-array[:, element], kind="stable")[:n]


def _codes(codes: ArrayLike) -> Array:
    array = np.asarray(codes, dtype=float)
    if array.ndim != 2 or not len(array) or not np.isfinite(array).all():
        raise DataError(f"codes have shape {array.shape}; expected (n, k), finite: give what transform returns")
    return array


def _check_element(element: int, codes: Array) -> None:
    if not 0 <= element < codes.shape[1]:
        raise DataError(f"element = {element}; codes have elements 0 to {codes.shape[1] - 1}")
