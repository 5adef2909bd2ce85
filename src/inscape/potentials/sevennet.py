"""SevenNet-l3i5: what a universal interatomic potential knows of each atom, as features for models of our own.

Park et al., J. Chem. Theory Comput. 20, 4857 (2024). The weights lie in the ``sevenn`` wheel, which loads them through
pickle: the one file of that kind that inscape opens. They were trained on structures, energies and forces (not phonons)
of the Materials Project, among them most crystals of the phonon database.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from ase import Atoms
from matscipy.neighbours import neighbour_list
from numpy.typing import NDArray

from inscape.errors import StructureError
from inscape.structures import Crystal

CHANNELS = ((128, 1), (64, 3), (32, 5), (32, 7))
"""A layer's scalars, vectors, tensors of rank 2 and of rank 3: how many, and of how many components each."""

N_FEATURES = 3 * sum(count for count, _ in CHANNELS) + CHANNELS[0][0]
"""Features of an atom: of layers 2–4 scalars, norms of vectors and of tensors; of layer 5 scalars."""

MOST_EDGES = 60_000
"""Neighbour pairs computed at a time; bounds memory."""


def neighbours(crystal: Crystal, cutoff: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Ordered pairs of atoms up to a distance, and the vectors from the first to the second.

    Returns
    -------
    pairs
        Shape (2, n_pairs), indices of atoms.
    vectors
        Shape (n_pairs, 3), Cartesian, Å.
    """
    atoms = Atoms(crystal.numbers, cell=crystal.lattice, scaled_positions=crystal.positions, pbc=True)
    source, target, vectors = neighbour_list("ijD", atoms, cutoff)
    return np.stack([source, target]).astype(np.int64), vectors


class SevenNetFeatures:
    """Invariant features of atoms from the hidden layers of SevenNet-l3i5; no gradient, no forces.

    The network is loaded at first use and kept.
    """

    checkpoint = "7net-l3i5"

    @cached_property
    def _network(self) -> tuple[Any, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside e3nn and torch.jit
            from sevenn.util import load_checkpoint

            checkpoint = load_checkpoint(self.checkpoint)
            network = checkpoint.build_model()
        network.eval()
        return network, float(checkpoint.config["cutoff"])

    def load(self) -> None:
        """Load the network now rather than at first use."""
        _ = self._network

    def __call__(self, crystals: Sequence[Crystal]) -> list[NDArray[np.float32]]:
        """Features of each crystal, shape (n_atoms, 896).

        Raises
        ------
        StructureError
            An element that the potential does not know.
        """
        found: list[NDArray[np.float32]] = []
        for batch in self._batches(crystals):
            features = self._run(batch)
            sizes = [len(numbers) for numbers, _, _ in batch]
            found += np.split(features, np.cumsum(sizes)[:-1])
        return found

    def _batches(self, crystals: Sequence[Crystal]) -> Iterator[list[tuple[NDArray[Any], ...]]]:
        """Atomic numbers, neighbour pairs and their vectors of a few crystals at a time."""
        _, cutoff = self._network
        batch: list[tuple[NDArray[Any], ...]] = []
        edges = 0
        for crystal in crystals:
            pairs, vectors = neighbours(crystal, cutoff)
            if batch and edges + len(vectors) > MOST_EDGES:
                yield batch
                batch, edges = [], 0
            batch.append((crystal.numbers, pairs, vectors))
            edges += len(vectors)
        if batch:
            yield batch

    @torch.inference_mode()
    def _run(self, batch: list[tuple[NDArray[Any], ...]]) -> NDArray[np.float32]:
        network, _ = self._network
        numbers = torch.from_numpy(np.concatenate([n for n, _, _ in batch]).astype(np.int64))
        species = network.z_to_onehot_tensor[numbers]
        if (species < 0).any():
            unknown = sorted({int(n) for n, s in zip(numbers, species, strict=True) if s < 0})
            raise StructureError(f"SevenNet does not know the elements with atomic numbers {unknown}")
        offsets = np.cumsum([0] + [len(n) for n, _, _ in batch[:-1]])
        data: Any = {
            "x": species,
            "atomic_numbers": numbers,
            "edge_index": torch.from_numpy(
                np.concatenate([pairs + start for (_, pairs, _), start in zip(batch, offsets, strict=True)], axis=1)
            ),
            "edge_vec": torch.from_numpy(np.concatenate([v for _, _, v in batch]).astype(np.float32)),
        }
        layers = []
        for name, module in network.named_children():
            data = module(data)
            if name.endswith("_equivariant_gate") and not name.startswith("0_"):
                layers.append(_invariants(data["x"]))
            if name == "4_equivariant_gate":
                break
        features: NDArray[np.float32] = torch.cat(layers, dim=1).numpy()
        return features


def _invariants(x: torch.Tensor) -> torch.Tensor:
    """Scalars, and the norms of vectors and tensors, of one layer's node features; the last layer has scalars only."""
    parts, start = [], 0
    for count, size in CHANNELS:
        if start < x.shape[1]:
            block = x[:, start : start + count * size]
            parts.append(block if size == 1 else block.reshape(len(x), count, size).norm(dim=-1))
            start += count * size
    return torch.cat(parts, dim=1)
