"""Incoherent scattering of one and two phonons against abinslib, and what the isotropic approximation costs.

    python benchmarks/multiphonon.py ARCHIVE...

First table: relative L1 difference of spectra of single atoms, the largest of all atoms. One phonon at 80 K, in bins
of 0.5 meV; two phonons at 0 K, broadened by 2 meV, for abinslib creates phonons only. Mesh of 8 wave vectors.

Second table: the same measure for all orders from 2 on, whole crystal, with each atom moving alike in all directions,
and with Lebedev's rule of degree 11 in place of 35; then the time of all orders of a powder map of 100 × 300 bins over
that of its coherent one-phonon part, taken turn by turn, the least of three.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from abinslib.almost_isotropic_incoherent import (
    calculate_almost_isotropic_incoherent_combinations,
    calculate_almost_isotropic_incoherent_fundamentals,
)
from abinslib.displacements import Displacements
from abinslib.isotropic_incoherent import calculate_isotropic_incoherent_fundamentals
from euphonic import Crystal, QpointPhononModes, Quantity
from scipy.ndimage import gaussian_filter1d

from inscape.lattice import ForceConstants, Modes, modes_at, modes_on_mesh, read_force_constants
from inscape.scattering import displacements, motion, orders_needed, phonon_orders, powder_map, scattering_lengths
from inscape.spectra import native_energy_edges, native_q_edges

WIDTH, FINE_WIDTH, SIGMA = 0.5, 0.1, 2.0
"""Bins for one phonon and for two, and the broadening of the latter, meV."""


def peer_modes(modes: Modes) -> QpointPhononModes:
    """The same modes as abinslib takes them."""
    c = modes.crystal
    crystal = Crystal(Quantity(c.lattice, "angstrom"), c.positions, np.array(c.symbols), Quantity(c.masses, "amu"))
    return QpointPhononModes(
        crystal, modes.q, Quantity(modes.energies, "meV"), modes.polarisations, weights=modes.weights
    )


def difference(found: Any, expected: Any) -> float:
    """Relative L1 difference."""
    return float(np.abs(found - expected).sum() / expected.sum())


def one_phonon(modes: Modes, q: float, *, isotropic: bool, kelvin: float = 80.0) -> float:
    """Largest difference of an atom's one-phonon spectrum."""
    peer, n_atoms = peer_modes(modes), modes.crystal.n_atoms
    moved = Displacements.from_modes(peer, Quantity(kelvin, "kelvin"), frequency_min=Quantity(0.05, "meV"))
    u, q2 = moved.to_atomic_displacements(), Quantity(np.full(modes.energies.shape, q**2), "1/angstrom**2")
    if isotropic:
        strengths = calculate_isotropic_incoherent_fundamentals(peer, moved.n_plus_one, u, q2)
    else:
        strengths = calculate_almost_isotropic_incoherent_fundamentals(moved, u, q2)
    edges = np.arange(0, modes.energies.max() + 2, WIDTH)
    orders = phonon_orders(modes, edges, kelvin, order=1, isotropic=isotropic)
    worst = 0.0
    for atom, beta in enumerate(n_atoms * np.eye(n_atoms)):
        lines = strengths[..., atom] * modes.weights[:, None]
        expected = np.histogram(modes.energies.ravel(), edges, weights=lines.ravel())[0] / WIDTH
        worst = max(worst, difference(orders.on_grid([q], beta)[0, 0], expected))
    return worst


def two_phonons(modes: Modes, q: float) -> float:
    """Largest difference of an atom's two-phonon spectrum; abinslib counts pairs of different modes twice."""
    peer, n_atoms, energies = peer_modes(modes), modes.crystal.n_atoms, modes.energies
    moved = Displacements.from_modes(peer, Quantity(0.0, "kelvin"), frequency_min=Quantity(0.05, "meV"))
    shape = (*energies.shape, *energies.shape)
    strengths = calculate_almost_isotropic_incoherent_combinations(
        moved, moved.to_atomic_displacements(), Quantity(np.full(shape, q**2), "1/angstrom**2"), include_dw=True
    )
    counted = (1 + np.eye(energies.size).reshape(shape)) / (2 * len(modes.q) ** 2)
    edges = np.arange(0, 2 * energies.max() + 4 * SIGMA, FINE_WIDTH)
    fine = np.linspace(edges[0], edges[-1], 4 * (len(edges) - 1) + 1)
    both = (energies[:, :, None, None] + energies).ravel()
    orders = phonon_orders(modes, edges, 0.0, order=2, step=FINE_WIDTH)
    worst = 0.0
    for atom, beta in enumerate(n_atoms * np.eye(n_atoms)):
        found = gaussian_filter1d(orders.on_grid([q], beta)[1, 0], SIGMA / FINE_WIDTH, mode="constant")
        lines = np.histogram(both, fine, weights=(strengths[..., atom] * counted).ravel())[0] * 4 / FINE_WIDTH
        broadened = gaussian_filter1d(lines, 4 * SIGMA / FINE_WIDTH, mode="constant")
        worst = max(worst, difference(found, broadened.reshape(-1, 4).mean(axis=1)))
    return worst


