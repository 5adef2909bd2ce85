"""Neutron scattering lengths and cross sections of a crystal's atoms, from periodictable."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Literal, get_args

import numpy as np
import periodictable
from numpy.typing import NDArray

from inscape.errors import DataError, StructureError
from inscape.structures import Crystal
from inscape.units import FM2_PER_BARN

Weights = Literal["none", "coherent", "incoherent", "coherent-plus-incoherent"]
"""Which cross section weighs each atom."""


_READING = Lock()
"""periodictable reads its table of neutrons when it is first asked, which two threads must not do at once."""

NEGLIGIBLE = 1e-3
"""Imaginary parts up to this share of the largest b' make S(Q,E) and S(−Q,E) the same to about as much."""


@dataclass(frozen=True)
class ScatteringLengths:
    """Bound scattering lengths b = b' + i b'' of atoms and their incoherent cross sections.

    Parameters
    ----------
    coherent
        b', shape (n_atoms,), fm.
    imaginary
        b'', shape (n_atoms,), fm: zero or negative, and far from zero where nuclei absorb (B, Cd, Sm, Eu, Gd, Dy).
    incoherent
        σ_inc, shape (n_atoms,), barn.
    """

    coherent: NDArray[np.float64]
    imaginary: NDArray[np.float64]
    incoherent: NDArray[np.float64]

    @property
    def parts(self) -> list[ScatteringLengths]:
        """Real lengths that together scatter what S(Q,E) and S(−Q,E) do in the mean: b' and, if it matters, b''.

        |Σ b x|² = |Σ b'x|² + |Σ b''x|² plus a term that changes its sign with Q. Without inversion in the crystal it is
        there only if nuclei absorb.
        """
        nothing = np.zeros_like(self.imaginary)
        real = ScatteringLengths(self.coherent, nothing, self.incoherent)
        if np.abs(self.imaginary).max() <= NEGLIGIBLE * np.abs(self.coherent).max():
            return [real]
        return [real, ScatteringLengths(self.imaginary, nothing, nothing)]

    @property
    def coherent_square(self) -> NDArray[np.float64]:
        """|b|² = σ_coh/4π, barn sr⁻¹: the self part of coherent scattering."""
        return (self.coherent**2 + self.imaginary**2) / FM2_PER_BARN

    @property
    def incoherent_square(self) -> NDArray[np.float64]:
        """σ_inc/4π, barn sr⁻¹."""
        return self.incoherent / (4 * np.pi)

    def square(self, weights: Weights) -> NDArray[np.float64]:
        """Cross section over 4π, shape (n_atoms,), barn sr⁻¹, or 1 for "none"; `DataError` for any other word."""
        if weights not in get_args(Weights):
            raise DataError(f"weights are {weights!r}; expected one of {', '.join(get_args(Weights))}")
        if weights == "none":
            return np.ones(len(self.coherent))
        coherent, incoherent = self.coherent_square, self.incoherent_square
        return {"coherent": coherent, "incoherent": incoherent}.get(weights, coherent + incoherent)


def scattering_lengths(crystal: Crystal) -> ScatteringLengths:
    """Lengths of natural elements, or of the isotopes that the crystal names.

    Those of strong absorbers change with the energy of the neutron; here they are what is tabulated, at 25 meV.

    Raises
    ------
    StructureError
        An element or isotope without a tabulated length.

    References
    ----------
    periodictable; V. F. Sears, Neutron News 3, 26 (1992), with later values.
    """
    pairs = list(zip(crystal.numbers.tolist(), crystal.isotopes, strict=True))
    found = {pair: _lengths(*pair) for pair in set(pairs)}
    return ScatteringLengths(*np.array([found[pair] for pair in pairs]).T)


def _lengths(number: int, isotope: int) -> tuple[float, float, float]:
    """b' and b'', fm, and σ_inc, barn, of an element or isotope."""
    element = periodictable.elements[number]
    with _READING:
        neutron = (element[isotope] if isotope else element).neutron
    if neutron is None or neutron.b_c is None:
        raise StructureError(
            f"no neutron scattering length is tabulated for {element.symbol}{isotope or ''}; "
            "choose an isotope that has one, or another crystal"
        )
    real, imaginary = float(neutron.b_c), float(np.imag(neutron.b_c_complex or 0.0))
    if real == 0.0 and neutron.coherent:  # natural samarium: only σ_coh = 4π|b|² tells the real part, 0.80 fm
        real = float(np.sqrt(neutron.coherent * FM2_PER_BARN / (4 * np.pi) - imaginary**2))
    return real, imaginary, float(neutron.incoherent or 0.0)
