"""Nequix: a universal interatomic potential in one file, for the forces it gives and for what it knows of each atom.

An equivariant network after NequIP (Batzner et al., Nat. Commun. 13, 2453, 2022) by Koker, Kotak and Smidt,
arXiv:2508.16067 (2025); the weights that ship were fine-tuned on phonons by Koker, Gangan, Kotak, Marian and Smidt,
arXiv:2601.07742 (2026). Written anew in PyTorch; features of atoms are tensors of rank l, of parity (-1)^l, with
2l + 1 components in the order of e3nn, whose polar axis is y.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inscape.errors import WeightsError
from inscape.potentials.harmonics import Ranks, Tensors, paths, ways_between
from inscape.potentials.images import Images
from inscape.training import WEIGHTS, load_weights

CHANNELS = (128, 64, 32, 32)
"""Scalars, vectors, and tensors of ranks 2 and 3 that an atom has in every layer but the last, which has scalars."""

N_LAYERS = 4
CUTOFF = 6.0
"""Atoms up to this distance are neighbours, Å."""

N_BESSEL, HIDDEN = 8, 64
NEIGHBOURS = 39.200198903821516
"""Neighbours of an atom in the mean of the training data, by whose root sums over neighbours are divided."""

SILU = 1.6765324703310907
"""1 over the root mean square of silu of a normal variable, so that activations keep the second moment."""

SAME_DISTANCE = 1e-5
"""Pairs whose distances agree within this, Å, share the functions of the distance."""


def distinct(distance: Tensor) -> tuple[Tensor, Tensor]:
    """The distances that differ, and which of them each is: in a crystal many pairs are equally far apart."""
    rounded, which = torch.unique((distance / SAME_DISTANCE).round(), return_inverse=True)
    return rounded * SAME_DISTANCE, which


def messages(
    sent: Tensors,
    ways: Mapping[Ranks, Tensor],
    share: Mapping[Ranks, Tensor],
    which: Tensor,
    pairs: Tensor,
    n_hearing: int,
) -> Tensors:
    """What each atom hears: sums of its neighbours' features, by rank, the channels of all paths side by side.

    Parameters
    ----------
    sent
        Features of all atoms that are heard.
    ways
        From `ways_between`, of each pair.
    share
        By the path, sorted by the rank of its message, the weight of each channel at each distance,
        (n_distances, channels).
    which
        Which of the distances is that of each pair, (n_pairs,).
    pairs
        Atoms that hear, of ``n_hearing``, and atoms that are heard, shape (2, n_pairs).
    """
    hearing, heard = pairs
    found: dict[Ranks, Tensor] = {}
    for rank, part in enumerate(sent):
        own = [path for path in share if path[0] == rank]
        turned = torch.bmm(torch.cat([ways[path] for path in own], dim=1), part.index_select(0, heard))
        found |= dict(zip(own, torch.split(turned, [2 * l3 + 1 for _, _, l3 in own], dim=1), strict=True))
    sums: dict[int, Tensors] = {}
    for path, weight in share.items():
        message = found[path] * weight.index_select(0, which)[:, None]
        total = message.new_zeros(n_hearing, *message.shape[1:]).index_add(0, hearing, message)
        sums.setdefault(path[2], []).append(total)
    return [torch.cat(parts, dim=2) for parts in sums.values()]


def bessel_functions(distance: Tensor) -> Tensor:
    """Eight Bessel functions of distances (n,), brought smoothly to 0 at the cutoff, shape (n, 8).

    Gasteiger, Groß and Günnemann, arXiv:2003.03123, eqs. 7 and 8, p = 6.
    """
    x = (distance / CUTOFF)[:, None]
    order = torch.arange(1, N_BESSEL + 1, dtype=x.dtype)
    envelope = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
    return 2 * torch.pi / CUTOFF**2 * order * torch.sinc(order * x) * envelope * (x < 1)


class Linear(nn.Module):
    """The channels of each rank are mixed by a matrix: (n, 2l + 1, inputs) to (n, 2l + 1, outputs)."""

    def __init__(self, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.zeros(i, o) for i, o in zip(inputs, outputs, strict=False))

    def forward(self, x: Tensors) -> Tensors:
        return [part @ (weight / math.sqrt(len(weight))) for part, weight in zip(x, self.weights, strict=False)]


class Convolution(nn.Module):
    """Each atom hears its neighbours: their features, times harmonics of the way and functions of the distance."""

    def __init__(self, n_species: int, *, first: bool, last: bool) -> None:
        super().__init__()
        before = (n_species,) if first else CHANNELS
        self.after = CHANNELS[:1] if last else CHANNELS
        wide = (sum(self.after), *self.after[1:])  # scalars, and a gate for every tensor
        self.paths = paths(first=first, last=last)
        self.split = [before[l1] for l1, _, _ in self.paths]
        heard = tuple(sum(before[l1] for l1, _, l3 in self.paths if l3 == rank) for rank in range(len(self.after)))
        sizes = (N_BESSEL, HIDDEN, HIDDEN, sum(self.split))
        self.radial = nn.ParameterList(torch.zeros(i, o) for i, o in pairwise(sizes))
        self.send = Linear(before, before)
        self.hear = Linear(heard, wide)
        self.skip = Linear(before, wide)
        self.scale = nn.ParameterList(torch.ones(count) for count in wide)

    def forward(
        self,
        x: Tensors,
        ways: Mapping[Ranks, Tensor],
        basis: Tensor,
        which: Tensor,
        pairs: Tensor,
        images: Images | None = None,
    ) -> Tensors:
        """Features x of all atoms, or of those that the others are ``images`` of, after they have heard each other.

        Parameters
        ----------
        basis
            Functions of distances (n_distances, 8).
        ways, which, pairs
            Of `messages`.
        """
        first, second, third = self.radial
        weights = functional.silu(functional.silu(basis @ first) @ second) @ third
        share = dict(zip(self.paths, torch.split(weights, self.split, dim=1), strict=True))
        sent = self.send(x)
        heard = messages(images(sent) if images else sent, ways, share, which, pairs, len(x[0]))
        new = self.hear([part / math.sqrt(NEIGHBOURS) for part in heard])
        for rank, part in enumerate(self.skip(x)):
            new[rank] = new[rank] + part
        return self._gate(self._normalise(new))

    def _normalise(self, x: Tensors) -> Tensors:
        """Features of an atom over the root mean square of all of them, times a scale of each channel."""
        square = torch.stack([part.square().mean(dim=1).sum(dim=1) / part.shape[1] for part in x]).mean(dim=0)
        factor = (square + 1e-12).rsqrt()[:, None, None]
        return [part * factor * scale for part, scale in zip(x, self.scale, strict=True)]

    def _gate(self, x: Tensors) -> Tensors:
        """Scalars through silu; tensors times silu of a scalar of their own."""
        own, *gates = torch.split(SILU * functional.silu(x[0]), list(self.after), dim=2)
        return [own, *(part * gate for part, gate in zip(x[1:], gates, strict=True))]


class Nequix(nn.Module):
    """Features of atoms, layer after layer, and their energies.

    Parameters
    ----------
    n_species
        Elements known; ``numbers`` says which.
    """

    numbers: Tensor
    atom_energies: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, n_species: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Convolution(n_species, first=layer == 0, last=layer == N_LAYERS - 1) for layer in range(N_LAYERS)
        )
        self.readout = nn.Parameter(torch.zeros(CHANNELS[0]))
        self.register_buffer("numbers", torch.zeros(n_species, dtype=torch.int64))
        self.register_buffer("atom_energies", torch.zeros(n_species))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))

    def species(self, numbers: Tensor) -> Tensor:
        """Which of the elements known each atom is, -1 for none."""
        place = torch.full((int(max(self.numbers.max(), numbers.max())) + 1,), -1)
        place[self.numbers] = torch.arange(len(self.numbers))
        return place[numbers]

    def forward(
        self, species: Tensor, pairs: Tensor, vectors: Tensor, images: Images | None = None
    ) -> list[Tensors]:
        """Features after each of the four layers.

        Parameters
        ----------
        species
            Of each atom, shape (n_atoms,).
        pairs, vectors
            Ordered pairs of atoms within 6 Å, shape (2, n_pairs), and the way from the first to the second, Å,
            (n_pairs, 3). If it has a gradient, features have one.
        images
            Where symmetry makes all atoms of a few: ``species`` and features are of these few, first atoms of pairs
            are counted among them, second ones among all.
        """
        distance = vectors.norm(dim=1)
        ways = ways_between(vectors / distance[:, None], paths())
        which = torch.arange(len(distance))
        if not vectors.requires_grad:
            distance, which = distinct(distance)
        basis = bessel_functions(distance)
        x = [functional.one_hot(species, len(self.numbers)).to(vectors.dtype)[:, None]]
        found = []
        for layer in self.layers:
            x = layer(x, ways, basis, which, pairs, images)
            found.append(x)
        return found

    def energies(self, species: Tensor, pairs: Tensor, vectors: Tensor) -> Tensor:
        """Energy of each atom, eV, shape (n_atoms,)."""
        last = self(species, pairs, vectors)[-1][0][:, 0] @ self.readout / math.sqrt(len(self.readout))
        energies: Tensor = last * self.scale + self.shift + self.atom_energies[species]
        return energies


@dataclass(frozen=True, eq=False)
class Shipped:
    """The model whose weights ship with this package, and the digest of those weights."""

    network: Nequix
    digest: str


@lru_cache(maxsize=1)
@torch.inference_mode(mode=False)  # whoever asks first may not want gradients, others do
def shipped_nequix() -> Shipped:
    """The model fine-tuned on phonons, loaded at first use and kept.

    Raises
    ------
    WeightsError
        The file is missing or damaged.
    """
    tensors, header = load_weights(WEIGHTS / "nequix-oam-1-pft.safetensors", class_name="nequix")
    network = Nequix(len(tensors["numbers"]))
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    return Shipped(network, header.digest)


def read_nqx(path: str | Path) -> Nequix:
    """A model from the authors' file: a line of JSON, then the weights as arrays of NumPy, one after the other.

    Raises
    ------
    WeightsError
        Another file, or a model of another shape than that of the models published in 2026.
    """
    with Path(path).open("rb") as file:
        try:
            config = json.loads(file.readline())
            network = Nequix(len(config["atomic_numbers"]))
            parts = _in_order_of_file(network)
            for target in parts:
                value = torch.from_numpy(np.array(_next_array(file), dtype=np.float32)).squeeze()
                target.data.copy_(value.reshape(target.shape))
        except (ValueError, KeyError, EOFError, RuntimeError) as error:
            raise WeightsError(
                f"{path}: no model of Nequix of the shape known here ({error}); expected one of 128x0e + 64x1o + 32x2e "
                "+ 32x3o and four layers, such as nequix-oam-1-pft.nqx"
            ) from error
    network.numbers.copy_(torch.tensor(config["atomic_numbers"]))
    network.scale.fill_(config["scale"])
    network.shift.fill_(config["shift"])
    return network


def _in_order_of_file(network: Nequix) -> list[Tensor]:
    found = [network.atom_energies]
    for layer in network.layers:
        assert isinstance(layer, Convolution)
        for part in (layer.radial, layer.send.weights, layer.hear.weights, layer.skip.weights, layer.scale):
            found += list(part)
    return [*found, network.readout]


def _next_array(file: BinaryIO) -> NDArray[np.floating]:
    return np.asarray(np.load(file, allow_pickle=False))
