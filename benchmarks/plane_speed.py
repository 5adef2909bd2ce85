"""A plane S(H,K,E) against phonopy's own dynamic structure factor: how much faster on the same wave vectors.

    OMP_NUM_THREADS=1 python benchmarks/plane_speed.py ARCHIVE...

Both compute the coherent one-phonon scattering at 300 K at the centres of the 32 × 32 bins of the native HK0 plane,
with Debye–Waller tensors of one mesh, computed before. phonopy: `init_dynamic_structure_factor` and its run; inscape:
`grid_map` with one point a bin. Processor times of one thread; the two take turns, the fastest of three counts.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np

from inscape.lattice import ForceConstants, modes_at, read_force_constants
from inscape.scattering import broaden, displacements, grid_map, native_plane, scattering_lengths
from inscape.spectra import uniform_edges
from inscape.units import THZ, bose

KELVIN = 300.0
MESH = 3
TURNS = 3


def compare(constants: ForceConstants) -> tuple[float, float, float]:
    """Times of phonopy and inscape, and the relative L2 difference of the reduced maps, smoothed by 1 meV."""
    crystal, phonopy = constants.crystal, constants.phonopy
    lengths = scattering_lengths(crystal)
    grid = native_plane(crystal)
    vectors = grid.centres(crystal).reshape(-1, 3)
    fractional = vectors @ np.linalg.inv(crystal.reciprocal)
    table = dict(zip(crystal.symbols, lengths.coherent.tolist(), strict=True))
    phonopy.run_mesh([MESH] * 3, with_eigenvectors=True, is_mesh_symmetry=False, is_gamma_center=True)
    tensors = displacements(modes_at(constants, phonopy.mesh.qpoints), KELVIN)
    edges = uniform_edges(1.1 * phonopy.mesh.frequencies.max() * THZ + 4, 0.5)
    theirs, mine = [], []
    for _ in range(TURNS):
        start = time.process_time()
        factor = phonopy.init_dynamic_structure_factor(fractional, KELVIN, scattering_lengths=table, freq_min=0.01)
        factor.run()
        theirs.append(time.process_time() - start)
        start = time.process_time()
        own = grid_map(constants, grid, edges, lengths, tensors, points_per_bin=1)
        mine.append(time.process_time() - start)
    energies = factor.frequencies * THZ
    reduced = factor.dynamic_structure_factors * energies / (bose(energies, KELVIN) + 1)
    rows = zip(energies, reduced, strict=True)
    other = np.array([np.histogram(e, edges, weights=r)[0] for e, r in rows])
    one, two = (broaden(m.reshape(len(vectors), -1), edges, 1.0) for m in (own, other))
    two *= (one * two).sum() / (two * two).sum()  # phonopy's unit is another
    return min(theirs), min(mine), float(np.linalg.norm(one - two) / np.linalg.norm(one))


def main() -> None:
    """Print a table."""
    warnings.simplefilter("ignore")
    print("| crystal | atoms | phonopy | inscape | ratio | difference |\n|---|---|---|---|---|---|")
    for path in sys.argv[1:]:
        constants = read_force_constants(path)
        theirs, mine, difference = compare(constants)
        crystal = constants.crystal
        times = f"{theirs:.2f} s | {mine:.3f} s | {theirs / mine:.0f}"
        print(f"| {crystal.formula} | {crystal.n_atoms} | {times} | {difference:.1e} |", flush=True)


if __name__ == "__main__":
    main()
