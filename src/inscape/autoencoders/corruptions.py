"""What happens to data on the way to an encoder that is to learn to undo it: noise, gaps, blur, background.

A corruption takes rows, shape (m, size), NaN = not measured, in the unit of the data, and gives new ones; several are
applied in the order given. Random numbers come from torch's generator, which training and `corrupt` seed.

References
----------
P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio and P.-A. Manzagol, J. Mach. Learn. Res. 11, 3371 (2010): Gaussian,
masking, salt and pepper.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from inscape.autoencoders.losses import axis_of
from inscape.autoencoders.parts import Part, as_parts
from inscape.autoencoders.rows import Floats, as_rows
from inscape.errors import DataError


@dataclass(frozen=True)
class Corruption(Part):
    """Abstract: rows to corrupted rows. ``nonnegative`` says that it is made for data without negative values."""

    nonnegative: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Corrupted copy of rows, shape (m, size), of samples of this shape."""


@dataclass(frozen=True)
class Gaussian(Corruption):
    """Normal noise of standard deviation ``sigma``, in the unit of the data."""

    sigma: float

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        return rows + self.sigma * torch.randn_like(rows)


@dataclass(frozen=True)
class Masking(Corruption):
    """Each value is lost with probability ``share``: set to ``value``, or, if that is None, not measured."""

    share: float
    value: float | None = None

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        lost = torch.rand_like(rows) < self.share
        return rows.masked_fill(lost & ~torch.isnan(rows), torch.nan if self.value is None else self.value)


@dataclass(frozen=True)
class SaltAndPepper(Corruption):
    """Each measured value becomes, with probability ``share``, the least or the greatest of its sample, by chance."""

    share: float

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        hit = (torch.rand_like(rows) < self.share) & ~torch.isnan(rows)
        least = torch.nan_to_num(rows, nan=torch.inf).amin(dim=1, keepdim=True)
        most = torch.nan_to_num(rows, nan=-torch.inf).amax(dim=1, keepdim=True)
        return torch.where(hit, torch.where(torch.rand_like(rows) < 0.5, least, most), rows)


@dataclass(frozen=True)
class Poisson(Corruption):
    """Counting noise: a sample is measured with ``dose`` counts in all, in expectation, and scaled back.

    A value x of a sample with the sum S becomes n·S/dose, n drawn from a Poisson distribution of mean x·dose/S: the
    expectation stays x, the variance is x·S/dose. With a range of doses, (lowest, highest), each sample has its own,
    evenly drawn on a logarithmic scale.
    """

    dose: float | tuple[float, float]
    nonnegative: ClassVar[bool] = True

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        lowest, highest = self.dose if isinstance(self.dose, tuple) else (self.dose, self.dose)
        even = torch.rand(len(rows), 1, dtype=rows.dtype, device=rows.device) if lowest < highest else 0.0
        dose = lowest * (highest / lowest) ** even
        total = torch.nansum(rows, dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
        mean = (torch.nan_to_num(rows, nan=0.0) * (dose / total)).clamp_min(0)
        return torch.where(torch.isnan(rows), rows, torch.poisson(mean) * (total / dose))


@dataclass(frozen=True)
class ResolutionBlur(Corruption):
    """A Gaussian of standard deviation ``sigma`` bins along an axis of the sample; gaps stay, and add nothing."""

    sigma: float
    axis: int = -1

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        dim = axis_of(self.axis, shape)
        bins = torch.arange(shape[dim - 1], dtype=rows.dtype, device=rows.device)
        kernel = torch.exp(-0.5 * ((bins[:, None] - bins) / self.sigma) ** 2)
        values = rows.reshape(-1, *shape).movedim(dim, -1)
        measured = (~torch.isnan(values)).to(rows.dtype)
        blurred = torch.nan_to_num(values, nan=0.0) @ kernel / (measured @ kernel).clamp_min(1e-12)
        blurred = torch.where(measured > 0, blurred, values)
        moved: Tensor = blurred.movedim(-1, dim)
        return moved.flatten(1)


@dataclass(frozen=True)
class MissingBands(Corruption):
    """``count`` bands of ``width`` bins along an axis, anywhere in each sample, are not measured: dead detectors."""

    count: int = 1
    width: int = 1
    axis: int = -1

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        dim = axis_of(self.axis, shape)
        length = shape[dim - 1]
        if self.count * self.width >= length:
            raise DataError(f"{self!r} leaves nothing of an axis of {length} bins: fewer or narrower bands are needed")
        bins = torch.arange(length, device=rows.device)
        first = torch.randint(length - self.width + 1, (len(rows), self.count, 1), device=rows.device)
        lost = ((bins >= first) & (bins < first + self.width)).any(dim=1)  # (m, length)
        view = [-1] + [1] * len(shape)
        view[dim] = length
        kept: Tensor = rows.reshape(-1, *shape).masked_fill(lost.view(view), torch.nan)
        return kept.flatten(1)


@dataclass(frozen=True)
class Background(Corruption):
    """A constant and a slope along an axis, each a random share, up to the one given, of the sample's greatest value.

    The constant is added; the slope runs, either way, from −½ to ½ of its share along the axis.
    """

    constant: float = 0.1
    slope: float = 0.0
    axis: int = -1

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        dim = axis_of(self.axis, shape)
        size = torch.nan_to_num(rows, nan=0.0).abs().amax(dim=1, keepdim=True)
        level, tilt = torch.rand(2, len(rows), 1, dtype=rows.dtype, device=rows.device)
        ramp = torch.linspace(-0.5, 0.5, shape[dim - 1], dtype=rows.dtype, device=rows.device)
        view = [1] * len(shape)
        view[dim - 1] = -1
        ramp = ramp.view(view).expand(shape).flatten()
        added: Tensor = size * (self.constant * level + self.slope * (2 * tilt - 1) * ramp)
        return rows + added


def apply(corruptions: Sequence[Corruption], rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Rows after all corruptions, one after the other."""
    for corruption in corruptions:
        rows = corruption(rows, shape)
    return rows


def check_counts(corruptions: Sequence[Corruption], least: float) -> None:
    """`DataError` if the least value is negative and a corruption counts."""
    if least < 0 and any(c.nonnegative for c in corruptions):
        raise DataError(f"data reach {least:.3g}, but counts cannot be negative: subtract no background")


def corrupt(X: ArrayLike, corruption: Corruption | Sequence[Corruption], *, random_state: int = 0) -> Floats:
    """Corrupted copy of data, shape (n, d) or (n, channels, height, ...); the same seed gives the same.

    Raises
    ------
    DataError
        Negative values for a corruption that counts.
    """
    rows = as_rows(X)
    corruptions = as_parts(corruption, Corruption, "corruption")
    values = rows.take(slice(None))
    check_counts(corruptions, float(np.nanmin(values)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state)
        found: Floats = apply(corruptions, torch.from_numpy(values), rows.shape).numpy()
    return found.reshape(-1, *rows.shape)
