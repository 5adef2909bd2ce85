"""What happens to data on the way to an encoder that is to learn to undo it: noise, gaps, blur, background.

A corruption takes rows, shape (m, size), NaN = not measured, in the unit of the data, and gives new ones; several are
applied in the order given. Random numbers come from torch's generator, which training and `corrupt` seed.

References
----------
P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio and P.-A. Manzagol, J. Mach. Learn. Res. 11, 3371 (2010): Gaussian,
masking, salt and pepper.
P. Y. Simard, D. Steinkraus and J. C. Platt, Proc. ICDAR 2003, 958: deformations of images.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

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


@dataclass(frozen=True)
class Deformation(Corruption):
    """Images turned, sheared, stretched, moved and bent, each by a normal random amount of its own.

    Its standard deviations: ``angle`` of turning, degrees; ``shear`` and ``stretch`` along each axis, shares;
    ``shift`` and ``bend``, bins, the latter of points a quarter of the image apart, smooth between them. What comes in
    from outside is 0; gaps stay, and what leans on an unmeasured value is not measured either.
    """

    angle: float = 8.0
    shear: float = 0.15
    stretch: float = 0.1
    shift: float = 0.5
    bend: float = 0.8

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        if len(shape) != 3:
            raise DataError(f"{self!r} is for images, samples of shape (channels, height, width); these have {shape}")
        m, (height, width) = len(rows), shape[1:]
        images = rows.reshape(m, *shape)
        bent = nn.functional.interpolate(_normal(rows, m, 2, 5, 5), (height, width), mode="bicubic", align_corners=True)
        halves = torch.tensor([width / 2, height / 2], dtype=rows.dtype, device=rows.device)  # bins from middle to edge
        grid = nn.functional.affine_grid(self._maps(rows, halves), [m, *shape], align_corners=False)
        grid = grid + bent.permute(0, 2, 3, 1) * (self.bend / halves)
        lost = torch.isnan(images)
        values = nn.functional.grid_sample(images.masked_fill(lost, 0.0), grid, align_corners=False)
        if bool(lost.any()):
            touched = nn.functional.grid_sample(lost.to(rows.dtype), grid, align_corners=False)
            values = values.masked_fill(lost | (touched > 1e-3), torch.nan)
        return values.flatten(1)

    def _maps(self, rows: Tensor, halves: Tensor) -> Tensor:
        """Affine maps, shape (m, 2, 3), from places in the new image to those in the old, both from −1 to 1."""
        m = len(rows)
        turn = _normal(rows, m) * math.radians(self.angle)
        stretched, sheared = torch.exp(self.stretch * _normal(rows, m, 2)), self.shear * _normal(rows, m, 2)
        cosine, sine, aspect = turn.cos(), turn.sin(), halves[1] / halves[0]
        x = torch.stack([cosine * stretched[:, 0], (sheared[:, 0] - sine) * aspect], dim=1)
        y = torch.stack([(sheared[:, 1] + sine) / aspect, cosine * stretched[:, 1]], dim=1)
        moved = self.shift / halves * _normal(rows, m, 2)
        return torch.cat([torch.stack([x, y], dim=1), moved[:, :, None]], dim=2)


def _normal(like: Tensor, *shape: int) -> Tensor:
    return torch.randn(shape, dtype=like.dtype, device=like.device)


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
