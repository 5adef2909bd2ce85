"""Born charges for simulations: from files, from calculations in any frame, from libraries; and what is refused."""

import numpy as np
import pytest
from phonopy.structure.atoms import PhonopyAtoms
from phonopy.structure.symmetry import symmetrize_borns_and_epsilon

import inscape
from crystals import NACL, QUARTZ, SILICON, ZINC_OXIDE, born_file, force_constants_of, pack_archive, phonopy_of
from inscape.errors import ForceConstantsError, LibraryError
from inscape.lattice import charges_on, modes_at, read_born_charges
from inscape.lattice.born import checked_charges
from inscape.simulation.charges import charges_from_library
from inscape.structures import Crystal
from test_cli import run

TOWARDS = {"q": np.zeros((1, 3)), "directions": np.array([[0.0, 0, 1]])}
LENNARD_JONES = "ase:ase.calculators.lj:LennardJones"


def charges_of(crystal):
    """Charges and a dielectric tensor as the symmetry of a crystal allows them; without symmetry they are random."""
    rng = np.random.default_rng(0)
    cell = PhonopyAtoms(cell=crystal.lattice, scaled_positions=crystal.positions, numbers=crystal.numbers)
    born = rng.normal(size=(crystal.n_atoms, 3, 3))
    born -= born.mean(axis=0)
    with pytest.warns(UserWarning, match="Symmetry of"):
        born, dielectric = symmetrize_borns_and_epsilon(born, 3 * np.eye(3) + 0.2 * rng.normal(size=(3, 3)), cell)
    return {"born": born, "dielectric": dielectric, "factor": 14.399652}


@pytest.mark.parametrize("material", [ZINC_OXIDE, QUARTZ], ids=lambda m: m.name)
@pytest.mark.parametrize("mirror", [1, -1], ids=["turned", "mirrored"])
def test_charges_follow_the_crystal(material, mirror):
    crystal = force_constants_of(material, born=False).crystal
    charges = charges_of(crystal)
    rng = np.random.default_rng(2)
    rotation = mirror * np.linalg.qr(rng.normal(size=(3, 3)))[0]
    basis = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 1]])
    order = rng.permutation(crystal.n_atoms)
    strain = np.eye(3) + np.diag([0.01, 0.01, -0.005])
    lattice = basis @ crystal.lattice @ strain @ rotation
    positions = (crystal.positions @ np.linalg.inv(basis) + [0.1, 0.2, 0.3])[order]
    other = Crystal.from_cell(lattice, positions, crystal.numbers[order])
    found = charges_on(other, crystal, charges)
    turned = rotation.T @ charges["born"][order] @ rotation
    np.testing.assert_allclose(found["born"], turned, atol=2e-2)  # the strain turns basis vectors a little
    np.testing.assert_allclose(found["dielectric"], rotation.T @ charges["dielectric"] @ rotation, atol=2e-2)
    back = charges_on(crystal, other, found)
    np.testing.assert_allclose(back["born"], charges["born"], atol=1e-9)
    checked_charges(found, other)


def test_charges_of_another_crystal_are_not_taken():
    zinc_oxide, salt = (force_constants_of(m).crystal for m in (ZINC_OXIDE, NACL))
    assert charges_on(salt, zinc_oxide, charges_of(zinc_oxide)) is None
    wider = Crystal.from_cell(1.05 * salt.lattice, salt.positions, salt.numbers)
    zinc_blende = Crystal.from_cell(salt.lattice, [[0, 0, 0], [0.25] * 3], salt.numbers)
    for other in (wider, zinc_blende):
        assert charges_on(salt, other, charges_of(other)) is None


def test_a_born_file_gives_what_a_calculation_with_it_gives(tmp_path):
    with_charges, without = (force_constants_of(ZINC_OXIDE, born=born) for born in (True, False))
    (tmp_path / "BORN").write_text(born_file(phonopy_of(ZINC_OXIDE), unit_factor=False))
    archive = pack_archive(tmp_path, ZINC_OXIDE)
    phonopy_of(ZINC_OXIDE, forces=False).save(tmp_path / "zno.yaml", settings={"force_constants": True})
    for place in (tmp_path / "BORN", archive, tmp_path / "zno.yaml"):
        given = without.with_charges(read_born_charges(place, without.crystal))
        expected = modes_at(with_charges, **TOWARDS).energies
        np.testing.assert_allclose(modes_at(given, **TOWARDS).energies, expected, atol=1e-4, err_msg=str(place))
    assert np.abs(modes_at(without, **TOWARDS).energies - expected).max() > 0.1


