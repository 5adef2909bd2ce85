"""Powder maps against Euphonic's: how much faster at equal error.

    OMP_NUM_THREADS=1 python benchmarks/powder_speed.py [--points N,N,...] ARCHIVE...

Both compute the coherent one-phonon map at 10 K on the same grid, |Q| from 0 to 8 1/Å in steps of 0.1 and bins of
0.5 meV. Euphonic goes the way of ``euphonic-powder-map``: `sample_sphere_structure_factor` for each |Q| with golden
sampling, the Debye–Waller factor computed once on a mesh of 0.2 1/Å. inscape computes modes on a mesh, displacements
and `powder_map`. The error of a map is its relative L2 distance, after smoothing by 1 meV and 0.05 1/Å, from a map of
the same code sampled ten times as densely. Times are processor times of one thread, of everything after the force
constants are read; the two codes take turns. Between two settings a time is interpolated in the logarithms.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from euphonic import ForceConstants as EuphonicConstants
from euphonic import ureg
from euphonic.powder import sample_sphere_structure_factor
from euphonic.util import mp_grid
from euphonic_peer import euphonic_constants, lengths_table
from scipy.ndimage import gaussian_filter1d

from inscape.lattice import ForceConstants, modes_on_mesh, read_force_constants
from inscape.scattering import displacements, powder_map, scattering_lengths
from inscape.spectra import centres, uniform_edges

KELVIN = 10.0
Q_EDGES = np.linspace(0.0, 8.0, 81)
ENERGY_STEP = 0.5
SETTINGS = ((0.4, 20), (0.3, 40), (0.25, 80), (0.2, 150), (0.15, 300), (0.12, 600), (0.1, 1200))
"""Mesh spacing, 1/Å, and wave vectors a shell."""

Array = np.ndarray
Point = tuple[float, float]


def theirs(peer: EuphonicConstants, points: int, energy_edges: Array, table: dict[str, object]) -> Array:
    """Euphonic's map, times E as inscape's are held."""
    kelvin = KELVIN * ureg.K
    mesh = mp_grid(peer.crystal.get_mp_grid_spec(0.2 / ureg.angstrom))
    damping = peer.calculate_qpoint_phonon_modes(mesh, asr="reciprocal").calculate_debye_waller(kelvin)
    rows = []
    for q in centres(Q_EDGES):
        spectrum = sample_sphere_structure_factor(
            peer, q / ureg.angstrom, dw=damping, temperature=kelvin, npts=points, sampling="golden",
            energy_bins=energy_edges * ureg.meV, scattering_lengths=table, asr="reciprocal",
        )  # fmt: skip
        rows.append(spectrum.y_data.to("barn/meV").magnitude)
    return np.array(rows) * centres(energy_edges)


def ours(constants: ForceConstants, spacing: float, per_shell: int, energy_edges: Array) -> Array:
    """The map of inscape."""
    modes = modes_on_mesh(constants, spacing)
    tensors = displacements(modes, KELVIN)
    lengths = scattering_lengths(constants.crystal)
    return powder_map(constants, modes, Q_EDGES, energy_edges, lengths, tensors, per_shell=per_shell)


def smoothed(values: Array) -> Array:
    """By 1 meV and 0.05 1/Å."""
    along_energy = gaussian_filter1d(values, 1.0 / ENERGY_STEP, axis=1)
    return gaussian_filter1d(along_energy, 0.05 / (Q_EDGES[1] - Q_EDGES[0]), axis=0)


def distance(values: Array, reference: Array) -> float:
    """Relative L2 after smoothing."""
    one, other = smoothed(values), smoothed(reference)
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def timed(task: Callable[[], Array]) -> tuple[float, Array]:
    """Processor time and result."""
    start = time.process_time()
    values = task()
    return time.process_time() - start, values


def time_at(error: float, points: list[Point]) -> tuple[float, str]:
    """Time that a code needs for an error, and a sign where it is only a bound."""
    best: list[Point] = []
    for found, seconds in sorted(points, reverse=True):  # from the largest error on, the cheapest settings only
        while best and best[-1][1] >= seconds:
            best.pop()
        best.append((found, seconds))
    if error >= best[0][0]:
        return best[0][1], "≤ "
    if error < best[-1][0]:
        return best[-1][1], "> "
    errors, seconds = np.log(np.array(best)).T
    return float(np.exp(np.interp(np.log(error), errors[::-1], seconds[::-1]))), ""


def compare(path: str, counts: list[int]) -> None:
    """Print the points of both codes and the ratios."""
    constants = read_force_constants(path)
    crystal = constants.crystal
    table = lengths_table(crystal, scattering_lengths(crystal))
    highest = modes_on_mesh(constants, 0.5).energies.max()
    energy_edges = uniform_edges(1.05 * highest + 4, ENERGY_STEP)
    peer = euphonic_constants(constants)

    dense = theirs(peer, 10 * max(counts), energy_edges, table)
    finest, most = SETTINGS[-1]
    reference = ours(constants, finest / 10 ** (1 / 3), 10 * most, energy_edges)
    mine: list[Point] = []
    other: list[tuple[int, float, float]] = []
    for turn, (spacing, per_shell) in enumerate(SETTINGS):
        seconds, values = timed(lambda s=spacing, n=per_shell: ours(constants, s, n, energy_edges))
        mine.append((distance(values, reference), seconds))
        if turn < len(counts):
            seconds, values = timed(lambda n=counts[turn]: theirs(peer, n, energy_edges, table))
            other.append((counts[turn], distance(values, dense), seconds))
    born = "with Born charges" if constants.has_born else "without Born charges"
    apart = distance(reference, dense)
    print(f"{crystal.formula}, {crystal.n_atoms} atoms, {born}; the two references are {apart:.3f} apart")
    listed = ", ".join(f"{e:.3f} in {t:.3f} s" for e, t in mine)
    print(f"  inscape: {listed}")
    for points, error, seconds in other:
        own, sign = time_at(error, mine)
        print(
            f"| {crystal.formula} | {crystal.n_atoms} | {points} | {error:.3f} | {seconds:.2f} s | {sign}{own:.3f} s "
            f"| {seconds / own:.0f} |",
            flush=True,
        )


def main() -> None:
    """Compare each crystal."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+")
    parser.add_argument("--points", default="30,100,300", help="wave vectors a sphere for Euphonic")
    options = parser.parse_args()
    print("| crystal | atoms | Euphonic's points | error | Euphonic | inscape, same error | ratio |")
    print("|---|---|---|---|---|---|---|")
    for path in options.archives:
        compare(path, [int(n) for n in options.points.split(",")])


if __name__ == "__main__":
    main()
