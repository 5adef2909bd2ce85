"""How likely the counts of a map are if it is that of a crystal: what tells crystals apart where little is counted.

With intensities x whose variance is u times what is expected, as that of counts is, the likelihood of a model μ is, but
for a constant, exp Σ (x ln μ − μ)/u: that of Poisson if x/u are counts. Scale and background, neither of them negative,
are those that make it most likely: least squares with the variances of what they let expect, repeated (Fisher's
scoring).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from inscape.retrieval.measurements import Measurement

Array = NDArray[np.floating]

DARK = 0.05
"""A model is at least this share of its mean: codes are not exact, and a single event in a dark bin is no proof."""

LEAST = 1e-9
"""What is expected is at least this much of a model: above 0, whatever the least squares are."""

STEPS = 6
"""With a background; a scale alone takes one."""


def likelihood(models: Array, smooth: Array, measured: Measurement) -> Array:
    """Twice the logarithm of the likelihood of what was measured, but for a constant that is the same for all models.

    Parameters
    ----------
    models
        Shape (n, n_q, n_energy), each but for its scale.
    smooth
        Backgrounds, shape (n_background, n_q, n_energy), none negative.
    measured
        With its ``unit``.

    Returns
    -------
    Array
        Shape (n,).
    """
    assert measured.unit is not None
    use = measured.weights > 0
    rate, x = 1 / measured.unit[use], measured.values[use]
    models = models[:, use].astype(float)
    mean = models.clip(0.0).mean(axis=1, keepdims=True)
    backgrounds = smooth[:, use]
    found = np.empty(len(models))
    for number, model in enumerate(np.maximum(models, DARK * mean + np.finfo(float).tiny)):
        columns = np.concatenate([model[None], backgrounds])
        expected = model
        for _ in range(STEPS if len(backgrounds) else 1):
            root = np.sqrt(rate / expected)
            amounts = nnls((columns * root).T, x * root)[0]
            expected = np.maximum(amounts @ columns, LEAST * model)
        found[number] = 2 * (rate * x) @ np.log(expected) - 2 * rate @ expected
    return found
