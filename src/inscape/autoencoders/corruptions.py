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
from functools import cache
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from inscape.autoencoders.losses import axis_of
from inscape.autoencoders.parts import Part, as_parts
from inscape.autoencoders.rows import Floats, as_rows
from inscape.errors import DataError, InstrumentError
from inscape.scattering import Setting
from inscape.scattering.spectrometers import ENTRIES
from inscape.units import HBAR2_2MN


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
    evenly drawn on a logarithmic scale. With ``uneven``, bins are watched for longer or shorter, by factors that vary
    smoothly over the sample, with a standard deviation of their logarithm up to ``uneven``.
    """

    dose: float | tuple[float, float]
    uneven: float = 0.0
    nonnegative: ClassVar[bool] = True

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        return self.measure(rows, shape)[0]

    def measure(self, rows: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Rows as counted, n times a unit, and the unit: the variance of n of them, as one states it, is n·unit²."""
        dose = drawn(self.dose, rows)
        total = torch.nansum(rows, dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
        counts_per_unit = dose / total  # in a bin, where the value is 1
        if self.uneven:
            counts_per_unit = counts_per_unit * self._exposure(rows, shape)
        mean = (torch.nan_to_num(rows, nan=0.0) * counts_per_unit).clamp_min(0)
        unit = (1 / counts_per_unit).expand_as(rows)
        return torch.where(torch.isnan(rows), rows, torch.poisson(mean) * unit), unit

    def _exposure(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Smooth factors with a mean logarithm of 0: waves along each axis with random slopes and phases."""
        log = torch.zeros(len(rows), *shape, dtype=rows.dtype, device=rows.device)
        for dim, length in enumerate(shape):
            turns, phase = 3 * torch.rand(2, len(rows), 1, dtype=rows.dtype, device=rows.device)
            wave = torch.sin(turns * torch.linspace(-1, 1, length, dtype=rows.dtype, device=rows.device) + 2.1 * phase)
            log = log + wave.view(-1, *[length if i == dim else 1 for i in range(len(shape))])
        log = log.flatten(1)
        log = log - log.mean(dim=1, keepdim=True)
        strength = self.uneven * torch.rand(len(rows), 1, dtype=rows.dtype, device=rows.device)
        return torch.exp(strength * log / log.std(dim=1, keepdim=True).clamp_min(1e-6))


@dataclass(frozen=True)
class ResolutionBlur(Corruption):
    """A Gaussian of standard deviation ``sigma`` bins along an axis of the sample; gaps stay, and add nothing.

    With a range, (lowest, highest), each sample has its own, evenly drawn on a logarithmic scale.
    """

    sigma: float | tuple[float, float]
    axis: int = -1

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        dim = axis_of(self.axis, shape)
        bins = torch.arange(shape[dim - 1], dtype=rows.dtype, device=rows.device)
        kernels = torch.exp(-0.5 * ((bins[:, None] - bins) / drawn(self.sigma, rows).view(-1, 1, 1)) ** 2)
        values = rows.reshape(-1, *shape).movedim(dim, -1)
        flat = values.reshape(len(rows), -1, shape[dim - 1])  # (m, all other bins, bins of the axis)
        measured = (~torch.isnan(flat)).to(rows.dtype)
        blurred = torch.nan_to_num(flat, nan=0.0) @ kernels / (measured @ kernels).clamp_min(1e-12)
        blurred = torch.where(measured > 0, blurred, flat).view(values.shape)
        moved: Tensor = blurred.movedim(-1, dim)
        return moved.flatten(1)


@dataclass(frozen=True)
class MissingBands(Corruption):
    """``count`` bands of ``width`` bins along an axis, anywhere in each sample, are not measured: dead detectors.

    ``share`` is that of the samples which, by chance, lack them.
    """

    count: int = 1
    width: int = 1
    axis: int = -1
    share: float = 1.0

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        dim = axis_of(self.axis, shape)
        length = shape[dim - 1]
        if self.count * self.width >= length:
            raise DataError(f"{self!r} leaves nothing of an axis of {length} bins: fewer or narrower bands are needed")
        bins = torch.arange(length, device=rows.device)
        first = torch.randint(length - self.width + 1, (len(rows), self.count, 1), device=rows.device)
        lost = ((bins >= first) & (bins < first + self.width)).any(dim=1)  # (m, length)
        if self.share < 1:
            lost = lost & (torch.rand(len(rows), 1, device=rows.device) < self.share)
        view = [-1] + [1] * len(shape)
        view[dim] = length
        kept: Tensor = rows.reshape(-1, *shape).masked_fill(lost.view(view), torch.nan)
        return kept.flatten(1)


@dataclass(frozen=True)
class Background(Corruption):
    """A constant and a slope along an axis, each a random share, up to the one given, of the sample's greatest value.

    The constant is added; the slope runs, either way, from −½ to ½ of its share along the axis. ``share`` is that of
    the samples which, by chance, have a background.
    """

    constant: float = 0.1
    slope: float = 0.0
    axis: int = -1
    share: float = 1.0

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        dim = axis_of(self.axis, shape)
        size = torch.nan_to_num(rows, nan=0.0).abs().amax(dim=1, keepdim=True)
        level, tilt = torch.rand(2, len(rows), 1, dtype=rows.dtype, device=rows.device)
        ramp = torch.linspace(-0.5, 0.5, shape[dim - 1], dtype=rows.dtype, device=rows.device)
        view = [1] * len(shape)
        view[dim - 1] = -1
        ramp = ramp.view(view).expand(shape).flatten()
        added: Tensor = size * (self.constant * level + self.slope * (2 * tilt - 1) * ramp)
        if self.share < 1:
            added = added * (torch.rand_like(level) < self.share)
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


@dataclass(frozen=True)
class ElasticLine(Corruption):
    """A share of the samples gets a line along the last axis: scattering without loss of energy, Bragg peaks on it.

    Samples have two axes at the end, |Q| and energy. The line is a Gaussian at ``position``, a share of the energy
    axis, with a width of ``sigma`` bins; it is 0.1 to ``height`` times as high as the sample's greatest value, and
    varies with |Q|: smoothly, and in half of the samples with peaks in a tenth of the bins.
    """

    position: float
    height: float = 100.0
    sigma: tuple[float, float] = (0.6, 3.0)
    share: float = 0.5

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        m, (n_q, n_energy) = len(rows), shape[-2:]
        like: dict[str, Any] = {"dtype": rows.dtype, "device": rows.device}
        bins = torch.arange(n_energy, **like) + 0.5 - self.position * n_energy
        line = torch.exp(-0.5 * (bins / drawn(self.sigma, rows)) ** 2)  # (m, n_energy)
        slope, peaked, chosen = torch.rand(3, m, 1, **like)
        along_q = torch.exp(-2 * slope * torch.linspace(0, 1, n_q, **like))
        peaks = (torch.rand(m, n_q, **like) < 0.1) * torch.rand(m, n_q, **like)
        along_q = torch.where(peaked < 0.5, along_q, 0.1 * along_q + peaks)
        height = torch.nan_to_num(rows, nan=0.0).amax(dim=1, keepdim=True) * drawn((0.1, self.height), rows)
        added = torch.where(chosen < self.share, height, 0.0)[:, :, None] * along_q[:, :, None] * line[:, None, :]
        return (rows.reshape(m, -1, n_q, n_energy) + added[:, None]).reshape(rows.shape)


@dataclass(frozen=True)
class KinematicMask(Corruption):
    """What no detector of a real spectrometer of direct geometry reaches is not measured; each sample has its own.

    Samples have two axes at the end, |Q| from 0 on and energies ``energies``, in E_i. The |Q| axis ends at one of
    ``momenta``, in k_i, for small E_i are measured to the end and large ones are not.

    Parameters
    ----------
    instruments
        Names of `inscape.scattering.instrument`; which of them a sample gets is random.
    energies, momenta
        The two ends of the energy axis, and possible ends of the |Q| axis.
    share
        Of the samples that get a mask.
    """

    instruments: tuple[str, ...]
    energies: tuple[float, float]
    momenta: tuple[float, ...] = (0.7, 1.0, 1.4, 2.0)
    share: float = 0.8

    def __call__(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        names, energies, momenta = tuple(self.instruments), tuple(self.energies), tuple(self.momenta)
        reached = _reached(names, energies, momenta, shape[-2:])
        chosen = reached.to(rows.device)[torch.randint(len(reached), (len(rows),), device=rows.device)]
        masked = (torch.rand(len(rows), 1, 1, device=rows.device) < self.share) & ~chosen
        found = rows.reshape(len(rows), -1, *shape[-2:]).masked_fill(masked[:, None], torch.nan)
        return found.reshape(rows.shape)


@cache
def _reached(
    names: tuple[str, ...], energies: tuple[float, float], momenta: tuple[float, ...], shape: tuple[int, int]
) -> Tensor:
    """What each instrument reaches of each grid, shape (n_instruments · n_momenta, n_q, n_energy), bool."""
    unknown = [name for name in names if name not in ENTRIES or ENTRIES[name].final is not None]
    if unknown:
        raise InstrumentError(f"no spectrometer of direct geometry is called {', '.join(unknown)}")
    incident = 100.0  # of no matter: everything is relative to it
    energy = incident * np.linspace(*energies, shape[1] + 1)
    wave_number = np.sqrt(incident / HBAR2_2MN)
    found = [
        Setting(name, "direct", incident, ENTRIES[name].angles).reach(
            wave_number * np.linspace(0, end, shape[0] + 1), energy
        )
        for name in names
        for end in momenta
    ]
    return torch.from_numpy(np.stack(found))


def drawn(value: float | Sequence[float], rows: Tensor) -> Tensor:
    """A number for each row, shape (m, 1): the one given, or of a range, evenly drawn on a logarithmic scale."""
    lowest, highest = (value, value) if isinstance(value, int | float) else value
    if lowest == highest:
        return torch.full((len(rows), 1), lowest, dtype=rows.dtype, device=rows.device)
    even = torch.rand(len(rows), 1, dtype=rows.dtype, device=rows.device)
    return lowest * (highest / lowest) ** even


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
