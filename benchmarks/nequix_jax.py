"""Nequix as its authors' package runs it (JAX), as a calculator of ASE: ``--engines ase:nequix_jax:calculator``.

Its model file, ``nequix-oam-1-pft.nqx``, is downloaded at first use. The package compiles anew for every crystal, whose
number of atoms and neighbours it has not seen.
"""

from typing import Any


def calculator() -> Any:
    """The potential on the processor."""
    from nequix.calculator import NequixCalculator

    return NequixCalculator("nequix-oam-1-pft", use_kernel=False)
