"""Top of the phonon spectrum of silicon: potentials beside DFT and measurement.

    python benchmarks/silicon.py CALCULATION ENGINE...

CALCULATION has the force constants of DFT. Each engine is tried twice: at rest, and in the cell of DFT.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from inscape.lattice import ForceConstants, modes_at, read_force_constants, repetitions_of_length
from inscape.potentials import engine
from inscape.simulation.cache import user_cache
from inscape.simulation.relaxation import relaxed, symmetrised
from inscape.simulation.simulate import computed_force_constants
from inscape.structures import Crystal

MEASURED = 64.4
"""Raman line at room temperature, 520 1/cm, meV."""

CACHE = user_cache() / "forces"


def report(name: str, constants: ForceConstants, reference: float | None, seconds: float | None) -> float:
    """Print a line; energy of the highest modes at Γ, meV."""
    top = float(modes_at(constants, np.zeros((1, 3))).energies.max())
    edge = np.linalg.norm(constants.crystal.conventional_lattice[0])
    to_dft = "" if reference is None else f"{100 * (top / reference - 1):+.1f} %"
    taken = "" if seconds is None else f"{seconds:.0f} s"
    print(f"| {name} | {edge:.3f} | {top:.1f} | {to_dft} | {100 * (top / MEASURED - 1):+.1f} % | {taken} |", flush=True)
    return top


def simulated(name: str, crystal: Crystal, *, at_rest: bool) -> ForceConstants:
    """Force constants of an engine in a supercell of 64 atoms."""
    potential = engine(name)
    if at_rest:
        crystal, converged = relaxed(crystal, potential, CACHE)
        assert converged
    return computed_force_constants(crystal, potential, repetitions_of_length(crystal, 10.0), CACHE)


if __name__ == "__main__":
    calculation, *engines = sys.argv[1:]
    dft = read_force_constants(calculation)
    crystal = symmetrised(dft.crystal)
    reference = report("DFT (PBEsol)", dft, None, None)
    for name in engines:
        start = time.perf_counter()
        at_rest = simulated(name, crystal, at_rest=True)
        report(name, at_rest, reference, time.perf_counter() - start)
        report(f"{name}, cell of DFT", simulated(name, crystal, at_rest=False), reference, None)
