"""What is known exactly of a crystal at a wave vector, before anything is learned: phases, neighbours, nearest G."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inscape.potentials import neighbours
from inscape.scattering import scattering_lengths
from inscape.structures import Crystal

PAIR_CUTOFF = 5.0
"""Pairs of atoms up to this distance, Å, enter the features of a wave vector."""


@dataclass(frozen=True)
class Geometry:
    """A crystal as tensors.

    ``positions`` (n_atoms, 3) Å; ``numbers``, ``masses``, ``lengths`` b (n_atoms,); ``pairs`` (2, n_pairs) with
    ``vectors`` (n_pairs, 3) Å; ``reciprocal`` (3, 3) 1/Å; ``sources`` (n_atoms,), the first atom that symmetry takes to
    each.
    """

    positions: Tensor
    numbers: Tensor
    masses: Tensor
    lengths: Tensor
    pairs: Tensor
    vectors: Tensor
    reciprocal: Tensor
    sources: Tensor

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The tensors as arrays by name."""
        return {field.name: getattr(self, field.name).numpy() for field in fields(self)}

    @property
    def weights(self) -> Tensor:
        """Share of each atom in the self part, b²/M over its sum, shape (n_atoms,)."""
        weight = self.lengths**2 / self.masses
        return weight / weight.sum()


def geometry(crystal: Crystal) -> Geometry:
    """The tensors of a crystal, in single precision."""
    pairs, vectors = neighbours(crystal, PAIR_CUTOFF)
    return Geometry(
        positions=_tensor(crystal.positions @ crystal.lattice),
        numbers=torch.from_numpy(np.array(crystal.numbers, dtype=np.int64)),
        masses=_tensor(crystal.masses),
        lengths=_tensor(scattering_lengths(crystal).coherent),
        pairs=torch.from_numpy(pairs),
        vectors=_tensor(vectors),
        reciprocal=_tensor(crystal.reciprocal),
        sources=torch.from_numpy(crystal.operations.permutations.min(axis=0).astype(np.int64)),
    )


def _tensor(values: NDArray[np.floating]) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)


def gaussians(distance: Tensor, centres: Tensor, width: float) -> Tensor:
    """exp(−((d − c)/w)²) of distances (n,) about centres (m,), shape (n, m).

    What is next to nothing is 0: numbers below 1e-38, which single precision holds by another form, make products of
    matrices fifty times slower.
    """
    return functional.threshold(torch.exp(-(((distance[:, None] - centres) / width) ** 2)), 1e-30, 0.0)


def pair_window(g: Geometry) -> Tensor:
    """Weight of each pair, from 1 at no distance smoothly to 0 at `PAIR_CUTOFF`, shape (n_pairs,)."""
    return 0.5 * (1 + torch.cos(torch.pi * (g.vectors.norm(dim=1) / PAIR_CUTOFF).clamp(max=1)))


N_NEAREST = 4
SHARING = 0.1
"""Reciprocal-lattice vectors that are about equally near share a wave vector; "about": radii of the Brillouin zone."""


@dataclass(frozen=True)
class Nearest:
    """The reciprocal-lattice vectors G nearest to each wave vector, and how much each counts.

    ``vectors`` (n_q, 4, 3) 1/Å; ``share`` (n_q, 4), 1 for the nearest and 0 for the others but where several are about
    equally near, so that nothing depends on which of them rounding prefers; ``distance`` (n_q,) of the nearest, 1/Å,
    and over the ``zone``'s radius.
    """

    vectors: Tensor
    share: Tensor
    distance: Tensor
    zone: Tensor


def nearest_lattice_vectors(g: Geometry, q: Tensor) -> Nearest:
    """The four nearest reciprocal-lattice vectors of wave vectors q (n_q, 3)."""
    fractional = q @ torch.linalg.inv(g.reciprocal)
    candidates = (fractional.round()[:, None] + torch.cartesian_prod(*(torch.arange(-1.0, 2.0),) * 3)) @ g.reciprocal
    square, order = (q[:, None] - candidates).square().sum(dim=-1).topk(N_NEAREST, largest=False)
    zone = (g.reciprocal.det().abs() * 3 / (4 * torch.pi)) ** (1 / 3)
    share = torch.softmax(-square / (SHARING * zone) ** 2, dim=1)
    vectors = candidates.gather(1, order[..., None].expand(-1, -1, 3))
    return Nearest(vectors, share, square[:, 0].clamp_min(0).sqrt(), zone)


def structure_factors(g: Geometry, amplitudes: Tensor, near: Nearest, waves: Tensor) -> Tensor:
    """|Σ_d a_d exp(iQ·r_d)|² over Σ_d b_d²/M_d for amplitudes a (n_atoms, n): as it is between the pairs within the
    cutoff at Q, and of all atoms at the nearest G; shape (n_q, 2, n).

    Away from a reciprocal-lattice vector the sum over all atoms of a cell would depend on where the cell is cut out of
    the crystal; pairs and G do not.

    Parameters
    ----------
    waves
        cos(Q·r) of the pairs, shape (n_q, n_pairs).
    """
    products = amplitudes[g.pairs[0]] * amplitudes[g.pairs[1]] * pair_window(g)[:, None]
    at_q = amplitudes.square().sum(dim=0) + waves @ products
    angle = near.vectors @ g.positions.T
    square = (angle.cos() @ amplitudes) ** 2 + (angle.sin() @ amplitudes) ** 2
    at_g = (near.share[..., None] * square).sum(dim=1)
    return torch.stack([at_q, at_g], dim=1) / (g.lengths**2 / g.masses).sum()


N_FIXED = 8
"""Numbers of a wave vector from `fixed_features`."""


def fixed_features(g: Geometry, q: Tensor, near: Nearest, in_phase: Tensor) -> Tensor:
    """Eight numbers of each wave vector that need nothing learned, shape (n_q, 8).

    |Q|, its logarithm; distance to the nearest reciprocal-lattice vector G, as it is and over the radius of the
    Brillouin zone; the square of the cosine between that step and Q (longitudinal: 1); how much of the self part
    in-phase motion of all atoms takes, |Σ b exp(iQ·r)|²/(ΣM Σb²/M), at Q and at G; the step's wavelength in
    cells.

    Parameters
    ----------
    in_phase
        `structure_factors` of amplitudes b, shape (n_q, 2).
    """
    modulus = q.norm(dim=1)
    steps = q[:, None] - near.vectors
    cosine = (steps * q[:, None]).sum(-1) / (steps.norm(dim=-1) * modulus[:, None]).clamp_min(1e-6)
    along = (near.share * cosine**2).sum(dim=1)
    together = in_phase / g.masses.sum()
    return torch.stack(
        [
            modulus / 5, (modulus + 0.1).log(), near.distance, near.distance / near.zone, along,
            together[:, 0], together[:, 1], near.distance * len(g.masses) ** (1 / 3),
        ],
        dim=1,
    )  # fmt: skip


N_INTERFERENCE = 2


def interference(g: Geometry, q: Tensor) -> Tensor:
    """Powder interference Σ w_i w_j sin(Qr)/(Qr) over pairs within 5 Å, over Σ w²; for w = b and b/M, shape (n_q, 2).

    Pairs beyond the cutoff are left out smoothly.
    """
    r = g.vectors.norm(dim=1)
    waves = torch.sinc(q[:, None] * r / torch.pi) * pair_window(g)
    found = []
    for w in (g.lengths, g.lengths / g.masses):
        found.append(waves @ (w[g.pairs[0]] * w[g.pairs[1]]) / (w**2).sum())
    return torch.stack(found, dim=1)
