"""Tensors by rank, as e3nn orders their components: spherical harmonics, and how tensors of two ranks make a third."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LMAX = 3

Tensors = list[Tensor]
"""Features of atoms by rank l: each (n_atoms, 2l + 1, channels)."""

Ranks = tuple[int, int, int]
"""Ranks of a neighbour's feature, of the spherical harmonic of the way to it, and of the message that they make."""


def spherical_harmonics(unit: Tensor) -> Tensors:
    """Real spherical harmonics of ranks 0 to 3 of unit vectors (n, 3), each (n, 2l + 1), of norm √(2l + 1)."""
    x, y, z = unit.unbind(1)
    xx, yy, zz = x * x, y * y, z * z
    a, b, c = math.sqrt(5 / 8), math.sqrt(3 / 8), math.sqrt(15)
    second = [x * z, x * y, (yy - 0.5 * (xx + zz)) / math.sqrt(3), y * z, 0.5 * (zz - xx)]
    third = [
        a * x * (3 * zz - xx), c * x * y * z, b * x * (4 * yy - xx - zz), 0.5 * y * (2 * yy - 3 * xx - 3 * zz),
        b * z * (4 * yy - xx - zz), 0.5 * c * y * (zz - xx), a * z * (zz - 3 * xx),
    ]  # fmt: skip
    return [
        torch.ones_like(unit[:, :1]),
        math.sqrt(3) * unit,
        math.sqrt(15) * torch.stack(second, dim=1),
        math.sqrt(7) * torch.stack(third, dim=1),
    ]


def paths(*, first: bool = False, last: bool = False, lmax: int = LMAX) -> list[Ranks]:
    """The ways in which messages are made in the first, the last and all other layers, by the rank of the message."""
    return [
        (l1, l2, l3)
        for l3 in range(1 if last else lmax + 1)
        for l1 in range(1 if first else lmax + 1)
        for l2 in range(lmax + 1)
        if abs(l1 - l2) <= l3 <= l1 + l2 and (l1 + l2 + l3) % 2 == 0
    ]


@cache
def coupling(path: Ranks) -> NDArray[np.float64]:
    """Coefficients that couple tensors of two ranks to one of a third: (2l₁ + 1, 2l₂ + 1, 2l₃ + 1), norm √(2l₃ + 1).

    For ranks of an even sum they are proportional to the integral of the three spherical harmonics over the sphere
    (Gaunt), here by a quadrature that is exact for polynomials of degree 9.
    """
    height, weight = np.polynomial.legendre.leggauss(5)
    angle = 2 * np.pi * np.arange(10) / 10
    ring = np.sqrt(1 - height**2)[:, None]
    points = np.stack([ring * np.cos(angle), ring * np.sin(angle), np.broadcast_to(height[:, None], (5, 10))], axis=-1)
    harmonics = spherical_harmonics(torch.from_numpy(points.reshape(-1, 3)))
    found = np.einsum("n,ni,nj,nk->ijk", np.repeat(weight, 10), *(harmonics[rank].numpy() for rank in path))
    return np.asarray(found * np.sqrt(found.shape[2]) / np.linalg.norm(found))


def ways_between(unit: Tensor, wanted: Iterable[Ranks]) -> dict[Ranks, Tensor]:
    """Couplings contracted with the spherical harmonics of unit vectors (n, 3), each (n, 2l₃ + 1, 2l₁ + 1)."""
    harmonics = spherical_harmonics(unit)
    return {
        path: torch.einsum("ijk,ej->eki", torch.from_numpy(coupling(path)).to(unit.dtype), harmonics[path[1]])
        for path in wanted
    }
