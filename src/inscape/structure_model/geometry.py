"""What is known exactly of a crystal at a wave vector, before anything is learned: phases, neighbours, nearest G."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inscape.potentials import neighbours
from inscape.scattering import scattering_lengths
from inscape.structures import Crystal

PAIR_CUTOFF = 5.0
"""Pairs of atoms up to this distance, Å, enter the features of a wave vector."""


@dataclass(frozen=True)
class Geometry:
    """A crystal as tensors, in its `standard_frame`.

    ``positions`` (n_atoms, 3) Å; ``numbers``, ``masses``, ``lengths`` b (n_atoms,); ``pairs`` (2, n_pairs) with
    ``vectors`` (n_pairs, 3) Å; ``reciprocal`` (3, 3) 1/Å.
    """

    positions: Tensor
    numbers: Tensor
    masses: Tensor
    lengths: Tensor
    pairs: Tensor
    vectors: Tensor
    reciprocal: Tensor

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The tensors as arrays by name."""
        return {field.name: getattr(self, field.name).numpy() for field in fields(self)}

    @property
    def weights(self) -> Tensor:
        """Share of each atom in the self part, b²/M over its sum, shape (n_atoms,)."""
        weight = self.lengths**2 / self.masses
        return weight / weight.sum()


def standard_frame(crystal: Crystal) -> NDArray[np.float64]:
    """Rotation into the frame with the conventional a along x and b in the x–y plane, shape (3, 3): v' = v @ R.T."""
    a, b, _ = crystal.conventional_lattice
    x = a / np.linalg.norm(a)
    z = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    return np.stack([x, np.cross(z, x), z])


def geometry(crystal: Crystal) -> Geometry:
    """The tensors of a crystal in its standard frame, single precision: however it was turned, they are the same."""
    pairs, vectors = neighbours(crystal, PAIR_CUTOFF)
    turn = standard_frame(crystal).T
    return Geometry(
        positions=_tensor(crystal.positions @ crystal.lattice @ turn),
        numbers=torch.from_numpy(np.array(crystal.numbers, dtype=np.int64)),
        masses=_tensor(crystal.masses),
        lengths=_tensor(scattering_lengths(crystal).coherent),
        pairs=torch.from_numpy(pairs),
        vectors=_tensor(vectors @ turn),
        reciprocal=_tensor(crystal.reciprocal @ turn),
    )


def _tensor(values: NDArray[np.floating]) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)


N_FIXED = 8
"""Numbers of a wave vector from `fixed_features`."""


def fixed_features(g: Geometry, q: Tensor) -> Tensor:
    """Eight numbers of each wave vector that need nothing learned, shape (n_q, 8).

    |Q|, its logarithm; distance to the nearest reciprocal-lattice vector G, as it is and over the radius of the
    Brillouin zone; the square of the cosine between that step and Q (longitudinal: 1); and how much of the self part
    in-phase motion of all atoms takes, |Σ b exp(iQ·r)|²/(ΣM Σb²/M), at Q and at G; the step's wavelength in cells.
    """
    modulus = q.norm(dim=1)
    fractional = q @ torch.linalg.inv(g.reciprocal)
    offsets = torch.cartesian_prod(*(torch.arange(-1.0, 2.0),) * 3)
    candidates = fractional.round()[:, None] + offsets
    steps = (fractional[:, None] - candidates) @ g.reciprocal
    nearest = steps.norm(dim=-1).argmin(dim=1)
    rows = torch.arange(len(q))
    step, lattice_vector = steps[rows, nearest], candidates[rows, nearest] @ g.reciprocal
    distance = step.norm(dim=1)
    zone = (g.reciprocal.det().abs() * 3 / (4 * torch.pi)) ** (1 / 3)
    along = ((step * q).sum(1) / (distance * modulus).clamp_min(1e-6)) ** 2
    norm = g.masses.sum() * (g.lengths**2 / g.masses).sum()

    def in_phase(vectors: Tensor) -> Tensor:
        phase = vectors @ g.positions.T
        return ((phase.cos() @ g.lengths) ** 2 + (phase.sin() @ g.lengths) ** 2) / norm

    return torch.stack(
        [
            modulus / 5, (modulus + 0.1).log(), distance, distance / zone, along,
            in_phase(q), in_phase(lattice_vector), distance * len(g.masses) ** (1 / 3),
        ],
        dim=1,
    )  # fmt: skip


N_INTERFERENCE = 2


def interference(g: Geometry, q: Tensor) -> Tensor:
    """Powder interference Σ w_i w_j sin(Qr)/(Qr) over pairs within 5 Å, over Σ w²; for w = b and b/M, shape (n_q, 2).

    Pairs beyond the cutoff are left out smoothly.
    """
    r = g.vectors.norm(dim=1)
    window = 0.5 * (1 + torch.cos(torch.pi * (r / PAIR_CUTOFF).clamp(max=1)))
    waves = torch.sinc(q[:, None] * r / torch.pi) * window
    found = []
    for w in (g.lengths, g.lengths / g.masses):
        found.append(waves @ (w[g.pairs[0]] * w[g.pairs[1]]) / (w**2).sum())
    return torch.stack(found, dim=1)
