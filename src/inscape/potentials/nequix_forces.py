"""Nequix, fine-tuned on phonons, as an engine: the most accurate for phonons among the small universal potentials."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from inscape.potentials.abstract import Engine
from inscape.potentials.neighbour_list import neighbours_of
from inscape.potentials.nequix import CUTOFF, Nequix, shipped_nequix


class NequixEngine(Engine):
    """The model whose weights ship with this package."""

    @property
    def version(self) -> str:
        """Name of the model, and the digest of its weights."""
        return f"{self.name} {shipped_nequix().digest}"

    def load(self) -> Any:
        """A calculator of ASE, in single precision."""
        return NequixCalculator(shipped_nequix().network)

    def elements(self) -> frozenset[int]:
        """Those that the model has numbers for."""
        return frozenset(shipped_nequix().network.numbers.tolist())


class NequixCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³) for ASE.

    Parameters
    ----------
    network
        The model.
    """

    implemented_properties = ["energy", "energies", "free_energy", "forces", "stress"]  # noqa: RUF012 (as in ASE)

    def __init__(self, network: Nequix) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.network = network

    def calculate(
        self, atoms: Atoms | None = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """All of them at once: forces and stress come from one gradient along the ways between neighbours."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        given: Any = self.atoms
        pairs, ways = neighbours_of(given, CUTOFF)
        species = self.network.species(torch.from_numpy(np.array(given.numbers, dtype=np.int64)))
        vectors = torch.tensor(ways, dtype=torch.float32, requires_grad=True)
        energies = self.network.energies(species, torch.from_numpy(pairs), vectors)
        (pull,) = torch.autograd.grad(energies.sum(), vectors)
        along = pull.double().numpy()
        forces = np.zeros((len(given), 3))
        np.add.at(forces, pairs[0], along)
        np.add.at(forces, pairs[1], -along)
        total = float(energies.detach().sum())
        self.results = {
            "energy": total,
            "free_energy": total,
            "energies": energies.detach().double().numpy(),
            "forces": forces,
        }
        if given.cell.rank == 3:
            virial = ways.T @ along / given.get_volume()
            self.results["stress"] = virial[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]  # in Voigt's order
