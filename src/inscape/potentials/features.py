"""What a universal interatomic potential knows of each atom, as features for models of our own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inscape.errors import StructureError
from inscape.potentials.images import Images
from inscape.potentials.neighbour_list import neighbours
from inscape.potentials.nequix import CHANNELS, CUTOFF, shipped_nequix
from inscape.structures import Crystal

N_FEATURES = 3 * sum(CHANNELS) + CHANNELS[0]
"""Invariants of an atom: of the first three layers scalars and norms of tensors; of the last layer scalars."""

TENSOR_LAYERS = (1, 2)
"""Layers whose tensors are features as they are."""

MOST_PAIRS = 2_500
"""Neighbour pairs computed at a time, about: few enough for what is computed of them to stay in a processor's cache."""

SPHERE = 4 / 3 * math.pi * CUTOFF**3
"""Volume in which the neighbours of an atom are, Å³."""


@dataclass(frozen=True, eq=False)
class AtomFeatures:
    """Features of the atoms of one crystal.

    ``invariants`` (n_atoms, 896) stay as they are when the crystal turns. ``tensors`` turn with it: of ranks 1, 2 and
    3, each (n_atoms, 2l + 1, channels), of the layers `TENSOR_LAYERS` side by side.
    """

    invariants: Tensor
    tensors: tuple[Tensor, Tensor, Tensor]


class NequixFeatures:
    """Features of atoms from the hidden layers of Nequix; no gradient, no forces. Loaded at first use and kept."""

    def load(self) -> None:
        """Load the network now rather than at first use."""
        shipped_nequix()

    def __call__(self, crystals: Sequence[Crystal]) -> list[AtomFeatures]:
        """Features of each crystal, computed for one of the atoms that symmetry makes alike and turned for the others.

        Raises
        ------
        StructureError
            An element that the potential does not know.
        """
        found: list[AtomFeatures] = []
        for batch in _batches(crystals):
            found += _features(batch)
        return found


def _batches(crystals: Sequence[Crystal]) -> Iterator[list[Crystal]]:
    """A few crystals at a time."""
    batch: list[Crystal] = []
    size = 0.0
    for crystal in crystals:
        own = crystal.n_atoms**2 / crystal.volume
        if batch and size + own > MOST_PAIRS / SPHERE:
            yield batch
            batch, size = [], 0.0
        batch.append(crystal)
        size += own
    if batch:
        yield batch


@torch.inference_mode()
def _features(crystals: Sequence[Crystal]) -> list[AtomFeatures]:
    network = shipped_nequix().network
    numbers = torch.from_numpy(np.concatenate([c.numbers for c in crystals]).astype(np.int64))
    species = network.species(numbers)
    if (species < 0).any():
        unknown = sorted(set(numbers[species < 0].tolist()))
        raise StructureError(f"Nequix does not know the elements with atomic numbers {unknown}")
    images = Images.by_symmetry(crystals)
    own = torch.full((len(numbers),), -1).index_put((images.sources,), torch.arange(len(images.sources)))
    sizes = [c.n_atoms for c in crystals]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    near = [neighbours(c, CUTOFF) for c in crystals]
    pairs = torch.cat([torch.from_numpy(found + start) for (found, _), start in zip(near, starts, strict=True)], dim=1)
    vectors = torch.tensor(np.concatenate([ways for _, ways in near]), dtype=torch.float32)
    pairs = torch.stack([own[pairs[0]], pairs[1]])
    kept = pairs[0] >= 0
    layers = network(species[images.sources], pairs[:, kept], vectors[kept], images)
    norms = [torch.cat([x[0][:, 0], *(part.norm(dim=1) for part in x[1:])], dim=1) for x in layers]
    invariants = torch.cat(norms, dim=1).index_select(0, images.of)
    tensors = [images(layers[layer])[1:] for layer in TENSOR_LAYERS]
    by_rank = [torch.cat(parts, dim=2) for parts in zip(*tensors, strict=True)]
    split = [torch.split(part, sizes) for part in (invariants, *by_rank)]
    return [AtomFeatures(own, (first, second, third)) for own, first, second, third in zip(*split, strict=True)]
