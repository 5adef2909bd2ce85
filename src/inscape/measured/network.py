"""The denoising network: a convolutional autoencoder with paths beside its code, for maps and spectra of any size.

It is told how noisy each bin is, and gives for each bin what it expects there, how far the measurement is to be trusted
against that, and how large the error is that remains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Width = tuple[float, float]


@dataclass(frozen=True)
class Neighbours:
    """Along which axes of a map neighbours lie, and how far they are looked at.

    Parameters
    ----------
    widths
        Standard deviations, bins of |Q| and energy, of the smoothed maps that the network chooses among, bin by bin.
    near
        Of these, the one over which variances are averaged: where few are counted, that of one bin says little.
    size
        The one that tells the size of a map.
    across
        Whether rows of different |Q| are neighbours: they are not in a spectrum, a map of one row.
    """

    widths: tuple[Width, ...]
    near: Width
    size: Width
    across: bool

    def of(self, bins: int) -> tuple[int, int]:
        """A number of bins along both axes; along |Q| 1 where there are no neighbours."""
        return (bins if self.across else 1), bins


NEIGHBOURS = {
    2: Neighbours(
        ((0.7, 0.7), (2.0, 0.5), (2.0, 1.5), (6.0, 0.7), (6.0, 2.5), (12.0, 5.0)), (2.0, 1.5), (6.0, 2.5), across=True
    ),
    1: Neighbours(
        ((0.0, 0.7), (0.0, 1.2), (0.0, 2.0), (0.0, 3.5), (0.0, 6.0), (0.0, 12.0)), (0.0, 3.5), (0.0, 6.0), across=False
    ),
}
"""By the number of axes: of powder maps, and of spectra."""

FEW = 3.0
"""Of so many events, the variance of a bin itself and the mean around it are believed alike."""

MULTIPLE = 16
"""Bins along an axis with neighbours are filled up to a multiple of this."""

KEPT_OVER = 8.0
"""Standard deviation, bins of energy, of the window in which what was counted is kept."""

UNSURE = 0.5
"""By about this share may an expectation be wrong in all of such a window."""

LOWEST = 1e-3
"""A smoothed value to which less than this share of a bin's weight contributes is none."""


def smoothed(values: Tensor, sigma: Width) -> Tensor:
    """Maps, shape (m, channels, height, width), convolved with a Gaussian that ends at 3σ; 0 beyond the border."""
    for dim, width in zip((2, 3), sigma, strict=True):
        if not width:
            continue
        reach = int(3 * width + 0.5)
        bins = torch.arange(-reach, reach + 1, dtype=values.dtype, device=values.device)
        kernel = torch.exp(-0.5 * (bins / width) ** 2)
        shape = [1, 1, 1, 1]
        shape[dim] = len(bins)
        padding = (reach, 0) if dim == 2 else (0, reach)
        m, channels, height, length = values.shape
        flat = values.reshape(m * channels, 1, height, length)
        values = F.conv2d(flat, (kernel / kernel.sum()).view(shape), padding=padding).view(values.shape)
    return values