def test_simulations_split_polar_modes_once_charges_are_known(tmp_path, library):
    NACL.atoms.write(tmp_path / "salt.cif")
    (tmp_path / "BORN").write_text(born_file(phonopy_of(NACL), unit_factor=True))
    options = {"relax": False, "supercell": (1, 1, 1), "kinds": ("dos",), "cache": tmp_path / "kept"}
    plain = inscape.simulate(tmp_path / "salt.cif", LENNARD_JONES, **options)
    given = inscape.simulate(tmp_path / "salt.cif", LENNARD_JONES, born=tmp_path / "BORN", **options)
    looked_up = inscape.simulate(tmp_path / "salt.cif", LENNARD_JONES, born_from=library.path, **options)
    assert "LO–TO" in plain.warning
    assert "LO–TO" not in (given.warning or "")
    assert [r.dataset.attrs["born_charges"] for r in (plain, given, looked_up)] == [0, 1, 1]
    assert given.dataset.attrs["born_source"] == "BORN"
    assert looked_up.dataset.attrs["born_source"] == f"{NACL.id} of few.zarr"
    np.testing.assert_allclose(looked_up.dos, given.dos, atol=1e-6)
    assert np.abs(given.dos - plain.dos).max() > 1e-3


def test_force_constants_that_exist_take_charges_too(library):
    constants = force_constants_of(NACL, born=False)
    result = inscape.simulate(constants, born_from=library.path, kinds=("dos",))
    assert (result.warning, result.dataset.attrs["born_charges"]) == (None, 1)


def test_refusals(tmp_path, library):
    salt = force_constants_of(NACL).crystal
    good = born_file(phonopy_of(NACL), unit_factor=True).splitlines()
    pack_archive(tmp_path, NACL, name="charged.tar.lzma")
    pack_archive(tmp_path, SILICON, name="none.tar.lzma")
    pack_archive(tmp_path, ZINC_OXIDE, name="other.tar.lzma")
    tensor = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    for lines, message in (
        (good[:3], "cannot be read as a BORN file of NaCl"),
        ([*good, good[-1]], "cannot be read as a BORN file of NaCl"),
        (["a picture"], "cannot be read as a BORN file of NaCl"),
        ([good[0], "-1 0 0 0 1 0 0 0 1", *good[2:]], "is not positive"),
        ([*good[:3], good[2]], "sum to .* expected 0"),
        ([good[0], good[1], *["nan " * 9] * 2], "not finite"),
    ):
        (tmp_path / "BORN").write_text("\n".join(lines))
        with pytest.raises(ForceConstantsError, match=message):
            read_born_charges(tmp_path / "BORN", salt)
    for name, message in (
        ("absent", "no such file"),
        ("none.tar.lzma", "holds no Born charges"),
        ("other.tar.lzma", "which is not the same crystal as"),
    ):
        with pytest.raises(ForceConstantsError, match=f"{name}: .*{message}"):
            read_born_charges(tmp_path / name, salt)
    with pytest.raises(ForceConstantsError, match="do not have the symmetry of NaCl"):
        checked_charges({"born": np.array([tensor, -tensor]), "dielectric": np.eye(3)}, salt)
    with pytest.raises(ForceConstantsError, match=r"holds no Born charges of .* with charges there: none"):
        charges_from_library(library.path, force_constants_of(SILICON).crystal)
    with pytest.raises(LibraryError, match="no such library"):
        charges_from_library(tmp_path / "absent.zarr", salt)


def test_charges_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    NACL.atoms.write("salt.cif")
    pack_archive(tmp_path, NACL, name="charged.tar.lzma")
    options = ("--engine", LENNARD_JONES, "--supercell", "1 1 1", "--kinds", "dos", "--no-relax", "--no-plot")
    result = run("simulate", "salt.cif", *options, "--born", "charged.tar.lzma", "--cache", "kept")
    assert result.exit_code == 0, result.output
    assert inscape.Prediction.load("salt.nc").dataset.attrs["born_source"] == "charged.tar.lzma"
    assert "LO–TO" not in result.stderr
