"""Codes of single-crystal maps: an autoencoder whose decoder is a field over wave vectors.

A map of one plane on one grid is only a view of S(Q,E) in three dimensions. The encoder therefore takes a *set* of
spectra at wave vectors and averages over it; the decoder takes a code and a wave vector and gives ρ(Q,u) there, knowing
of the crystal what its structure says exactly at Q (`inscape.structure_model.geometry`): phases, the nearest
reciprocal-lattice vector, and how much the pattern of scattering phases at Q stretches each bond, weighted with learned
spring constants, and the spectrum of that spring model. Any plane, path or volume can be decoded.

Nothing depends on how the crystal was turned (together with the wave vectors), on the order of atoms, on the origin, or
on which cell was cut out of the crystal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from inscape.structure_model.geometry import (
    N_FIXED,
    PAIR_CUTOFF,
    Geometry,
    fixed_features,
    gaussians,
    nearest_lattice_vectors,
    pair_window,
    structure_factors,
)
from inscape.structure_model.network import Atoms, Trunk

N_RADIAL = 12
N_MOMENTS = 20
"""Chebyshev moments of the learned spring model at each wave vector."""


class Springs(NamedTuple):
    """What is learned of one crystal before any wave vector.

    ``amplitudes`` (n_atoms, n_waves); ``stiffness`` (n_pairs, n_springs), of which the first two are the longitudinal
    and transverse spring constants of the spring model; ``cell`` (width,), the pooled atoms.
    """

    amplitudes: Tensor
    stiffness: Tensor
    cell: Tensor


class FieldNetwork(nn.Module):
    """Encoder, decoder and the prediction of the code from the structure.

    Parameters
    ----------
    n_features, n_levels
        Features of an atom, and bins of u.
    n_components
        Numbers in a code.
    width, depth
        Of the decoder's perceptron.
    n_waves, n_springs
        Learned structure factors, and learned spring models.
    """

    def __init__(
        self,
        n_features: int,
        n_levels: int,
        n_components: int = 32,
        width: int = 256,
        depth: int = 3,
        n_waves: int = 12,
        n_springs: int = 8,
        atom_width: int = 128,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.trunk = Trunk(n_features, atom_width, 1, 4, dropout)
        self.amplitude = nn.Linear(atom_width, n_waves)
        self.pair = nn.Sequential(
            nn.Linear(2 * atom_width + N_RADIAL, 64), nn.GELU(), nn.Linear(64, n_springs), nn.Softplus()
        )
        self.cell = nn.Sequential(nn.Linear(2 * atom_width, width), nn.GELU(), nn.Dropout(dropout))
        self.to_code = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, n_components)
        )
        n_local = N_FIXED + 2 * n_waves + 4 * n_springs + N_MOMENTS
        self.encode_row = nn.Sequential(
            nn.Linear(n_local + n_levels, width), nn.GELU(), nn.Linear(width, width), nn.GELU()
        )
        self.encode_mean = nn.Linear(width, n_components)
        self.local = nn.Linear(n_local, width)
        self.code = nn.Linear(n_components, width)
        self.context = nn.Linear(width, width)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            for _ in range(depth)
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_levels))

    def springs(self, atoms: Atoms, geometries: Sequence[Geometry]) -> list[Springs]:
        """What the structure says of each crystal."""
        h = self.trunk(atoms)
        weights = torch.cat([g.weights for g in geometries])
        pooled = torch.cat([atoms.sum(h) / atoms.counts[:, None], atoms.sum(h * weights[:, None])], dim=1)
        cells = self.cell(pooled)
        amplitudes = self.amplitude(h)
        found = []
        for g, own, amplitude, cell in zip(
            geometries, h.split(atoms.counts.tolist()), amplitudes.split(atoms.counts.tolist()), cells, strict=True
        ):
            first, second = own[g.pairs[0]], own[g.pairs[1]]
            radial = gaussians(g.vectors.norm(dim=1), torch.linspace(1.0, PAIR_CUTOFF, N_RADIAL), 0.4)
            stiffness = self.pair(torch.cat([first + second, first * second, radial], dim=1)) * pair_window(g)[:, None]
            found.append(Springs(amplitude, stiffness, cell))
        return found

    def local_features(self, g: Geometry, springs: Springs, q: Tensor) -> Tensor:
        """Features of wave vectors q (n_q, 3), shape (n_q, n_local)."""
        waves = torch.cos(q @ g.vectors.T)
        near = nearest_lattice_vectors(g, q)
        weighted = springs.amplitudes * (g.lengths * g.masses.rsqrt())[:, None]
        factors = structure_factors(g, torch.cat([g.lengths[:, None], weighted], dim=1), near, waves)
        norm = (g.lengths**2 / g.masses).sum()
        a = g.lengths / g.masses
        first, second = a[g.pairs[0]], a[g.pairs[1]]
        alone = (first**2 + second**2) / norm
        stretch = alone - (2 / norm) * first * second * waves
        unit = g.vectors / g.vectors.norm(dim=1, keepdim=True)
        along = ((q / q.norm(dim=1, keepdim=True).clamp_min(1e-6)) @ unit.T) ** 2
        together = torch.cat([(stretch * along) @ springs.stiffness, stretch @ springs.stiffness], dim=1)
        apart = torch.cat([(alone * along) @ springs.stiffness, (alone @ springs.stiffness).expand(len(q), -1)], dim=1)
        moments = torch.cat([(together + 1e-6).log(), together / (apart + 1e-6)], dim=1)
        spectrum = spring_moments(g, springs.stiffness[:, :2], q)
        fixed = fixed_features(g, q, near, factors[..., 0])
        return torch.cat([fixed, factors[..., 1:].flatten(1), moments, spectrum], dim=1)

    def encode(self, local: Tensor, density: Tensor) -> Tensor:
        """Code of a set of spectra ρ (n_q, n_levels) with their local features, shape (n_components,)."""
        code: Tensor = self.encode_mean(self.encode_row(torch.cat([local, (density + 0.01).log()], dim=1)).mean(dim=0))
        return code

    def predict_code(self, springs: Springs) -> Tensor:
        """Code from the structure, shape (n_components,)."""
        code: Tensor = self.to_code(springs.cell)
        return code

    def decode(self, local: Tensor, springs: Springs, code: Tensor) -> Tensor:
        """Logarithm of ρ/n_levels, shape (n_q, n_levels)."""
        h: Tensor = self.local(local) + self.code(code) + self.context(springs.cell)
        for layer in self.layers:
            h = h + layer(h)
        return functional.log_softmax(self.head(h), dim=-1)


def spring_moments(g: Geometry, stiffness: Tensor, q: Tensor) -> Tensor:
    """Spectrum of a spring model at wave vectors, as Chebyshev moments v·T_n(D)·v/v·v, n = 1 to 20, shape (n_q, 20).

    D(Q) is the dynamical matrix of springs ``stiffness`` (n_pairs, 2), longitudinal and transverse, in the gauge in
    which scattering starts from v_d = b_d/√M_d Q̂; its spectrum is scaled to −1…1 by a bound (Weiße et al., Rev. Mod.
    Phys. 78, 275, 2006). The moments hold what S(Q,E) of the model looks like at a resolution of a few per cent, need
    no diagonalisation, and have gradients everywhere.
    """
    n_atoms, n_q = len(g.masses), len(q)
    unit = g.vectors / g.vectors.norm(dim=1, keepdim=True)
    projector = unit[:, :, None] * unit[:, None, :]
    blocks = stiffness[:, 0, None, None] * projector + stiffness[:, 1, None, None] * (torch.eye(3) - projector)
    root = g.masses.rsqrt()
    own = blocks.new_zeros(n_atoms, 3, 3).index_add(0, g.pairs[0], blocks) * (root**2)[:, None, None]
    bound = 2.0 * own.flatten(1).norm(dim=1).max()  # D ≤ 2 own, for a spring at most doubles
    between = blocks * (root[g.pairs[0]] * root[g.pairs[1]] / bound * 2)[:, None, None]
    where = g.pairs[0] * n_atoms + g.pairs[1]
    angle = g.vectors @ q.T
    flat = between.reshape(-1, 9, 1)
    parts = []
    for wave in (angle.cos(), angle.sin()):
        summed = flat.new_zeros(n_atoms * n_atoms, 9, n_q).index_add(0, where, flat * wave[:, None, :])
        square = summed.view(n_atoms, n_atoms, 3, 3, n_q).permute(4, 0, 2, 1, 3)
        parts.append(square.reshape(n_q, 3 * n_atoms, 3 * n_atoms))
    diagonal = torch.block_diag(*(2 * own / bound - torch.eye(3)))  # type: ignore[no-untyped-call]
    real, imaginary = diagonal - parts[0], -parts[1]
    direction = q / q.norm(dim=1, keepdim=True).clamp_min(1e-6)
    start = ((g.lengths * root)[None, :, None] * direction[:, None, :]).reshape(n_q, -1, 1)
    start = start / start.norm(dim=1, keepdim=True)

    def apply(v: Tensor) -> Tensor:
        """D on vectors whose real and imaginary parts are two columns, shape (n_q, 3 n_atoms, 2)."""
        by_imaginary = imaginary @ v
        product: Tensor = real @ v + torch.stack([-by_imaginary[..., 1], by_imaginary[..., 0]], dim=-1)
        return product

    before = torch.cat([start, torch.zeros_like(start)], dim=2)
    now = apply(before)
    first = before
    moments: list[Tensor] = []
    for n in range(1, N_MOMENTS // 2 + 1):  # two moments from each vector: μ_2n = 2 t·t − 1, μ_2n−1 = 2 t·t' − μ_1
        mean = moments[0] if n > 1 else (now * first).sum(dim=(1, 2))
        moments += [2 * (now * before).sum(dim=(1, 2)) - mean, 2 * (now * now).sum(dim=(1, 2)) - 1]
        before, now = now, 2 * apply(now) - before
    return torch.stack(moments, dim=1)
