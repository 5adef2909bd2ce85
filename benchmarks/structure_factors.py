"""Structure factors of many wave vectors at once: one call against one call a q, numpy against torch.

    OMP_NUM_THREADS=1 python benchmarks/structure_factors.py ARCHIVE...

The wave vectors of a powder map (100 shells of 300, mesh of 0.12 1/Å). *a call a q*: `reduced_intensities` for each q
in turn; *together*: `add_spectra`, which also gathers them in bins. Of the matrix product alone: a loop over q in
numpy, and ``torch.bmm`` of all q, padded to as many Q each. Processor times of one thread, ms, fastest of five turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from inscape.lattice import modes_on_mesh, read_force_constants
from inscape.scattering import displacements, reduced_intensities, scattering_lengths
from inscape.scattering.coherent import add_spectra
from inscape.scattering.powder import Shells
from inscape.spectra import native_energy_edges, native_q_edges

TURNS = 5


def fastest(tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Least time of each task, ms, taken in turns."""
    times: dict[str, float] = dict.fromkeys(tasks, np.inf)
    for _ in range(TURNS):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            times[name] = min(times[name], 1e3 * (time.process_time() - start))
    return times


def measure(path: str) -> str:
    """A row of the table."""
    constants = read_force_constants(path)
    crystal, lengths = constants.crystal, scattering_lengths(constants.crystal)
    modes = modes_on_mesh(constants, 0.12)
    tensors = displacements(modes, 10.0)
    q_edges, energy_edges = native_q_edges(), native_energy_edges()
    sample = Shells(modes, q_edges).draw(np.full(len(q_edges) - 1, 300), np.random.default_rng(0))
    index, vectors = sample.q_index, sample.vectors
    groups = [np.flatnonzero(index == i) for i in np.unique(index)]
    n_modes = 3 * crystal.n_atoms
    padded = torch.zeros((len(groups), max(len(rows) for rows in groups), n_modes), dtype=torch.complex128)
    polarisations = torch.from_numpy(modes.polarisations[np.unique(index)].reshape(len(groups), n_modes, -1))
    spectra = np.zeros((len(q_edges) - 1, len(energy_edges) - 1))
    parts = (lengths, tensors)
    times = fastest({
        "one by one": lambda: [reduced_intensities(modes, int(index[r[0]]), vectors[r], *parts) for r in groups],
        "together": lambda: add_spectra(spectra, modes, index, vectors, sample.shell, energy_edges, *parts),
        "numpy": lambda: [padded[i, : len(r)].numpy() @ polarisations[i].numpy().T for i, r in enumerate(groups)],
        "torch": lambda: torch.bmm(padded, polarisations.transpose(1, 2)),
    })  # fmt: skip
    figures = " | ".join(f"{t:.1f}" for t in times.values())
    return f"| {crystal.formula} | {crystal.n_atoms} | {len(groups)} | {figures} |"


def main() -> None:
    """Print a table."""
    torch.set_num_threads(1)
    print("| crystal | atoms | q | a call a q | together, with bins | product: numpy | product: torch |")
    print("|---|---|---|---|---|---|---|")
    for path in sys.argv[1:]:
        print(measure(path), flush=True)


if __name__ == "__main__":
    main()
