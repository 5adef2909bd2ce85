"""From the features of atoms to the density of states of each: atoms hear neighbours and cell, then a softmax.

Everything is invariant under rotation (features and distances are), permutation (attention has no order) and choice of
supercell (an average over copies of the same atoms is the same).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from inscape.errors import DataError
from inscape.structure_model.geometry import PAIR_CUTOFF, Geometry, gaussians, pair_window

MAX_NUMBER = 104
"""Elements are embedded by atomic number up to this one."""

N_RADIAL = 24
NEAREST, RADIAL_WIDTH = 0.8, 0.25
"""Gaussians of the distance of a pair: how many, the shortest distance and the width of each, Å."""


@dataclass(frozen=True)
class Atoms:
    """The atoms of a few crystals, one after the other.

    ``features`` (n_atoms, n_features); ``numbers``, ``masses``, and ``crystal``, the crystal that each atom belongs to,
    ascending from 0, each (n_atoms,); ``pairs`` (2, n_pairs) of neighbours, and of each pair the way from the first to
    the second, ``vectors`` (n_pairs, 3), Å, Gaussians of its length, ``radial`` (n_pairs, 24), and its weight,
    ``window`` (n_pairs,). ``sources`` (n_atoms,), the first atom that symmetry takes to each.
    """

    features: Tensor
    numbers: Tensor
    masses: Tensor
    crystal: Tensor
    pairs: Tensor
    vectors: Tensor
    radial: Tensor
    window: Tensor
    sources: Tensor

    @cached_property
    def distinct(self) -> Distinct:
        """The sources alone."""
        own, of, copies = torch.unique(self.sources, return_inverse=True, return_counts=True)
        kept = self.sources[self.pairs[0]] == self.pairs[0]
        few = Atoms(
            self.features[own], self.numbers[own], self.masses[own], self.crystal[own], of[self.pairs[:, kept]],
            self.vectors[kept], self.radial[kept], self.window[kept], torch.arange(len(own)),
        )  # fmt: skip
        return Distinct(few, copies, of)

    @property
    def counts(self) -> Tensor:
        """Atoms of each crystal, shape (n_crystals,)."""
        return torch.bincount(self.crystal)

    def sum(self, values: Tensor) -> Tensor:
        """Sum over the atoms of each crystal: (n_atoms, ...) to (n_crystals, ...)."""
        total = values.new_zeros(len(self.counts), *values.shape[1:])
        return total.index_add(0, self.crystal, values)


@dataclass(frozen=True)
class Distinct:
    """A few atoms of which all are images by symmetry: what is invariant need be computed for these alone.

    The few ``atoms``, with pairs from each to those that its neighbours are images of; ``copies`` (n_few,), how many
    images each has; ``of`` (n_atoms,), which of the few each atom is an image of.
    """

    atoms: Atoms
    copies: Tensor
    of: Tensor


class Trunk(nn.Module):
    """Atoms in, one vector an atom out, shape (n_atoms, width).

    Each of ``depth`` rounds lets an atom hear its neighbours, then all atoms of its cell.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int, width: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.features = nn.Linear(n_features, width)
        self.element = nn.Embedding(MAX_NUMBER, width)
        self.mass = nn.Linear(1, width)
        self.neighbours = nn.ModuleList(NeighbourAttention(width, heads) for _ in range(depth))
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def standardise(self, features: Iterable[Tensor]) -> None:
        """Take mean and spread of the features of all training atoms, given by crystal, each (n_atoms, n_features)."""
        count, total, square = 0, torch.zeros_like(self.mean).double(), torch.zeros_like(self.mean).double()
        for own in features:
            count += len(own)
            total += own.double().sum(dim=0)
            square += own.double().square().sum(dim=0)
        mean = total / count
        self.mean.copy_(mean)
        self.scale.copy_((square / count - mean**2).clamp_min(0).sqrt().clamp_min(1e-3))

    def forward(self, atoms: Atoms) -> Tensor:
        return self.of_distinct(atoms.distinct)[atoms.distinct.of]

    def of_distinct(self, few: Distinct) -> Tensor:
        """Vectors of a few atoms, (n_few, width), which hear the images of each as so many atoms."""
        atoms = few.atoms
        x = ((atoms.features - self.mean) / self.scale).clamp(-8, 8)
        h: Tensor = self.features(self.dropout(x)) + self.element(atoms.numbers)
        h = h + self.mass(atoms.masses.log()[:, None] - 3.5)
        counts = atoms.counts
        start = counts.cumsum(0) - counts
        place = torch.arange(len(h)) - start[atoms.crystal]  # of an atom within its crystal
        weights = h.new_full((len(counts), int(counts.max())), -torch.inf)
        weights[atoms.crystal, place] = few.copies.to(h.dtype).log()
        for hear, block in zip(self.neighbours, self.blocks, strict=True):
            h = block(hear(h, atoms), (atoms.crystal, place), weights)
        out: Tensor = self.norm(h)
        return out


