"""SevenNet as engines: forces from the potentials whose weights lie in the ``sevenn`` wheel.

Park et al., J. Chem. Theory Comput. 20, 4857 (2024).
"""

from __future__ import annotations

import warnings
from typing import Any

from inscape.errors import MissingPackageError
from inscape.potentials.abstract import Engine, package_version

CHECKPOINTS = {"sevennet-0": "7net-0", "sevennet-l3i5": "7net-l3i5"}
"""Names of the engines, and those of their weights in sevenn, which loads them through pickle."""

MISSING = "this engine needs the package sevenn: pip install 'inscape[sevennet]'"


class SevenNet(Engine):
    """SevenNet-0, the fastest of its family, and SevenNet-l3i5, the more accurate.

    Parameters
    ----------
    name
        One of `CHECKPOINTS`.
    """

    @property
    def version(self) -> str:
        """That of the package, which holds the weights."""
        return package_version("sevenn", MISSING)

    def load(self) -> Any:
        """The calculator that sevenn makes, on the GPU where there is one."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecations inside e3nn and torch.jit
                from sevenn.calculator import SevenNetCalculator

                return SevenNetCalculator(CHECKPOINTS[self.name])
        except ImportError as error:
            raise MissingPackageError(MISSING) from error

    def elements(self) -> frozenset[int]:
        """Those of the training data of the potential."""
        return frozenset(int(z) for z in self.calculator.type_map)
