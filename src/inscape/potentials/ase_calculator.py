"""Any calculator of ASE as an engine, by the place of what makes it: ``ase:package.module:factory``."""

from __future__ import annotations

import hashlib
from functools import cached_property
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from inscape.errors import EngineError, MissingPackageError
from inscape.potentials.abstract import Engine

PREFIX = "ase:"
EXAMPLE = "ase:ase.calculators.emt:EMT"


class ASECalculator(Engine):
    """A calculator that a function or class makes without arguments.

    Parameters
    ----------
    name
        ``ase:package.module:factory``.

    Raises
    ------
    EngineError
        A name of another form, a module or factory that is not there.
    MissingPackageError
        The package is not installed.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._module, _, self._attribute = name.removeprefix(PREFIX).partition(":")
        if not self._module or not self._attribute:
            raise EngineError(f"engine is {name!r}; expected ase:package.module:factory, as {EXAMPLE}")

    @cached_property
    def _factory(self) -> Any:
        package = self._module.split(".")[0]
        try:
            found = getattr(import_module(self._module), self._attribute)
        except ModuleNotFoundError as error:
            missing, *inside = (error.name or package).split(".")
            if missing == package and inside:
                raise EngineError(f"{self.name}: there is no module {error.name}") from error
            raise MissingPackageError(
                f"{self.name} needs {missing}, which is not installed: pip install {missing} (or the package that "
                "holds it, if it has another name)"
            ) from error
        except AttributeError as error:
            raise EngineError(f"{self.name}: {self._module} has no {self._attribute}") from error
        if not callable(found):
            raise EngineError(f"{self.name} is no function or class that makes a calculator")
        return found

    @property
    def version(self) -> str:
        """Version of the package and digest of the file that holds the factory.

        What the factory reads from elsewhere, such as weights, is not in it.
        """
        package = self._module.split(".")[0]
        _ = self._factory
        file = getattr(import_module(self._module), "__file__", None)
        source = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else ""
        distribution = packages_distributions().get(package, [package])[0]
        try:
            return f"{package} {version(distribution)} {source}"
        except PackageNotFoundError:  # a module in the current folder
            return f"{package} {source}"

    def load(self) -> Any:
        """What the factory makes."""
        calculator = self._factory()
        if not hasattr(calculator, "get_forces"):
            raise EngineError(f"{self.name} makes {type(calculator).__name__}, which is no calculator of ASE")
        return calculator
