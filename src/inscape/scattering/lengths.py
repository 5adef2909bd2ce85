"""Neutron scattering lengths and cross sections of a crystal's atoms, from periodictable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import periodictable
from numpy.typing import NDArray

from inscape.errors import StructureError
from inscape.structures import Crystal
from inscape.units import FM2_PER_BARN


@dataclass(frozen=True)
class ScatteringLengths:
    """Bound coherent scattering lengths b, fm, and incoherent cross sections σ_inc, barn; each of shape (n_atoms,)."""

    coherent: NDArray[np.float64]
    incoherent: NDArray[np.float64]

    @property
    def coherent_square(self) -> NDArray[np.float64]:
        """|b|², barn sr⁻¹: the self part of coherent scattering."""
        return self.coherent**2 / FM2_PER_BARN

    @property
    def incoherent_square(self) -> NDArray[np.float64]:
        """σ_inc/4π, barn sr⁻¹."""
        return self.incoherent / (4 * np.pi)


def scattering_lengths(crystal: Crystal) -> ScatteringLengths:
    """Lengths of natural elements, or of the isotopes that the crystal names.

    The real part of b is used: absorption enters neither one-phonon shape (periodictable; Sears, Neutron News 3, 26,
    1992, with later values).

    Raises
    ------
    StructureError
        An element or isotope without a tabulated length.
    """
    coherent, incoherent = [], []
    for number, isotope in zip(crystal.numbers, crystal.isotopes, strict=True):
        element = periodictable.elements[int(number)]
        neutron = (element[isotope] if isotope else element).neutron
        b = neutron.b_c if neutron is not None else None
        if b is None and neutron is not None and neutron.b_c_complex is not None:
            b = neutron.b_c_complex.real
        if b is None:
            raise StructureError(
                f"no neutron scattering length is tabulated for {element.symbol}{isotope or ''}; "
                "choose an isotope that has one, or another crystal"
            )
        coherent.append(float(b))
        incoherent.append(float(neutron.incoherent or 0.0))
    return ScatteringLengths(np.array(coherent), np.array(incoherent))