def _mean(values: Tensor, mask: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Mean of the measured bins, 0 where there are none; values are 0 where the mask is."""
    return values.sum(dims, keepdim=True) / mask.sum(dims, keepdim=True).clamp_min(1)


def _scale(values: Tensor, mask: Tensor, width: Width) -> Tensor:
    """What maps are divided by: the squared mean root of the smoothed intensity, which no bright line governs."""
    found = smoothed(torch.cat([values, mask], dim=1), width)
    root = torch.sqrt((found[:, :1] / found[:, 1:].clamp_min(LOWEST)).clamp_min(0)) * mask
    scale = _mean(root, mask, (2, 3)) ** 2
    return torch.where(scale > 0, scale, 1.0)


def _folded(x: Tensor, step: tuple[int, int]) -> Tensor:
    """Each patch of ``step`` bins as channels of one, shape (m, channels · bins, height/·, width/·)."""
    m, channels, height, width = x.shape
    patches = x.reshape(m, channels, height // step[0], step[0], width // step[1], step[1])
    return patches.permute(0, 1, 3, 5, 2, 4).reshape(m, -1, height // step[0], width // step[1])


def _unfolded(x: Tensor, step: tuple[int, int]) -> Tensor:
    """The reverse of `_folded`."""
    m, _, height, width = x.shape
    patches = x.reshape(m, -1, *step, height, width).permute(0, 1, 4, 2, 5, 3)
    return patches.reshape(m, patches.shape[1], height * step[0], width * step[1])


def _convolution(neighbours: Neighbours, old: int, new: int, stride: int = 1) -> nn.Conv2d:
    """A convolution with the next neighbours."""
    height, width = neighbours.of(3)
    return nn.Conv2d(old, new, (height, width), stride=neighbours.of(stride), padding=(height // 2, width // 2))


def kept(weight: Tensor, x: Tensor, expected: Tensor, variance: Tensor) -> Tensor:
    """Factor by which expectations have to be multiplied to hold, near each energy, what was measured there.

    Of few counts a network expects too little: it is trained on the errors of each map in units of it, of which the
    least is nearer to the median than to the mean. The sum over many bins is known better than that.

    Parameters
    ----------
    weight
        Of each bin, shape (m, 1, n_q, n_energy): 0 where it was not measured.
    x, expected, variance
        What was measured, what is expected, and the variance of the first, the same shape.

    Returns
    -------
    Tensor
        Shape (m, 1, 1, n_energy): with the sums X and F of both in a window and the variance V of X,
        1 + (X − F) F/(F² + V/u²), u = `UNSURE`: X/F where much was counted, and 1 where nothing was.
    """
    sums = torch.cat([weight * x, weight * expected, weight**2 * variance], dim=1).sum(2, keepdim=True)
    measured, found, spread = smoothed(sums, (0.0, KEPT_OVER))[:, :, None].unbind(1)
    spread = spread / (2 * math.sqrt(math.pi) * KEPT_OVER)  # squares of a Gaussian's weights add up to this
    factor: Tensor = 1 + (measured - found) * found / (found**2 + spread / UNSURE**2 + 1e-12)
    return factor.clamp_min(0)


class Residual(nn.Module):
    """x + two convolutions of it, the second of which begins at 0."""

    def __init__(self, channels: int, neighbours: Neighbours) -> None:
        super().__init__()
        self.first = _convolution(neighbours, channels, channels)
        self.second = _convolution(neighbours, channels, channels)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x + self.second(F.gelu(self.first(F.gelu(x))))  # type: ignore[no-any-return]


class Cleaner(nn.Module):
    """From a measured map, its variances and its gaps to the map expected, the variance of that, and a code.

    Bins that were not measured enter as such: they carry no weight in any mean, and a channel of its own says where
    they are, so that what stands in their place never matters. The last layer says how much each smoothed map counts,
    what is to be added to their mean, in square roots, how large V, the variance of this expectation f, is taken to be,
    and how large the error is that remains. The measurement x is believed as far as its variance σ² allows, its own or,
    of few events, that around it:

        p = f + (x − f) V/(V + σ²),

    so that p = x where there is no noise, and p = f where nothing was measured. Before, f is multiplied by what `kept`
    says.

    Parameters
    ----------
    channels
        Widths of the four scales, each half as fine as the one before, the first half as fine as the map. The means of
        the last are the code, by which a map is found foreign.
    axes
        2 for maps; 1 for spectra, maps of one row.
    """

    def __init__(self, channels: tuple[int, int, int, int] = (32, 64, 96, 64), axes: int = 2) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.axes = axes
        self.neighbours = near = NEIGHBOURS[axes]
        a, b, c, d = channels
        n, patch = len(near.widths), 4 if near.across else 2
        self.enter = _convolution(near, patch * (n + 6), a)
        self.down = nn.ModuleList([_convolution(near, x, y, 2) for x, y in ((a, b), (b, c), (c, d))])
        self.there = nn.ModuleList([Residual(x, near) for x in channels])
        self.merge = nn.ModuleList([nn.Conv2d(x + y, x, 1) for x, y in ((a, b), (b, c), (c, d))])
        self.back = nn.ModuleList([Residual(x, near) for x in (a, b)])
        self.leave = _convolution(near, a, patch * (n + 4))
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    @property
    def multiples(self) -> tuple[int, int]:
        """Sides of a map have to be multiples of these."""
        return self.neighbours.of(MULTIPLE)

    def forward(self, values: Tensor, variances: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Clean maps, their variances, and codes.

        Parameters
        ----------
        values, variances
            Shape (m, height, width), sides `multiples`; values are NaN where nothing was measured.

        Returns
        -------
        tuple
            (m, height, width) twice, in the units of the input, and (m, channels[-1]).
        """
        near = self.neighbours
        mask = (~torch.isnan(values))[:, None].to(values.dtype)
        scale = _scale(torch.nan_to_num(values, nan=0.0)[:, None], mask, near.size)
        x = torch.nan_to_num(values, nan=0.0)[:, None] / scale
        noise = mask * torch.nan_to_num(variances, nan=0.0)[:, None] / scale**2
        column = _mean(x, mask, (2,))  # over |Q|
        column = torch.where(mask.sum(2, keepdim=True) > 0, column, _mean(x, mask, (2, 3))).expand_as(x)
        row = _mean(x, mask, (3,)).expand_as(x)
        candidates: list[Tensor] = []
        local = noise
        for width in reversed(near.widths):  # widest first: where a narrow one has no bins, the next wider stands
            found = smoothed(torch.cat([x, mask, noise], dim=1), width)
            known, weight = found[:, 1:2] > LOWEST, found[:, 1:2].clamp_min(LOWEST)
            candidates.append(torch.where(known, found[:, :1] / weight, candidates[-1] if candidates else column))
            if width == near.widths[-1]:
                local = torch.where(known, found[:, 2:] / weight, _mean(noise, mask, (2, 3)))
            elif width == near.near:
                local = 0.02 * local + 0.98 * torch.where(known, found[:, 2:] / weight, local)
        level = torch.log10(local + 1e-9) / 3
        own = torch.where(mask > 0, torch.log10(noise + 1e-9) / 3, level)
        maps = [*candidates, column, torch.where(mask > 0, x, candidates[-1]), row]
        roots = [m.sign() * torch.asinh(torch.sqrt(m.abs() + 1e-6)) for m in maps]
        numbers, code = self._through(torch.cat([*roots, level, own, mask], dim=1))
        weights = numbers[:, :-3].softmax(dim=1)
        added, trust, doubt = numbers[:, -3:, None].unbind(1)
        blend = (weights * torch.cat(maps[: weights.shape[1]], dim=1)).sum(1, keepdim=True)
        base = torch.sqrt(blend.clamp_min(0) + 1e-4)
        expected = torch.relu(base + (1 + 0.3 * base) * added) ** 2
        spread = 0.1 * (expected.detach() + 0.1) ** 2
        trusted = spread * torch.exp(trust.clamp(-12, 12))
        events = x**2 / (noise + 1e-12)  # counted, by value and variance; few of them tell the variance badly
        sure = events / (events + FEW)
        sigma2 = sure * noise + (1 - sure) * local
        share = mask * trusted / (trusted + sigma2)
        expected = expected * kept(mask * (1 - share), x, expected, sigma2)
        clean = expected + share * (x - expected)
        share = share.detach()
        variance = torch.exp(doubt.clamp(-10, 10)) * ((1 - share) * spread + share * sigma2)
        return (scale * clean)[:, 0], (scale**2 * variance)[:, 0], code

    def _through(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The four scales down and up again: numbers for each bin, and the code."""
        x = self.there[0](self.enter(_folded(x, self.neighbours.of(2))))
        scales = [x]
        for down, there in zip(self.down, list(self.there)[1:], strict=True):
            x = there(down(F.gelu(x)))
            scales.append(x)
        code = x.mean((2, 3))
        for level in (2, 1, 0):
            x = F.interpolate(x, size=scales[level].shape[2:], mode="nearest")
            x = self.merge[level](torch.cat([scales[level], x], dim=1))
            if level < len(self.back):
                x = self.back[level](x)
        numbers: Tensor = _unfolded(self.leave(F.gelu(x)), self.neighbours.of(2))
        return numbers, code
