"""Principal components: the linear baseline that stands beside every autoencoder, and what autoencoders start from.

scikit-learn's PCA copies all data, knows no sample weights and no NaN; this one reads a memory map block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from inscape.autoencoders.base import BaseAutoencoder
from inscape.autoencoders.rows import Floats, Rows
from inscape.errors import DataError

Blocks = Callable[[], Iterator[Floats]]

EXACT_FEATURES = 2048
"""Up to this many features the covariance is diagonalised."""
EXACT_VALUES = 1 << 24
"""Up to this many numbers the data are decomposed at once, where they have more features than samples."""


class PCA(BaseAutoencoder):
    """Principal component analysis, with the contract of the autoencoders.

    Missing values are taken as the feature's mean in `fit`; in `transform` the code of a row with gaps is the most
    probable one given what was measured (probabilistic PCA), so that decoding fills the gaps. Rows without gaps are
    projected, as ever.

    Parameters
    ----------
    n_components
        Length of the code; None: as many as there can be.
    solver
        "exact"; "randomised": subspace iteration that streams the data, for tables that do not fit in memory; "auto"
        takes the first for small data.
    random_state
        Seed of the randomised solver.

    Attributes
    ----------
    components_
        Orthonormal axes, shape (n_components, d); the largest element of each is positive.
    explained_variance_, explained_variance_ratio_
        Variance along each axis (weighted mean of squares, divisor n − 1), and its share of the total.
    noise_variance_
        Mean variance along the directions left out.

    References
    ----------
    N. Halko, P. G. Martinsson and J. A. Tropp, SIAM Rev. 53, 217 (2011).
    M. E. Tipping and C. M. Bishop, J. R. Stat. Soc. B 61, 611 (1999).
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        solver: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.solver = solver
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None, *, sample_weight: ArrayLike | None = None) -> Self:
        """Find the principal axes of ``X``, shape (n, d) or (n, channels, height, ...); ``y`` is ignored."""
        rows, weights, found = self._begin(X, sample_weight)
        blocks = centred_blocks(rows, found.mean, np.ones(1), weights)
        axes = principal_axes(
            blocks, len(rows), rows.size, self._n_features_out, solver=self.solver, seed=self.seed_, dtype=rows.dtype
        )
        self.components_ = axes.components.astype(self.dtype_)
        self.explained_variance_ = axes.squares / (len(rows) - 1)
        self.explained_variance_ratio_ = axes.squares / axes.total
        rest = (axes.total - float(axes.squares.sum())) / (len(rows) - 1)
        self.noise_variance_ = max(0.0, rest) / max(1, rows.size - self._n_features_out)
        return self

    def _encode(self, rows: Floats) -> Floats:
        centred = rows - self.mean_.reshape(-1).astype(self.dtype_)
        gaps = np.isnan(centred)
        codes: Floats = np.nan_to_num(centred, nan=0.0) @ self.components_.T
        for row in np.flatnonzero(gaps.any(axis=1)):
            codes[row] = self._most_probable(centred[row, ~gaps[row]], self.components_[:, ~gaps[row]])
        return codes

    def _most_probable(self, values: Floats, components: Floats) -> Floats:
        """Code of a row of which only some values are known: posterior mean of probabilistic PCA."""
        wide = components.astype(np.float64)
        prior = self.noise_variance_ / np.maximum(self.explained_variance_, 1e-12 * self.explained_variance_.max())
        code: Floats = np.linalg.lstsq(wide @ wide.T + np.diag(prior), wide @ values.astype(np.float64), rcond=1e-10)[0]
        return code

    def _decode(self, codes: Floats) -> Floats:
        rows: Floats = codes @ self.components_ + self.mean_.reshape(-1).astype(self.dtype_)
        return rows

    def _state(self) -> Mapping[str, Tensor]:
        ratio = self.explained_variance_ratio_
        return {
            "components": torch.from_numpy(self.components_),
            "explained_variance": torch.from_numpy(self.explained_variance_),
            "explained_variance_ratio": torch.from_numpy(ratio),
            "noise_variance": torch.tensor([self.noise_variance_], dtype=torch.float64),
        }

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.components_ = tensors["components"].numpy().astype(self.dtype_)
        self.explained_variance_ = tensors["explained_variance"].numpy().astype(np.float64)
        self.explained_variance_ratio_ = tensors["explained_variance_ratio"].numpy().astype(np.float64)
        self.noise_variance_ = float(tensors["noise_variance"])


