"""CHGNet as an engine: forces from the potential whose weights lie in the ``chgnet`` wheel.

Deng et al., Nature Machine Intelligence 5, 1031 (2023).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from ase import Atoms

from inscape.errors import MissingPackageError
from inscape.potentials.abstract import Engine, package_version

MISSING = "this engine needs the package chgnet: pip install 'inscape[chgnet]'"


class CHGNet(Engine):
    """The model that the package chgnet loads unless told otherwise."""

    @property
    def version(self) -> str:
        """That of the package, which holds the weights."""
        return package_version("chgnet", MISSING)

    def load(self) -> Any:
        """The package's own calculator."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecations inside torch and pymatgen
                from chgnet.model import CHGNetCalculator
        except ImportError as error:
            raise MissingPackageError(MISSING) from error
        with redirect_stdout(io.StringIO()):  # it prints where it runs
            return CHGNetCalculator()

    @contextmanager
    def applied(self, atoms: Atoms) -> Iterator[Atoms]:
        """As for any engine, without torch's warnings of what the package does."""
        with warnings.catch_warnings(), super().applied(atoms) as prepared:
            warnings.simplefilter("ignore")
            yield prepared
