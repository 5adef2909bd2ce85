"""Heat capacity, entropy and mean-square displacements against phonopy's own, on the same mesh.

    python benchmarks/thermodynamics.py ARCHIVE...

Each cell of the table is the largest relative difference at 20, 100, 300 and 1000 K; of displacements, over atoms and
directions as well. The mesh of 4 × 4 × 4 wave vectors leaves out Γ, both leave out modes below 0.05 meV. inscape's heat
capacity and entropy come from its density of states in bins of 0.002 meV, phonopy's from the frequencies themselves.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

from inscape.lattice import modes_at, read_force_constants
from inscape.scattering import density_of_states, displacements
from inscape.thermodynamics import entropy, heat_capacity
from inscape.units import THZ

KELVIN = (20.0, 100.0, 300.0, 1000.0)
LOWEST = 0.05


def main() -> None:
    """Print a table."""
    warnings.simplefilter("ignore")
    print("| crystal | atoms | heat capacity | entropy | mean-square displacements |\n|---|---|---|---|---|")
    for path in sys.argv[1:]:
        constants = read_force_constants(path)
        crystal, ph = constants.crystal, constants.phonopy
        ph.run_mesh([4, 4, 4], with_eigenvectors=True, is_mesh_symmetry=False, is_gamma_center=False)
        ph.run_thermal_properties(temperatures=KELVIN, cutoff_frequency=LOWEST / THZ)
        ph.run_thermal_displacement_matrices(temperatures=KELVIN, freq_min=LOWEST / THZ)
        thermal = ph.thermal_properties
        theirs = ph.thermal_displacement_matrices.thermal_displacement_matrices

        modes = modes_at(constants, ph.mesh.qpoints)
        edges = np.arange(0, modes.energies.max() + 0.01, 0.002)
        partial, _ = density_of_states(modes, edges)
        total = partial.sum(axis=0)
        n_atoms = total.sum() * 0.002 / 3  # less what imaginary modes take
        mine = [f(total, edges, np.array(KELVIN)) * n_atoms for f in (heat_capacity, entropy)]
        peers = thermal.heat_capacity, thermal.entropy
        found = [np.abs(own / peer - 1).max() for own, peer in zip(mine, peers, strict=True)]
        own = np.stack([displacements(modes, kelvin) for kelvin in KELVIN])
        diagonal = np.diagonal(own, axis1=2, axis2=3)
        found.append(np.abs(diagonal / np.diagonal(theirs, axis1=2, axis2=3) - 1).max())
        cells = [f"{crystal.formula} ({crystal.space_group})", str(crystal.n_atoms), *(f"{x:.0e}" for x in found)]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
