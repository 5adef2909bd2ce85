"""What a universal interatomic potential knows of each atom, as features for models of our own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inscape.errors import StructureError
from inscape.potentials.neighbour_list import neighbours
from inscape.potentials.nequix import CHANNELS, CUTOFF, shipped_nequix
from inscape.structures import Crystal

N_FEATURES = 3 * sum(CHANNELS) + CHANNELS[0]
"""Invariants of an atom: of the first three layers scalars and norms of tensors; of the last layer scalars."""

TENSOR_LAYERS = (1, 2)
"""Layers whose tensors are features as they are."""

MOST_PAIRS = 60_000
"""Neighbour pairs computed at a time; bounds memory."""


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
        """Features of each crystal.

        Raises
        ------
        StructureError
            An element that the potential does not know.
        """
        found: list[AtomFeatures] = []
        for batch in self._batches(crystals):
            found += _features(batch)
        return found

    def _batches(self, crystals: Sequence[Crystal]) -> Iterator[list[tuple[NDArray[np.integer], Tensor, Tensor]]]:
        """Atomic numbers, neighbour pairs and their vectors of a few crystals at a time."""
        batch: list[tuple[NDArray[np.integer], Tensor, Tensor]] = []
        size = 0
        for crystal in crystals:
            pairs, vectors = neighbours(crystal, CUTOFF)
            if batch and size + len(vectors) > MOST_PAIRS:
                yield batch
                batch, size = [], 0
            batch.append((crystal.numbers, torch.from_numpy(pairs), torch.tensor(vectors, dtype=torch.float32)))
            size += len(vectors)
        if batch:
            yield batch


@torch.inference_mode()
def _features(batch: list[tuple[NDArray[np.integer], Tensor, Tensor]]) -> list[AtomFeatures]:
    network = shipped_nequix().network
    numbers = torch.from_numpy(np.concatenate([n for n, _, _ in batch]).astype(np.int64))
    species = network.species(numbers)
    if (species < 0).any():
        unknown = sorted(set(numbers[species < 0].tolist()))
        raise StructureError(f"Nequix does not know the elements with atomic numbers {unknown}")
    sizes = [len(n) for n, _, _ in batch]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    pairs = torch.cat([own + start for (_, own, _), start in zip(batch, starts, strict=True)], dim=1)
    layers = network(species, pairs, torch.cat([v for _, _, v in batch]))
    invariants = torch.cat([torch.cat([x[0][:, 0], *(part.norm(dim=1) for part in x[1:])], dim=1) for x in layers], 1)
    by_rank = [torch.cat([layers[layer][rank] for layer in TENSOR_LAYERS], dim=2) for rank in (1, 2, 3)]
    split = [torch.split(part, sizes) for part in (invariants, *by_rank)]
    return [AtomFeatures(own, (first, second, third)) for own, first, second, third in zip(*split, strict=True)]
