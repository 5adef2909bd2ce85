"""From the features of atoms to the force constants of every pair of atoms within 6 Å, in one pass.

A force constant is a tensor of 3 × 3 numbers that turns with the crystal. It is put together from what turns with it:
the unit tensor, the way between the two atoms, and vectors and tensors of ranks 2 and 3 that a universal potential has
found for each of them; how much of each, a perceptron says that sees only what does not turn. So rotations,
permutations, the choice of cell and the symmetry of the crystal are kept exactly, and so is Φ_ij(r) = Φ_ji(−r)ᵀ, by
averaging.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inscape.lattice import reverse_pairs
from inscape.potentials.harmonics import coupling
from inscape.potentials.nequix import CUTOFF
from inscape.structure_model.geometry import gaussians
from inscape.structure_model.network import Atoms, Trunk

Ranked = tuple[Tensor, Tensor, Tensor]
"""Vectors and tensors of ranks 2 and 3 of atoms, each (n_atoms, 2l + 1, channels)."""

N_RADIAL, NEAREST, RADIAL_WIDTH = 20, 0.8, 0.35
"""Gaussians of the distance of a pair: how many, the shortest distance and the width of each, Å."""

STIFFEST, STIFF_AT, DECAY, FAR = 25.0, 1.5, 0.75, 0.04
"""Typical size of a force constant at a distance r: 25 exp(−(r − 1.5 Å)/0.75 Å) + 0.04, eV/Å²."""


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs of neighbours of some crystals.

    ``atoms`` (2, n_pairs); ``ways`` (n_pairs, 3) from the first to the second, Å; ``reverse`` (n_pairs,), the place of
    the same pair the other way round.
    """

    atoms: Tensor
    ways: Tensor
    reverse: Tensor

    def __len__(self) -> int:
        return len(self.ways)

    @classmethod
    def of(cls, atoms: Tensor, ways: Tensor) -> Pairs:
        """Pairs of one crystal, and which belongs to which."""
        reverse = reverse_pairs(atoms.numpy(), ways.numpy())
        return cls(atoms, ways, torch.from_numpy(reverse))

    @classmethod
    def joined(cls, parts: Sequence[Pairs], counts: Sequence[int]) -> Pairs:
        """Pairs of several crystals of so many atoms each, one after the other."""
        atoms = np.cumsum([0, *counts[:-1]]).tolist()
        pairs = np.cumsum([0, *(len(p) for p in parts[:-1])]).tolist()
        return cls(
            torch.cat([p.atoms + start for p, start in zip(parts, atoms, strict=True)], dim=1),
            torch.cat([p.ways for p in parts]),
            torch.cat([p.reverse + start for p, start in zip(parts, pairs, strict=True)]),
        )