def perceptron(width: int, dropout: float, out: int | None = None) -> nn.Sequential:
    """One hidden layer of twice the width."""
    return nn.Sequential(
        nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, out or width)
    )


class NeighbourAttention(nn.Module):
    """Attention of each atom to its neighbours, knowing their distances; added to what came in.

    The weight of a neighbour falls smoothly to 0 at the cutoff, where neighbours come and go.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.affinity = nn.Linear(N_RADIAL, heads)
        self.gate = nn.Linear(N_RADIAL, width)
        self.mix = nn.Linear(width, width)

    @property
    def outputs(self) -> list[nn.Module]:
        """The layers whose results are added."""
        return [self.mix]

    def forward(self, h: Tensor, atoms: Atoms) -> Tensor:
        n_atoms, width = h.shape
        size = width // self.heads
        first, second = atoms.pairs
        query, key, value = self.query_key_value(self.norm(h)).view(n_atoms, 3, self.heads, size).unbind(1)
        score = (query[first] * key[second]).sum(-1) / math.sqrt(size) + self.affinity(atoms.radial)
        weight = score.clamp(-15, 15).exp() * atoms.window[:, None]
        total = weight.new_zeros(n_atoms, self.heads).index_add(0, first, weight) + 1e-3
        message = value[second] * self.gate(atoms.radial).view(-1, self.heads, size) * weight[..., None]
        heard = message.new_zeros(n_atoms, self.heads, size).index_add(0, first, message) / total[..., None]
        out: Tensor = h + self.mix(heard.flatten(1))
        return out


class Block(nn.Module):
    """Attention between the atoms of each crystal, then a perceptron; both added to what came in."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_perceptron = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.perceptron = perceptron(width, dropout)

    @property
    def outputs(self) -> list[nn.Module]:
        """The layers whose results are added."""
        return [self.mix, self.perceptron[-1]]

    def forward(self, h: Tensor, place: tuple[Tensor, Tensor], weights: Tensor) -> Tensor:
        """Atoms h (n_atoms, width) at ``place`` (crystal, number in it) of a padded table of logarithms of weights."""
        width = h.shape[1]
        asked = self.query_key_value(self.norm_attention(h))
        padded = asked.new_zeros(*weights.shape, 3 * width)
        padded[place] = asked
        split = (*weights.shape, 3, self.heads, width // self.heads)
        query, key, value = padded.view(split).permute(2, 0, 3, 1, 4)
        mask = weights[:, None, None, :].to(query.dtype)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        h = h + self.mix(mixed.permute(0, 2, 1, 3).flatten(2)[place])
        out: Tensor = h + self.perceptron(self.norm_perceptron(h))
        return out


class DosNetwork(nn.Module):
    """Share of each atom's density of states in each energy bin: positive, summing to 1.

    Parameters
    ----------
    n_features, n_energy
        Features of an atom, and energy bins.
    width, depth, heads, dropout
        Of the trunk.
    """

    def __init__(
        self, n_features: int, n_energy: int, width: int = 256, depth: int = 2, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.trunk = Trunk(n_features, width, depth, heads, dropout)
        self.head = perceptron(width, dropout, n_energy)

    def forward(self, atoms: Atoms) -> Tensor:
        """Shares, shape (n_atoms, n_energy)."""
        few = atoms.distinct
        return torch.softmax(self.head(self.trunk.of_distinct(few)), dim=-1)[few.of]


def go_on_from(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a network that may have fewer rounds: those it lacks add nothing at first, so that it predicts the same.

    Raises
    ------
    DataError
        Weights of another shape.
    """
    for name, module in network.named_modules():
        if hasattr(module, "outputs") and not any(key.startswith(f"{name}.") for key in state):
            for layer in module.outputs:
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
            state = {**{f"{name}.{key}": value for key, value in module.state_dict().items()}, **state}
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        raise DataError(f"weights to start from are those of another network: {str(error).splitlines()[-1]}") from error


def gather(features: Sequence[Tensor], geometries: Sequence[Geometry]) -> Atoms:
    """The atoms of several crystals, each given as its features (n_atoms, n_features) and its geometry, as one."""
    counts = torch.tensor([len(g.numbers) for g in geometries])
    starts = (counts.cumsum(0) - counts).tolist()
    vectors = torch.cat([g.vectors for g in geometries])
    distance = vectors.norm(dim=1)
    centres = torch.linspace(NEAREST, PAIR_CUTOFF, N_RADIAL)
    return Atoms(
        features=torch.cat(list(features)),
        numbers=torch.cat([g.numbers for g in geometries]),
        masses=torch.cat([g.masses for g in geometries]),
        crystal=torch.repeat_interleave(torch.arange(len(counts)), counts),
        pairs=torch.cat([g.pairs + start for g, start in zip(geometries, starts, strict=True)], dim=1),
        vectors=vectors,
        radial=gaussians(distance, centres, RADIAL_WIDTH),
        window=torch.cat([pair_window(g) for g in geometries]),
        sources=torch.cat([g.sources + start for g, start in zip(geometries, starts, strict=True)]),
    )
