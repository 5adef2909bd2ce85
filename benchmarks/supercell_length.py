"""How far densities of states change with the supercell, and what is left of force constants at its boundary.

python benchmarks/supercell_length.py ENGINE
"""

from __future__ import annotations

import sys

import numpy as np
from ase.build import bulk

from inscape.lattice import boundary_share, modes_on_mesh
from inscape.potentials import engine
from inscape.scattering import density_of_states
from inscape.simulation.cache import user_cache
from inscape.simulation.relaxation import relaxed, symmetrised
from inscape.simulation.simulate import computed_force_constants
from inscape.structures import read_structure

CRYSTALS = {
    "Si": bulk("Si"),
    "MgO": bulk("MgO", "rocksalt", 4.21),
    "NaCl": bulk("NaCl", "rocksalt", 5.64),
    "CaO": bulk("CaO", "rocksalt", 4.8),
    "Al": bulk("Al"),
    "Cu": bulk("Cu"),
}
STEP = 0.25
"""Bins of the density of states, meV."""

potential, cache = engine(sys.argv[1]), user_cache() / "forces"
for name, atoms in CRYSTALS.items():
    crystal, _ = relaxed(symmetrised(read_structure(atoms)), potential, cache)
    rows = []
    for n in (1, 2, 3, 4)[: 4 if crystal.n_atoms == 1 else 3]:
        constants = computed_force_constants(crystal, potential, (n, n, n), cache)
        modes = modes_on_mesh(constants, 0.1)
        density = density_of_states(modes, STEP * np.arange(600))[0].sum(axis=0)
        length = n * np.linalg.norm(crystal.conventional_lattice[0])
        rows.append((length, boundary_share(constants), np.cumsum(density) / density.sum()))
    for length, share, cumulative in rows[:-1]:
        distance = STEP * np.abs(cumulative - rows[-1][2]).sum()
        print(f"| {name} | {length:.1f} | {share:.2f} | {distance:.2f} |", flush=True)
