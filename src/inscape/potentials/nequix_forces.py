"""Nequix, fine-tuned on phonons, as an engine: the most accurate for phonons among the small universal potentials.

Koker, Gangan, Kotak, Marian and Smidt, arXiv:2601.07742 (2026).
"""

from __future__ import annotations

from typing import Any

from inscape.errors import EngineError, MissingPackageError
from inscape.potentials.abstract import Engine, package_version

MISSING = (
    "this engine needs the package nequix, whose own requirements are made for GPUs; without one: "
    "pip install jax e3nn-jax equinox jraph pyyaml && pip install --no-deps nequix"
)


class Nequix(Engine):
    """A model of the package nequix, in single precision.

    Parameters
    ----------
    name
        That of the model in the package, which fetches its weights at first use.
    """

    @property
    def version(self) -> str:
        """That of the package, which says where the weights are."""
        return package_version("nequix", MISSING)

    def load(self) -> Any:
        """The package's own calculator, in JAX, without the kernels that only GPUs have."""
        try:
            from nequix.calculator import NequixCalculator
        except ImportError as error:
            raise MissingPackageError(MISSING) from error
        try:
            return NequixCalculator(self.name, backend="jax", use_kernel=False)
        except OSError as error:
            raise EngineError(
                f"the weights of {self.name} cannot be fetched ({error}); put {self.name}.nqx, from the folder models "
                "of the public repository of Nequix, into ~/.cache/nequix/models"
            ) from error

    def elements(self) -> frozenset[int]:
        """Those that the model has numbers for."""
        return frozenset(int(z) for z in self.calculator.config["atomic_numbers"])
