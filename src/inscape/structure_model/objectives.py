"""What models are trained on: losses in the terms in which spectra are judged."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inscape.scattering import to_scattering
from inscape.spectra import centres, rebin, smooth, uniform_edges
from inscape.structure_model.network import Atoms
from inscape.thermodynamics import heat_capacity

Array = NDArray[np.floating]

STEP = 0.5
LOWEST = 1.0
"""Cuts are compared above this energy, meV (below lies the elastic line)."""


def cut_kernel(
    partial_dos: Array, weights: Array, edges: Array, n_levels: int, *, temperature: float = 10.0, sigma: float = 1.0
) -> NDArray[np.float32]:
    """Inner products of energy cuts whose ρ is 1 in one level: K with ⟨S, S'⟩ = ρ·K·ρ', shape (n_levels, n_levels).

    S is on 0.5 meV bins above 1 meV, at a temperature and smoothed as in the published figures; weights are the shares
    of the atoms in the self part. The cosine of two cuts then needs no spectra, only their ρ.
    """
    own = weights @ partial_dos
    area = np.concatenate([[0.0], np.cumsum(own * np.diff(edges))])
    top = float(edges[np.searchsorted(area, 0.9995 * area[-1])]) + 5.0
    fine = uniform_edges(min(top, float(edges[-1])), STEP)
    energy = centres(fine)
    below = np.concatenate([[0.0], np.cumsum(rebin(own, edges, fine) * STEP)])
    below /= below[-1]
    levels = np.linspace(0, 1, n_levels + 1)
    inside = np.clip(np.minimum(levels[1:, None], below[1:]) - np.maximum(levels[:-1, None], below[:-1]), 0, None)
    spectra = smooth(to_scattering(inside / STEP, energy, temperature), sigma, STEP)[:, energy > LOWEST]
    kernel = spectra @ spectra.T
    return np.asarray(kernel / np.trace(kernel), dtype=np.float32)


def cut_cosine(p: Tensor, t: Tensor, kernel: Tensor) -> Tensor:
    """Cosine of predicted and true energy cuts from their ρ, shape (..., n_levels) each; kernel (..., L, L)."""
    pk, tk = p @ kernel, t @ kernel
    dot = (pk * t).sum(-1)
    return dot / ((pk * p).sum(-1) * (tk * t).sum(-1)).clamp_min(1e-20).sqrt()


def smoothing_matrix(edges: Array, sigma: float) -> Tensor:
    """Matrix that smooths a density on uneven bins with a Gaussian of ``sigma`` meV, shape (n_energy, n_energy)."""
    c = centres(edges)
    matrix = np.exp(-0.5 * ((c[:, None] - c[None]) / sigma) ** 2) * np.diff(edges) / (np.sqrt(2 * np.pi) * sigma)
    return torch.tensor(matrix, dtype=torch.float32)


HEAT_CAPACITY_WEIGHTS = {30.0: 1.0, 100.0: 1.0, 300.0: 2.0}
"""What an error of C_V at a temperature, K, weighs in the loss, per J mol⁻¹ K⁻¹."""


def heat_capacity_matrix(edges: Array) -> Tensor:
    """Weighted heat capacity of modes that all lie in one bin, shape (n_energy, 3); C_V is linear in shares."""
    ones = np.eye(len(edges) - 1)
    columns = [[w * heat_capacity(one, edges, t) for t, w in HEAT_CAPACITY_WEIGHTS.items()] for one in ones]
    return torch.tensor(np.array(columns), dtype=torch.float32)


def dos_loss(p: Tensor, t: Tensor, atoms: Atoms, widths: Tensor, smoothing: Tensor, heat_capacities: Tensor) -> Tensor:
    """Loss of predicted shares of the density of states, mean over crystals: that of the total (`total_dos_loss`), and
    half of the Wasserstein-1 distance of the atoms.

    Parameters
    ----------
    p, t
        Shares of each atom in each bin, shape (n_atoms, n_energy), summing to 1.
    widths, smoothing, heat_capacities
        Of `total_dos_loss`.
    """
    counts = atoms.counts[:, None]
    by_atom = ((p - t).cumsum(-1).abs() @ widths)[:, None]
    total = total_dos_loss(atoms.sum(p) / counts, atoms.sum(t) / counts, widths, smoothing, heat_capacities)
    return total + 0.5 * (atoms.sum(by_atom) / counts).mean()


def total_dos_loss(p: Tensor, t: Tensor, widths: Tensor, smoothing: Tensor, heat_capacities: Tensor) -> Tensor:
    """Loss of predicted shares of the total density of states, mean over crystals.

    Wasserstein-1 distance, three times the squared error of the smoothed density over its square (1 − R², nearly), and
    the errors of C_V at 30, 100 and 300 K.

    Parameters
    ----------
    p, t
        Shares of each crystal in each bin, shape (n_crystals, n_energy), summing to 1.
    widths
        Of the bins, meV.
    smoothing, heat_capacities
        Of `smoothing_matrix` and `heat_capacity_matrix`.
    """
    difference = p - t
    distance = difference.cumsum(-1).abs() @ widths
    smooth_difference, smooth_true = (difference / widths) @ smoothing.T, (t / widths) @ smoothing.T
    residual = (smooth_difference**2 @ widths) / (smooth_true**2 @ widths)
    heat = (difference @ heat_capacities).abs().sum(-1)
    return (distance + 3 * residual + heat).mean()
