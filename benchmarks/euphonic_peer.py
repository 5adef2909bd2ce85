"""Euphonic's force constants of the same crystal, for the scripts that compare with it."""

from __future__ import annotations

import inspect
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import euphonic.force_constants
from euphonic import ForceConstants, ureg

from inscape import lattice
from inscape.scattering import ScatteringLengths
from inscape.structures import Crystal


def euphonic_constants(constants: lattice.ForceConstants) -> ForceConstants:
    """The same force constants, and Born charges where there are any.

    Z* is transposed: Euphonic contracts q with the other of its indices than phonopy does.
    """
    phonopy = constants.phonopy
    charges = phonopy.nac_params
    try:
        if charges is not None:
            phonopy.nac_params = {**charges, "born": charges["born"].transpose(0, 2, 1).copy()}
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            phonopy.save(Path(folder) / "phonopy.yaml", settings={"force_constants": True})
            return ForceConstants.from_phonopy(path=folder, summary_name="phonopy.yaml")
    finally:
        phonopy.nac_params = charges


def lengths_table(crystal: Crystal, lengths: ScatteringLengths) -> dict[str, object]:
    """Scattering lengths by element, so that both codes use the same."""
    complex_lengths = lengths.coherent + 1j * lengths.imaginary
    return {symbol: b * ureg.fm for symbol, b in zip(crystal.symbols, complex_lengths, strict=True)}


@contextmanager
def equal_images() -> Iterator[None]:
    """Within, Euphonic shares a force constant only among images of an atom that are equally far away.

    As it is, it shares them among all that lie within a thousandth of the boundary of the supercell's Wigner–Seitz
    cell (`_calculate_supercell_images`); phonopy, and so inscape, among those equal to 10⁻⁵ Å.
    """
    owner = euphonic.force_constants.ForceConstants
    original = owner._calculate_supercell_images
    source = textwrap.dedent(inspect.getsource(original))
    assert "0.001" in source, "this version of Euphonic finds images in another way"
    names = dict(vars(euphonic.force_constants))
    exec(source.replace("0.001", "1e-6"), names)
    owner._calculate_supercell_images = names["_calculate_supercell_images"]
    try:
        yield
    finally:
        owner._calculate_supercell_images = original