# ---------------------------------------------------------------------------------------------------------- the algebra


@dataclass(frozen=True)
class PrincipalAxes:
    """Leading right singular vectors, shape (k, d), squares of their singular values, and the sum of all squares."""

    components: NDArray[np.float64]
    squares: NDArray[np.float64]
    total: float


def centred_blocks(rows: Rows, mean: Floats, scale: Floats, weights: Floats | None) -> Blocks:
    """A function that goes once through (rows − mean)/scale, each times the root of its weight, gaps set to 0."""
    shift, factor = mean.astype(rows.dtype), (1.0 / scale).astype(rows.dtype)

    def blocks() -> Iterator[Floats]:
        for block in rows.slices():
            values = rows.take(block)
            values -= shift
            values *= factor
            np.nan_to_num(values, copy=False, nan=0.0)
            if weights is not None:
                values *= np.sqrt(weights[block, None])
            yield values

    return blocks


def principal_axes(
    blocks: Blocks, n: int, d: int, k: int, *, solver: str, seed: int, dtype: np.dtype[Any]
) -> PrincipalAxes:
    """Leading principal axes of the rows that ``blocks`` yields, shape (n, d) in all, already centred."""
    if solver not in ("auto", "exact", "randomised"):
        raise DataError(f"solver = {solver!r}; expected 'auto', 'exact' or 'randomised'")
    if solver == "auto":
        solver = "exact" if d <= EXACT_FEATURES or n * d <= EXACT_VALUES else "randomised"
    if solver == "randomised":
        found = _randomised(blocks, d, k, seed, dtype)
    elif d <= n:
        found = _covariance(blocks, d, k)
    else:
        found = _decomposed(blocks, k)
    signs = np.sign(found.components[np.arange(k), np.abs(found.components).argmax(axis=1)])
    return PrincipalAxes(found.components * signs[:, None], np.maximum(found.squares, 0.0), found.total)


def _covariance(blocks: Blocks, d: int, k: int) -> PrincipalAxes:
    covariance = np.zeros((d, d))
    for block in blocks():
        wide = block.astype(np.float64)
        covariance += wide.T @ wide
    squares, vectors = np.linalg.eigh(covariance)
    return PrincipalAxes(vectors[:, ::-1][:, :k].T, squares[::-1][:k], float(np.trace(covariance)))


def _decomposed(blocks: Blocks, k: int) -> PrincipalAxes:
    values = np.concatenate(list(blocks())).astype(np.float64)
    _, singular, vectors = np.linalg.svd(values, full_matrices=False)
    return PrincipalAxes(vectors[:k], singular[:k] ** 2, float(np.sum(singular**2)))


def _randomised(blocks: Blocks, d: int, k: int, seed: int, dtype: np.dtype[Any], passes: int = 4) -> PrincipalAxes:
    """Subspace iteration: each pass multiplies a random basis by XᵀX; Rayleigh–Ritz at the end."""
    width = min(d, k + max(10, k // 4))
    basis = np.random.default_rng(seed).standard_normal((d, width))
    for _ in range(passes):
        basis = np.linalg.qr(basis)[0].astype(dtype)
        image = np.zeros((d, width))
        for block in blocks():
            image += block.T @ (block @ basis)
        basis = image
    basis = np.linalg.qr(basis)[0].astype(dtype)
    small, total = np.zeros((width, width)), 0.0
    for block in blocks():
        projected = (block @ basis).astype(np.float64)
        small += projected.T @ projected
        total += float(np.sum(np.square(block, dtype=np.float64)))
    squares, rotation = np.linalg.eigh(small)
    components = (basis.astype(np.float64) @ rotation[:, ::-1])[:, :k].T
    return PrincipalAxes(components, squares[::-1][:k], total)
