"""Linear baselines of scikit-learn with the contract of the autoencoders: NMF and sparse PCA."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import scipy.optimize
import sklearn.decomposition
import torch
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from inscape.autoencoders.base import BaseAutoencoder
from inscape.autoencoders.rows import Floats
from inscape.errors import DataError


class LinearBaseline(BaseAutoencoder):
    """Abstract: rows ≈ offset + code · components.

    Gaps are filled with the feature's mean in `fit`; a row with gaps is encoded by what was measured alone. Weights
    multiply rows and their part of the error, as they do in a weighted squared error.

    Attributes
    ----------
    components_
        Shape (n_components, d).
    """

    max_iter: int
    components_: Floats

    def fit(self, X: ArrayLike, y: Any = None, *, sample_weight: ArrayLike | None = None) -> Self:
        """Find the components of ``X``, shape (n, d) or (n, channels, height, ...), which is read whole."""
        rows, weights, found = self._begin(X, sample_weight)
        self._check_least(found.least)
        values = rows.take(slice(None))
        gaps = np.isnan(values)
        values[gaps] = np.broadcast_to(found.mean, values.shape)[gaps]
        values -= self._offset()
        if weights is not None:
            values *= np.sqrt(weights)[:, None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # n_iter_ == max_iter tells
            model = self._model().fit(values)
        self.components_ = model.components_.astype(self.dtype_)
        self.n_iter_ = int(model.n_iter_)
        return self

    @abstractmethod
    def _model(self) -> Any:
        """scikit-learn's estimator, not fitted."""

    @abstractmethod
    def _solve(self, values: Floats, components: Floats) -> Floats:
        """Codes, shape (m, k), of complete rows, shape (m, d), less the offset; components have shape (k, d)."""

    def _check_least(self, least: float) -> None:
        """Refuse data by their least value."""

    def _offset(self) -> Floats:
        offset: Floats = self.mean_.reshape(-1).astype(self.dtype_)
        return offset

    def _encode(self, rows: Floats) -> Floats:
        rows = rows - self._offset()
        gaps = np.isnan(rows)
        broken = gaps.any(axis=1)
        codes = np.empty((len(rows), len(self.components_)), dtype=self.dtype_)
        if not broken.all():
            codes[~broken] = self._solve(rows[~broken], self.components_)
        for row in np.flatnonzero(broken):
            measured = ~gaps[row]
            codes[row] = self._solve(rows[row : row + 1, measured], self.components_[:, measured])[0]
        return codes

    def _decode(self, codes: Floats) -> Floats:
        rows: Floats = codes @ self.components_ + self._offset()
        return rows

    def _state(self) -> Mapping[str, Tensor]:
        return {"components": torch.from_numpy(self.components_), "n_iter": torch.tensor([self.n_iter_])}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.components_ = tensors["components"].numpy().astype(self.dtype_)
        self.n_iter_ = int(tensors["n_iter"])


class NMF(LinearBaseline):
    """Non-negative matrix factorisation: parts that only add up. Codes are found by non-negative least squares.

    Parameters
    ----------
    n_components
        Length of the code; None: as many as there can be.
    max_iter
        Passes of the solver.
    random_state
        Seed of the start.

    References
    ----------
    D. D. Lee and H. S. Seung, Nature 401, 788 (1999).
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        max_iter: int = 400,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.max_iter = max_iter
        self.random_state = random_state

    def _model(self) -> Any:
        return sklearn.decomposition.NMF(
            self._n_features_out, init="nndsvda", max_iter=self.max_iter, random_state=self.seed_
        )

    def _check_least(self, least: float) -> None:
        if least < 0:
            raise DataError(
                f"Negative values in data passed to NMF: they reach {least:.3g}, expected 0 or more; subtract no "
                "background, or take PCA"
            )

    def _offset(self) -> Floats:
        return np.zeros(self.n_features_in_, dtype=self.dtype_)

    def _solve(self, values: Floats, components: Floats) -> Floats:
        matrix = components.T.astype(np.float64)
        return np.stack([scipy.optimize.nnls(matrix, row.astype(np.float64))[0] for row in values])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags


class SparsePCA(LinearBaseline):
    """Components of which most entries are 0, from an L1 penalty; codes by ridge regression.

    Parameters
    ----------
    n_components
        Length of the code; None: as many as there can be.
    alpha, ridge
        Weight of the L1 penalty of the components, and of the squares of a code when a row is encoded.
    max_iter
        Passes of the solver.
    random_state
        Seed of the start.

    References
    ----------
    J. Mairal, F. Bach, J. Ponce and G. Sapiro, ICML (2009), as in scikit-learn.
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        alpha: float = 1.0,
        ridge: float = 0.01,
        max_iter: int = 400,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.alpha = alpha
        self.ridge = ridge
        self.max_iter = max_iter
        self.random_state = random_state

    def _model(self) -> Any:
        return sklearn.decomposition.SparsePCA(
            self._n_features_out, alpha=self.alpha, max_iter=self.max_iter, random_state=self.seed_
        )

    def _solve(self, values: Floats, components: Floats) -> Floats:
        wide = components.astype(np.float64)
        gram = wide @ wide.T + self.ridge * np.eye(len(wide))
        codes: Floats = np.linalg.solve(gram, wide @ values.astype(np.float64).T).T
        return codes
