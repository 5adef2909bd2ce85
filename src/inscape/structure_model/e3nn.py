"""The reference model: the network of Chen et al. 2021, from elements, masses and neighbours to the density of states.

Chen, Andrejevic, Smidt et al., Adv. Sci. 8, 2004214 (2021), built on e3nn (Geiger and Smidt, arXiv:2207.09453), whose
module ``gate_points_2101`` their published code uses; written anew here, and it needs no potential. Features have the
parity (-1)^l only: with as many layers as here, tensors of the other parity cannot reach scalars that do not change
under inversion, so nothing is lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from inscape.potentials.harmonics import Ranks, Tensors, paths, ways_between
from inscape.potentials.nequix import SILU, distinct, messages
from inscape.structure_model.geometry import Geometry, gaussians
from inscape.structure_model.network import MAX_NUMBER, Atoms

CUTOFF = 4.0
"""Atoms up to this distance are neighbours, Å."""

EMBEDDING = 64
"""Numbers that stand for an element."""

MASS = 50.0
"""Unit of mass, u, in which the numbers of the first layer are of order 1."""

N_BASIS, HIDDEN = 10, 100
"""Gaussians of the distance, and hidden units of the perceptron on them."""

OWN, HEARD = math.sin(math.pi / 8), math.cos(math.pi / 8)
"""Weights of what an atom was and of what it heard."""

SIGMOID = 1.8462
"""1 over the root mean square of the sigmoid of a normal variable."""


@dataclass(frozen=True)
class Surroundings:
    """Atoms near each other, in the order of their elements: arguments of `messages`, and what else layers need.

    ``basis`` (n_distances, 10) and ``window`` (n_distances, 1) at the distances that differ; ``elements`` (n_elements,
    64), the embedding of each, and the ``counts`` of its atoms.
    """

    pairs: Tensor
    ways: Mapping[Ranks, Tensor]
    which: Tensor
    basis: Tensor
    window: Tensor
    elements: Tensor
    counts: list[int]


class Mixing(nn.Module):
    """The channels of each rank are mixed by a matrix that is linear in the embedding of the atom's element."""

    def __init__(self, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        super().__init__()
        self.shapes = list(zip(inputs, outputs, strict=False))
        self.weights = nn.ParameterList(torch.randn(EMBEDDING, i * o) for i, o in self.shapes)

    def forward(self, x: Tensors, around: Surroundings) -> Tensors:
        found = []
        for part, weight, (i, o) in zip(x, self.weights, self.shapes, strict=False):
            matrices = ((around.elements / math.sqrt(EMBEDDING * i)) @ weight).view(-1, i, o)
            atoms = torch.split(part, around.counts)
            found.append(torch.cat([own @ matrix for own, matrix in zip(atoms, matrices.unbind(), strict=True)]))
        return found


class Convolution(nn.Module):
    """Each atom hears its neighbours, and keeps a part of what it was.

    Parameters
    ----------
    before, after
        Channels of each rank.
    lmax
        Highest rank of the spherical harmonics.
    """

    def __init__(self, before: tuple[int, ...], after: tuple[int, ...], lmax: int) -> None:
        super().__init__()
        self.paths = paths(first=len(before) == 1, last=len(after) == 1, lmax=lmax)
        self.split = [before[l1] for l1, _, _ in self.paths]
        heard = tuple(sum(before[l1] for l1, _, l3 in self.paths if l3 == rank) for rank in range(len(after)))
        self.send, self.hear, self.skip = Mixing(before, before), Mixing(heard, after), Mixing(before, after)
        self.hidden = nn.Parameter(torch.randn(N_BASIS, HIDDEN))
        self.radial = nn.Parameter(torch.randn(HIDDEN, sum(self.split)))

    def forward(self, x: Tensors, around: Surroundings, neighbours: Tensor) -> Tensors:
        """Features x of all atoms, after they have heard each other; ``neighbours`` of an atom, in the mean."""
        hidden = SILU * functional.silu(around.basis @ (self.hidden / math.sqrt(N_BASIS)))
        weights = hidden @ (self.radial / math.sqrt(HIDDEN)) * (around.window / neighbours.sqrt())
        share = dict(zip(self.paths, torch.split(weights, self.split, dim=1), strict=True))
        heard = messages(self.send(x, around), around.ways, share, around.which, around.pairs, len(x[0]))
        new = [HEARD * part for part in self.hear(heard, around)]
        for rank, part in enumerate(self.skip(x, around)):
            new[rank] = new[rank] + OWN * part
        return new


class E3nnNetwork(nn.Module):
    """Share of the total density of states in each energy bin: not negative, summing to 1.

    Parameters
    ----------
    n_outputs
        Energy bins.
    width, depth
        Channels of each rank, and gated convolutions; one more without a gate gives the bins.
    lmax
        Highest rank of features and spherical harmonics.
    """

    neighbours: Tensor

    def __init__(self, n_outputs: int, width: int = 32, depth: int = 2, lmax: int = 2) -> None:
        super().__init__()
        self.lmax = lmax
        self.after = (width,) * (lmax + 1)
        wide = (width * (lmax + 1), *self.after[1:])  # scalars, and a gate for every tensor
        inner = [(EMBEDDING,), *[self.after] * depth]
        outer = [*[wide] * depth, (n_outputs,)]
        self.embed = nn.Linear(MAX_NUMBER, EMBEDDING)
        nn.init.normal_(self.embed.weight)
        self.layers = nn.ModuleList(Convolution(*shape, lmax) for shape in zip(inner, outer, strict=True))
        self.register_buffer("neighbours", torch.ones(()))

    def standardise(self, geometries: Iterable[Geometry]) -> None:
        """Take the mean number of neighbours from those of all training crystals."""
        near = atoms = 0
        for g in geometries:
            near += int((g.vectors.norm(dim=1) < CUTOFF).sum())
            atoms += len(g.numbers)
        self.neighbours.fill_(max(near / atoms, 1.0))

    def forward(self, atoms: Atoms) -> Tensor:
        """Shares, shape (n_crystals, n_outputs); the features of ``atoms`` are not read."""
        positive = functional.relu(self.pooled(atoms))
        return positive / positive.sum(dim=1, keepdim=True).clamp_min(1e-9)

    def pooled(self, atoms: Atoms) -> Tensor:
        """What the last convolution gives, mean over atoms, of any sign, shape (n_crystals, n_outputs)."""
        order = atoms.numbers.argsort(stable=True)
        place = order.argsort()
        around = self.surroundings(atoms, place)
        masses = functional.one_hot(atoms.numbers, MAX_NUMBER) * (atoms.masses / MASS)[:, None]
        x: Tensors = [self._embedded(masses[order])[:, None]]
        *gated, last = self.layers
        for layer in gated:
            x = self._gate(layer(x, around, self.neighbours))
        outputs = last(x, around, self.neighbours)[0][:, 0].float()
        return atoms.sum(outputs[place]) / atoms.counts[:, None]

    def surroundings(self, atoms: Atoms, place: Tensor) -> Surroundings:
        """What layers need to know of pairs and elements, with each atom at its ``place`` in the order of elements."""
        with torch.autocast(atoms.vectors.device.type, enabled=False):
            length = atoms.vectors.norm(dim=1)
            near = length < CUTOFF
            length, unit = length[near], atoms.vectors[near] / length[near, None]
            distance, which = distinct(length)
            ways = ways_between(unit, paths(lmax=self.lmax))
        numbers, counts = torch.unique(atoms.numbers, return_counts=True)
        elements = self._embedded(functional.one_hot(numbers, MAX_NUMBER).to(distance.dtype))
        pairs = place[atoms.pairs[:, near]]
        return Surroundings(pairs, ways, which, basis(distance), window(distance), elements, counts.tolist())

    def _embedded(self, one_hot: Tensor) -> Tensor:
        return math.sqrt(2) * functional.relu(self.embed(one_hot))

    def _gate(self, x: Tensors) -> Tensors:
        """Scalars through silu; tensors times the sigmoid of a scalar of their own."""
        own, *gates = torch.split(x[0], list(self.after), dim=2)
        gated = [part * SIGMOID * gate.sigmoid() for part, gate in zip(x[1:], gates, strict=True)]
        return [SILU * functional.silu(own), *gated]


def basis(distance: Tensor) -> Tensor:
    """Ten Gaussians of distances (n,), evenly placed from 0 to the cutoff, with a mean square of about 1, (n, 10)."""
    centres = torch.linspace(0, CUTOFF, N_BASIS)
    return math.sqrt(N_BASIS) / 1.12 * gaussians(distance, centres, float(centres[1]))


def window(distance: Tensor) -> Tensor:
    """Weight of neighbours at distances (n,): 1 up to half the cutoff, then smoothly down to 0 there, (n, 1)."""
    return 0.5 * (1 - torch.cos(2 * torch.pi * (distance / CUTOFF).clamp(0.5, 1)))[:, None]
