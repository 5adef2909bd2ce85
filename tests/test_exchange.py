"""Euphonic's objects and files: the same energies in both codes, round trips, refusals."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import inscape
from crystals import BRUCITE, NACL, QUARTZ, SILICON, ZINC_OXIDE, force_constants_of, phonopy_of
from inscape.errors import DataError, ForceConstantsError, MissingPackageError
from inscape.lattice import (
    from_euphonic,
    is_calculation,
    modes_at,
    read_force_constants,
    spectrum_from_euphonic,
    spectrum_to_euphonic,
    to_euphonic,
)
from inscape.settings import SpectraSettings
from inscape.simulation import Computed, spectra_of

euphonic = pytest.importorskip("euphonic")

Q = np.random.default_rng(0).uniform(-0.5, 0.5, (6, 3))


def with_asymmetric_charges(material):
    """Its force constants with charges as the symmetry allows them, which are no symmetric tensors."""
    from inscape.lattice.born import checked_charges

    constants = force_constants_of(material, born=False)
    crystal = constants.crystal
    operations = np.random.default_rng(1).normal(scale=0.02, size=(crystal.n_atoms, 3, 3))
    oxygen = crystal.numbers == 8
    tensors = np.where(oxygen[:, None, None], -1.0, oxygen.sum() / (~oxygen).sum()) * np.eye(3) + operations
    charges = {"born": tensors, "dielectric": np.diag([2.3, 2.3, 2.6]), "factor": 14.399652}
    return constants.with_charges(checked_charges(charges, crystal))


def euphonic_energies(constants, q):
    """Energies by Euphonic, meV."""
    modes = constants.calculate_qpoint_frequencies(q, asr="reciprocal", use_c=False)
    return modes.frequencies.to("meV").magnitude


@pytest.mark.parametrize("material", [SILICON, BRUCITE, NACL, QUARTZ], ids=lambda m: m.name)
def test_both_codes_find_the_same_energies(material):
    ours = with_asymmetric_charges(material) if material is QUARTZ else force_constants_of(material)
    if material is QUARTZ:
        born = ours.phonopy.nac_params["born"]
        assert np.abs(born - born.transpose(0, 2, 1)).max() > 1e-3
    theirs = euphonic_energies(to_euphonic(ours), Q)
    np.testing.assert_allclose(modes_at(ours, Q).energies, theirs, atol=2e-3 if ours.has_born else 1e-4)


@pytest.mark.parametrize("material", [SILICON, ZINC_OXIDE], ids=lambda m: m.name)
def test_there_and_back_nothing_is_lost(material, tmp_path):
    constants = force_constants_of(material)
    back = from_euphonic(to_euphonic(constants))
    np.testing.assert_allclose(modes_at(back, Q).energies, modes_at(constants, Q).energies, atol=1e-5)
    assert back.crystal.digest == constants.crystal.digest
    assert back.has_born == constants.has_born
    file = tmp_path / "constants.json"
    to_euphonic(constants).to_json_file(file)
    assert is_calculation(file)
    read = read_force_constants(file)
    np.testing.assert_allclose(modes_at(read, Q).energies, modes_at(constants, Q).energies, atol=1e-5)
    assert inscape.simulate(file, kinds=("dos",)).dataset.attrs["engine"] == "force constants of constants.json"


def read_by_euphonic(phonopy, folder):
    """Force constants that Euphonic reads from a file of phonopy."""
    phonopy.save(folder / "phonopy.yaml", settings={"force_constants": True})
    return euphonic.ForceConstants.from_phonopy(path=folder, summary_name="phonopy.yaml")


@pytest.mark.parametrize("material", [SILICON, NACL], ids=lambda m: m.name)
def test_what_euphonic_reads_is_what_it_is_given(material, tmp_path):
    constants = force_constants_of(material)
    theirs = read_by_euphonic(constants.phonopy, tmp_path)
    np.testing.assert_allclose(euphonic_energies(to_euphonic(constants), Q), euphonic_energies(theirs, Q), atol=1e-4)


def test_cells_that_are_not_primitive(tmp_path):
    conventional = phonopy_of(replace(SILICON, primitive="1 0 0 0 1 0 0 0 1"), forces=False)
    theirs = read_by_euphonic(conventional, tmp_path)
    assert theirs.crystal.n_atoms == 8
    found, expected = from_euphonic(theirs), force_constants_of(SILICON)
    assert found.crystal.n_atoms == 2
    q = Q @ expected.crystal.reciprocal @ found.crystal.lattice.T / (2 * np.pi)
    np.testing.assert_allclose(modes_at(found, q).energies, modes_at(expected, Q).energies, atol=1e-5)


def test_supercells_that_are_left_handed():
    right = to_euphonic(force_constants_of(SILICON))
    left = euphonic.ForceConstants(right.crystal, right.force_constants, -right.sc_matrix, right.cell_origins)
    expected = modes_at(force_constants_of(SILICON), Q).energies
    np.testing.assert_allclose(modes_at(from_euphonic(left), Q).energies, expected, atol=1e-5)


def test_spectra_go_there_and_back(tmp_path):
    computed = Computed(force_constants_of(NACL), "x")
    result = spectra_of(computed, SpectraSettings(kinds=("dos", "powder"), dq=0.5, qmax=3))
    for spectrum, kind in ((result.dos, euphonic.Spectrum1D), (result.powder, euphonic.Spectrum2D)):
        there = spectrum_to_euphonic(spectrum)
        assert isinstance(there, kind)
        there.to_json_file(tmp_path / "spectrum.json")
        back = spectrum_from_euphonic(kind.from_json_file(tmp_path / "spectrum.json"))
        assert (back.dims, back.name, back.attrs["units"]) == (spectrum.dims, spectrum.name, spectrum.attrs["units"])
        np.testing.assert_allclose(back.values, spectrum.values, rtol=1e-12)
        np.testing.assert_allclose(back["energy"], spectrum["energy"], rtol=1e-12)
        np.testing.assert_allclose(back.attrs["energy_edges"], result.dataset["energy_edges"], atol=1e-9)
    there = spectrum_to_euphonic(result.dos)
    assert (there.y_data * there.get_bin_widths()).sum().to("").magnitude == pytest.approx(6)


def test_spectra_that_euphonic_made_come_in_our_units():
    modes = to_euphonic(force_constants_of(SILICON)).calculate_qpoint_phonon_modes(Q, use_c=False)
    ureg = euphonic.ureg
    dos = modes.calculate_dos(np.arange(0, 1200, 4) * ureg("1/cm"))
    ours = spectrum_from_euphonic(dos)
    assert ours.attrs["units"] == "1/meV"
    widths = np.diff(ours.attrs["energy_edges"])
    area = (dos.y_data * dos.get_bin_widths()).sum().to("").magnitude
    assert float((ours * widths).sum()) == pytest.approx(area)
    assert ours["energy"][-1] == pytest.approx(1194 / 8.065544)


@pytest.mark.parametrize(
    "spectrum",
    [
        xr.DataArray(np.ones(3), {"energy": [1.0, 2, 3]}, ["energy"], attrs={"units": "furlong"}),
        xr.DataArray(np.ones(3), {"h": [1.0, 2, 3]}, ["h"], attrs={"units": "1/meV"}),
    ],
)
def test_spectra_that_have_no_place_there(spectrum):
    with pytest.raises(DataError, match="expected"):
        spectrum_to_euphonic(spectrum)


def test_spectra_of_something_else():
    ureg = euphonic.ureg
    with pytest.raises(DataError, match="expected energies"):
        spectrum_from_euphonic(euphonic.Spectrum1D(np.arange(3.0) * ureg("angstrom"), np.ones(3) * ureg("1/meV")))
    with pytest.raises(DataError, match="expected energies"):
        spectrum_from_euphonic(euphonic.Spectrum1D(np.arange(3.0) * ureg("meV"), np.ones(3) * ureg("angstrom")))


def test_castep_files_are_known_by_suffix_or_content(tmp_path):
    mark = b"\x00\x00\x00\x0aCASTEP_BIN\x00\x00\x00\x0a"
    for name, content, known in (
        ("a.castep_bin", b"", True), ("b.check", b"", True), ("c.out", mark, True), ("d.out", b"text", False),
        ("e.json", b'{"sc_matrix": []}', True), ("f.json", b"{}", False),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        assert is_calculation(tmp_path / name) == known, name
    for name in ("a.castep_bin", "c.out", "e.json"):
        with pytest.raises(ForceConstantsError, match="cannot be read as force constants"):
            read_force_constants(tmp_path / name)


def test_a_missing_euphonic_gives_the_pip_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "euphonic", None)
    (tmp_path / "a.castep_bin").touch()
    for call in (lambda: read_force_constants(tmp_path / "a.castep_bin"), lambda: to_euphonic(None)):
        with pytest.raises(MissingPackageError, match=r"pip install 'inscape\[euphonic\]'"):
            call()