def all_orders(modes: Modes, q: float, kelvin: float, *, degree: int | None) -> Any:
    """Spectrum of all orders from 2 on; isotropic without a degree of Lebedev's rule."""
    order = orders_needed(q**2 * np.linalg.eigvalsh(displacements(modes, kelvin)).max(), 1e-4)
    edges = np.linspace(0, 3 * modes.energies.max(), 301)
    kept, motion.LEBEDEV_DEGREE = motion.LEBEDEV_DEGREE, degree or motion.LEBEDEV_DEGREE
    orders = phonon_orders(modes, edges, kelvin, order=max(order, 2), isotropic=degree is None)
    motion.LEBEDEV_DEGREE = kept
    beta = scattering_lengths(modes.crystal).square("coherent-plus-incoherent")
    return orders.on_grid([q], beta)[1:, 0].sum(axis=0)


def seconds(tasks: list[Callable[[], Any]]) -> list[float]:
    """Least time of three of each task, taken turn by turn."""
    times = np.full((3, len(tasks)), np.inf)
    for row in times:
        for column, task in enumerate(tasks):
            start = time.perf_counter()
            task()
            row[column] = time.perf_counter() - start
    return [float(t) for t in times.min(axis=0)]


def time_ratio(constants: ForceConstants, modes: Modes, kelvin: float) -> tuple[int, float]:
    """Orders that matter up to 10 1/Å, and the time of all of them over that of the coherent map."""
    crystal = constants.crystal
    lengths, u, edges = scattering_lengths(crystal), displacements(modes, kelvin), native_energy_edges()
    order = orders_needed(100 * np.linalg.eigvalsh(u).max(), 1e-4)
    beta, q = lengths.square("coherent-plus-incoherent"), np.linspace(0.05, 9.95, 100)
    many, single = seconds(
        [
            lambda: phonon_orders(modes, edges, kelvin, order=order).on_grid(q, beta),
            lambda: powder_map(constants, modes, native_q_edges(), edges, lengths, u),
        ]
    )
    return order, many / single


def main() -> None:
    """Print both tables."""
    warnings.simplefilter("ignore")
    grid = (np.arange(2) + 0.5) / 2
    points = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    crystals = [read_force_constants(path) for path in sys.argv[1:]]
    write = sys.stdout.write
    write("| crystal | atoms | isotropic, 3 1/Å | almost, 1 | almost, 3 | almost, 5 | two phonons, 1 | 3 |\n")
    write("|---|---|---|---|---|---|---|---|\n")
    for constants in crystals:
        modes = modes_at(constants, points)
        values = [one_phonon(modes, 3.0, isotropic=True)]
        values += [one_phonon(modes, q, isotropic=False) for q in (1.0, 3.0, 5.0)]
        values += [two_phonons(modes, q) for q in (1.0, 3.0)]
        cells = " | ".join(f"{value:.2%}" for value in values)
        write(f"| {modes.crystal.formula} | {modes.crystal.n_atoms} | {cells} |\n")
    write("\n| crystal | isotropic, 3 1/Å, 10 K | 10 1/Å, 10 K | degree 11, 10 1/Å, 300 K | orders | time |\n")
    write("|---|---|---|---|---|---|\n")
    for constants in crystals:
        modes = modes_on_mesh(constants, 0.3)
        errors = [
            difference(all_orders(modes, q, kelvin, degree=degree), all_orders(modes, q, kelvin, degree=35))
            for q, kelvin, degree in ((3.0, 10.0, None), (10.0, 10.0, None), (10.0, 300.0, 11))
        ]
        order, ratio = time_ratio(constants, modes, 300.0)
        cells = " | ".join(f"{error:.2%}" for error in errors)
        write(f"| {modes.crystal.formula} | {cells} | {order} | {ratio:.2f} |\n")


if __name__ == "__main__":
    main()
