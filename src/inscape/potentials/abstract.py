"""What every interatomic potential is to this package: an engine that gives the forces on the atoms of a structure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from inscape.errors import InscapeError, MissingPackageError, StructureError


def package_version(package: str, missing: str) -> str:
    """Name and version of an installed package; `MissingPackageError` with the words ``missing`` otherwise."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError as error:
        raise MissingPackageError(missing) from error


class Engine(ABC):
    """An interatomic potential, as a calculator of ASE that is loaded at first use.

    A subclass says how to load it and what its results depend on. A package declares one as an entry point and calls
    `inscape.testing.check_engine` in its tests::

        [project.entry-points."inscape.engines"]
        NAME = "package.module:Class"

    Parameters
    ----------
    name
        By which it was asked for.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def version(self) -> str:
        """Text that is another one whenever forces may be: what was computed under one version is kept for it."""

    @abstractmethod
    def load(self) -> Any:
        """A calculator of ASE with the properties ``forces`` (eV/Å) and ``stress`` (eV/Å³).

        Raises
        ------
        MissingPackageError
            A package that has to be installed first.
        """

    def elements(self) -> frozenset[int] | None:
        """Atomic numbers that it knows; None if only trying tells."""
        return None

    @cached_property
    def calculator(self) -> Any:
        """The calculator, loaded once."""
        return self.load()

    def forces(self, atoms: Atoms) -> NDArray[np.float64]:
        """Forces on the atoms, shape (n_atoms, 3), eV/Å; they depend on nothing that was computed before.

        Raises
        ------
        StructureError
            Elements that it does not know, or whatever else the calculator raises.
        """
        with self.applied(atoms) as prepared:
            found = np.asarray(prepared.get_forces(), dtype=np.float64)  # type: ignore[no-untyped-call]
            if found.shape != (len(atoms), 3) or not np.all(np.isfinite(found)):
                raise StructureError(f"{self.name} gives no finite forces for {atoms.symbols}; use another engine")
        return found

    @contextmanager
    def applied(self, atoms: Atoms) -> Iterator[Atoms]:
        """A copy of the atoms with the calculator; what it raises inside the block becomes a `StructureError`."""
        known = self.elements()
        foreign = sorted(set(atoms.numbers.tolist()) - known) if known is not None else []
        if foreign:
            symbols = ", ".join(chemical_symbols[z] for z in foreign)
            raise StructureError(f"{self.name} does not know {symbols}; use an engine that does")
        prepared = atoms.copy()  # type: ignore[no-untyped-call]
        prepared.calc = self.calculator
        try:
            self.calculator.reset()  # neighbour lists and results of other structures
            yield prepared
        except InscapeError:
            raise
        except Exception as error:  # calculators raise anything
            reason = " ".join(str(error).split()) or "no reason given"
            raise StructureError(
                f"{self.name} cannot compute {atoms.symbols} ({type(error).__name__}: {reason}); use another engine"
            ) from error