class ForceConstantNetwork(nn.Module):
    """Force constants of pairs.

    Parameters
    ----------
    n_features
        Invariant features of an atom.
    ranks
        Channels of the vectors and tensors of an atom, by rank.
    width, depth, heads
        Of the trunk, in which atoms hear each other; what is known of a pair passes one round fewer.
    pair_width, channels
        Width of the rounds of a pair; vectors and tensors of each rank that enter force constants.
    """

    second: Tensor
    third: Tensor

    def __init__(
        self,
        n_features: int,
        ranks: Sequence[int] = (128, 64, 64),
        width: int = 256,
        depth: int = 2,
        heads: int = 4,
        pair_width: int = 224,
        channels: int = 16,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.trunk = Trunk(n_features, width, depth, heads, dropout=0.0)
        self.mix = nn.ModuleList(nn.Linear(count, channels, bias=False) for count in ranks)
        self.first_atom, self.second_atom = nn.Linear(width, pair_width), nn.Linear(width, pair_width)
        self.radial, self.radial_gate = nn.Linear(N_RADIAL, pair_width), nn.Linear(N_RADIAL, pair_width)
        self.angles = nn.Linear(6 * channels, pair_width)
        self.polar = nn.Linear(1, pair_width, bias=False)
        self.rounds = nn.ModuleList(PairRound(pair_width) for _ in range(depth - 1))
        self.shares = nn.Linear(pair_width, 2 + 12 * channels)
        self.radial_shares = nn.Linear(N_RADIAL, 2 + 12 * channels)
        with torch.no_grad():
            self.shares.weight.mul_(0.3)
            self.shares.bias.zero_()
        self.register_buffer("second", coupling_of_vectors(), persistent=False)
        self.register_buffer("third", torch.from_numpy(coupling((3, 1, 2))).float(), persistent=False)

    def forward(self, atoms: Atoms, tensors: Ranked, pairs: Pairs, polar: Tensor) -> Tensor:
        """Force constants Φ, shape (n_pairs, 3, 3), eV/Å².

        In training one of the two directions of each pair is drawn, which halves the work.

        Parameters
        ----------
        polar
            1 for crystals whose dipoles are taken apart, 0 for those where they are in Φ, shape (n_crystals,).
        """
        h = self.trunk(atoms)
        ranked = [2 * mix(x) for mix, x in zip(self.mix, tensors, strict=True)]
        if not self.training:
            whole = self._one_way(atoms, h, ranked, pairs.atoms, pairs.ways, polar)
            return 0.5 * (whole + whole[pairs.reverse].transpose(1, 2))
        lot, order = torch.rand(len(pairs)), torch.arange(len(pairs))
        other = lot[pairs.reverse]
        drawn = (lot < other) | ((lot == other) & (order <= pairs.reverse))
        own = torch.nonzero(drawn)[:, 0]
        place = torch.full((len(pairs),), -1).index_put((own,), torch.arange(len(own)))
        half = self._one_way(atoms, h, ranked, pairs.atoms[:, own], pairs.ways[own], polar)
        found = half.index_select(0, torch.where(drawn, place, place[pairs.reverse]))
        return torch.where(drawn[:, None, None], found, found.transpose(1, 2))

    def _one_way(
        self, atoms: Atoms, h: Tensor, ranked: list[Tensor], pairs: Tensor, ways: Tensor, polar: Tensor
    ) -> Tensor:
        """Φ of pairs as seen from the first atom, shape (n_pairs, 3, 3)."""
        first, second = pairs
        distance = ways.norm(dim=1, keepdim=True)
        unit = ways / distance
        along = _products(unit, unit) @ self.second.flatten(0, 1)
        farther = _products(unit, along) @ self.third.flatten(1).T
        radial = gaussians(distance[:, 0], torch.linspace(NEAREST, CUTOFF, N_RADIAL), RADIAL_WIDTH)
        sides = [[x.index_select(0, end) for x in ranked] for end in (first, second)]
        angles = [
            sign * torch.bmm(way[:, None], x)[:, 0]
            for signs, side in zip(((1, 1, 1), (-1, 1, -1)), sides, strict=True)
            for sign, way, x in zip(signs, (unit, along, farther), side, strict=True)
        ]
        x = self.first_atom(h).index_select(0, first) + self.second_atom(h).index_select(0, second)
        x = x + self.radial(radial) + self.angles(torch.cat(angles, dim=1))
        x = x + self.polar(polar[atoms.crystal[first], None])
        x = functional.silu(x) * (1 + self.radial_gate(radial))
        for round_ in self.rounds:
            x = round_(x)
        shares = (self.shares(functional.silu(x)) + self.radial_shares(radial)) * _typical(distance)
        of_atoms = shares[:, 2:].view(-1, 2, 6, self.channels).unbind(1)
        across, lengthwise = shares[:, :2, None, None].unbind(1)
        found: Tensor = across * torch.eye(3) + lengthwise * unit[:, :, None] * unit[:, None]
        for sign, side, share in zip((1, -1), sides, of_atoms, strict=True):
            found = found + self._of_one_atom(sign, side, share, unit)
        return found

    def _of_one_atom(self, sign: int, side: list[Tensor], share: Tensor, unit: Tensor) -> Tensor:
        """What the vectors v and tensors t, o of one of the atoms give: t, (t·r̂ + v) r̂ᵀ, r̂ (t·r̂ + v)ᵀ and o·r̂."""
        vector, tensor, octupole = side
        column = unit[:, :, None]
        o = sign * torch.bmm(octupole, share[:, 5, :, None])[:, :, 0]
        o_along = torch.bmm((o @ self.third.flatten(1)).view(-1, 3, 5).mT, column)
        tensors = torch.cat([torch.bmm(tensor, share[:, :3].mT), o_along], dim=2)
        whole, of_left, of_right, turned = (tensors.mT @ self.second.flatten(0, 1).T).view(-1, 4, 3, 3).unbind(1)
        v = sign * torch.bmm(vector, share[:, 3:5].mT)
        left, right = torch.bmm(of_left, column) + v[:, :, :1], torch.bmm(of_right, column) + v[:, :, 1:]
        return whole + left * unit[:, None] + column * right.mT + turned


class PairRound(nn.Module):
    """A perceptron on what is known of a pair; added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    @property
    def outputs(self) -> list[nn.Module]:
        """The layers whose results are added."""
        return [self.hidden[-1]]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.hidden(self.norm(x))
        return out


def coupling_of_vectors() -> Tensor:
    """Turns the five components of a tensor of rank 2 into a symmetric matrix without trace, shape (3, 3, 5)."""
    return torch.from_numpy(coupling((1, 1, 2))).float()


def _products(first: Tensor, second: Tensor) -> Tensor:
    """Products of each number of one with each of the other, (n_pairs, n), (n_pairs, m): (n_pairs, n m)."""
    return (first[:, :, None] * second[:, None]).flatten(1)


def _typical(distance: Tensor) -> Tensor:
    """Typical size of force constants, brought smoothly to 0 at the cutoff."""
    window = 0.5 * (1 + torch.cos(math.pi * (distance / CUTOFF).clamp(max=1)))
    return (STIFFEST * torch.exp(-(distance - STIFF_AT) / DECAY) + FAR) * window


def own_tensors(tensors: Tensor, pairs: Tensor, n_atoms: int) -> Tensor:
    """Force constants of each atom with itself by the acoustic sum rule, symmetric, shape (n_atoms, 3, 3)."""
    total = -tensors.new_zeros(n_atoms, 3, 3).index_add(0, pairs[0], tensors)
    return 0.5 * (total + total.transpose(1, 2))


def dynamical_matrices(tensors: Tensor, pairs: Pairs, masses: Tensor, q: Tensor) -> Tensor:
    """Σ_R Φ_ij(R) exp(iq·r)/√(M_i M_j) of one crystal, r the way from i to j: (n_q, 3 n_atoms, 3 n_atoms), eV/Å²/u.

    Parameters
    ----------
    q
        Wave vectors, shape (n_q, 3), Cartesian, 1/Å.
    """
    n, (first, second) = len(masses), pairs.atoms
    root = masses.rsqrt()
    weighted = (tensors * (root[first] * root[second])[:, None, None]).reshape(1, -1, 9)
    angle = (q @ pairs.ways.T)[:, :, None]
    parts = (
        weighted.new_zeros(len(q), n * n, 9).index_add(1, first * n + second, wave * weighted)
        for wave in (angle.cos(), angle.sin())
    )
    found = torch.complex(*parts).view(len(q), n, n, 3, 3)
    own = own_tensors(tensors, pairs.atoms, n) / masses[:, None, None]
    found = found + torch.diag_embed(own.permute(1, 2, 0)).permute(2, 3, 0, 1)
    return found.permute(0, 1, 3, 2, 4).reshape(len(q), 3 * n, 3 * n)
