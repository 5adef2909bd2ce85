"""Top of the phonon spectrum of silicon: potentials beside DFT and measurement.

    python benchmarks/silicon.py ENGINE_OR_CALCULATION...
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from inscape.lattice import is_calculation, modes_at, modes_on_mesh, read_force_constants, repetitions_of_length
from inscape.potentials import engine
from inscape.simulation.cache import user_cache
from inscape.simulation.relaxation import relaxed, symmetrised
from inscape.simulation.simulate import computed_force_constants
from inscape.structures import read_structure

STRUCTURE = Path(__file__).parents[1] / "examples" / "silicon.cif"
MEASURED = 64.4
"""Raman line at room temperature, 520 1/cm, meV."""

for name in sys.argv[1:]:
    start = time.perf_counter()
    if is_calculation(name):
        constants = read_force_constants(name)
    else:
        potential = engine(name)
        crystal, at_rest = relaxed(symmetrised(read_structure(STRUCTURE)), potential, user_cache() / "forces")
        assert at_rest
        repetitions = repetitions_of_length(crystal, 10.0)
        constants = computed_force_constants(crystal, potential, repetitions, user_cache() / "forces")
    gamma = modes_at(constants, np.zeros((1, 3))).energies.max()
    top = modes_on_mesh(constants, 0.06).energies.max()
    edge = constants.crystal.conventional_lattice[0]
    print(
        f"| {Path(name).name} | {np.linalg.norm(edge):.3f} | {gamma:.2f} | {top:.2f} | {gamma / MEASURED - 1:+.1%} | "
        f"{time.perf_counter() - start:.0f} s |",
        flush=True,
    )
