"""Force constants and modes: every way to read gives the same, frequencies are right, what is broken is refused."""

import lzma
from dataclasses import replace

import numpy as np
import pytest

import inscape.lattice.dipoles as dipoles
from crystals import (
    BRUCITE,
    CUTOFF,
    MATERIALS,
    NACL,
    QUARTZ,
    SILICON,
    SIMPLE_CUBIC,
    SLIDING,
    ZINC_OXIDE,
    force_constants_of,
    pack_archive,
    phonopy_of,
    write_folder,
)
from inscape.errors import ForceConstantsError
from inscape.lattice import ForceConstants, from_phonopy, modes_at, modes_on_mesh, read_force_constants
from inscape.lattice.inversion import diagonalised
from inscape.structures import Crystal, read_structure
from inscape.units import HBAR2_2U, THZ

Q = np.random.default_rng(0).uniform(-0.5, 0.5, (6, 3))


def energies(force_constants, q=Q):
    return modes_at(force_constants, q).energies


# ---- reading


@pytest.fixture(scope="module")
def zinc_oxide():
    return force_constants_of(ZINC_OXIDE)


@pytest.mark.parametrize("material", [NACL, ZINC_OXIDE, QUARTZ], ids=lambda m: m.name)
def test_an_archive_holds_the_springs(material, tmp_path):
    read = read_force_constants(pack_archive(tmp_path, material))
    assert read.has_born == bool(material.charges)
    np.testing.assert_allclose(energies(read), energies(force_constants_of(material)), atol=1e-6)


def test_a_folder_gives_the_same(tmp_path, zinc_oxide):
    read = read_force_constants(write_folder(tmp_path / "zno", ZINC_OXIDE))
    np.testing.assert_allclose(energies(read), energies(zinc_oxide), atol=1e-6)


@pytest.mark.parametrize("name", ["phonopy_params.yaml", "phonopy.yaml"])
@pytest.mark.parametrize("holds", ["force_sets", "force_constants"])
def test_a_yaml_file_gives_the_same(tmp_path, zinc_oxide, name, holds):
    phonopy_of(ZINC_OXIDE).save(tmp_path / name, settings={"force_sets": False, "force_constants": False, holds: True})
    for path in (tmp_path / name, tmp_path):
        read = read_force_constants(path)
        assert read.has_born
        np.testing.assert_allclose(energies(read), energies(zinc_oxide), atol=1e-5)


def test_a_yaml_file_with_forces_and_charges_beside_it(tmp_path, zinc_oxide):
    folder = write_folder(tmp_path / "zno", ZINC_OXIDE)
    ph = phonopy_of(ZINC_OXIDE, born=False)
    ph.save(folder / "phonopy.yaml", settings={"force_sets": False, "force_constants": False, "displacements": True})
    read = read_force_constants(folder / "phonopy.yaml")
    assert read.has_born
    np.testing.assert_allclose(energies(read), energies(zinc_oxide), atol=1e-5)


def test_born_charges_without_the_unit_factor(tmp_path):
    """Some files of the database have a comment in place of the factor."""
    with_factor = read_force_constants(pack_archive(tmp_path, NACL, name="a.tar.lzma"))
    without = read_force_constants(pack_archive(tmp_path, NACL, name="b.tar.lzma", unit_factor=False))
    np.testing.assert_allclose(energies(without), energies(with_factor), atol=1e-9)


def test_primitive_axes_have_two_spellings_and_an_automatic_one(tmp_path):
    fc = force_constants_of(NACL)
    expected, cartesian = energies(fc), energies(fc, Q @ fc.crystal.lattice.T / (2 * np.pi))
    for index, change in enumerate(("PRIMITIVE_AXES", "primitive_axis")):
        path = pack_archive(
            tmp_path, NACL, name=f"{index}.tar.lzma",
            change={"phonopy.conf": lambda text, key=change: text.replace("PRIMITIVE_AXIS", key) + " # a comment\n"},
        )  # fmt: skip
        np.testing.assert_allclose(energies(read_force_constants(path)), expected, atol=1e-6)
    left_out = {"phonopy.conf": lambda text: text.splitlines()[0]}
    found = read_force_constants(pack_archive(tmp_path, NACL, name="auto.tar.lzma", change=left_out))
    np.testing.assert_allclose(energies(found, Q @ found.crystal.lattice.T / (2 * np.pi)), cartesian, atol=1e-6)


# ---- refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"leave_out": ["FORCE_SETS"]}, "expected POSCAR-unitcell, phonopy.conf"),
        ({"leave_out": ["POSCAR-unitcell"]}, "expected POSCAR-unitcell, phonopy.conf"),
        ({"leave_out": ["phonopy.conf"]}, "expected POSCAR-unitcell, phonopy.conf"),
        ({"change": {"phonopy.conf": lambda text: text.replace("DIM", "DIMS")}}, "sets no DIM"),
        ({"change": {"phonopy.conf": lambda text: text.replace("2", "3")}}, "cannot be read"),
        ({"change": {"FORCE_SETS": lambda text: text[: len(text) // 2]}}, "cannot be read"),
        ({"change": {"FORCE_SETS": lambda text: "64\n1\n\nnothing here\n"}}, "cannot be read"),
        ({"change": {"POSCAR-unitcell": lambda text: text[:80]}}, "cannot be read"),
        ({"change": {"BORN": lambda text: "\n".join(text.splitlines()[:2])}}, "cannot be read"),
    ],
)
def test_a_broken_archive_is_refused(tmp_path, options, message):
    path = pack_archive(tmp_path, NACL, **options)
    with pytest.raises(ForceConstantsError, match=message) as refusal:
        read_force_constants(path)
    assert str(path) in str(refusal.value)


def test_forces_that_are_no_numbers_are_refused(tmp_path):
    path = pack_archive(tmp_path, NACL, change={"FORCE_SETS": lambda text: _spoil(text)})
    with pytest.raises(ForceConstantsError, match="NaN or infinite"):
        read_force_constants(path)


@pytest.mark.parametrize("full", [False, True])
def test_force_constants_that_break_the_sum_rule_badly_are_refused(full):
    """A force on an atom where all atoms move together; little of it is error that symmetrisation takes away."""
    for share, broken in ((0.01, False), (0.2, True)):
        ph = phonopy_of(NACL)
        ph.produce_force_constants(calculate_full_force_constants=full, show_drift=False)
        rows = np.arange(len(ph.force_constants))
        ph.force_constants[rows, rows if full else ph.primitive.p2s_map] *= 1 + share
        if broken:
            with pytest.raises(ForceConstantsError, match=r"of atom \d with all atoms sum to .* expected 0 within 5%"):
                from_phonopy(ph)
        else:
            fc = from_phonopy(ph)
            assert np.abs(fc.array.sum(axis=1)).max() < 1e-8


def test_forces_that_do_not_balance_are_refused(tmp_path):
    path = pack_archive(tmp_path, BRUCITE, change={"FORCE_SETS": _without_neighbours})
    with pytest.raises(ForceConstantsError, match=r"atom 1 with all atoms sum to .* compute them again"):
        read_force_constants(path)


def _without_neighbours(text):
    """Forces of the first displacement on the first atom only."""
    lines = text.splitlines()
    return "\n".join("0 0 0" if 6 <= i < 5 + int(lines[0]) else line for i, line in enumerate(lines)) + "\n"


def _spoil(text):
    lines = text.splitlines()
    lines[7] = "nan nan nan"
    return "\n".join(lines)


def test_files_that_are_something_else_are_refused(tmp_path):
    with pytest.raises(ForceConstantsError, match="no such file or folder"):
        read_force_constants(tmp_path / "nowhere.tar.lzma")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ForceConstantsError, match="found nothing of use"):
        read_force_constants(tmp_path / "empty")
    (tmp_path / "letter.txt").write_text("Dear editor")
    with pytest.raises(ForceConstantsError, match="neither a phonondb archive"):
        read_force_constants(tmp_path / "letter.txt")
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(ForceConstantsError):
        read_force_constants(tmp_path / "list.yaml")


@pytest.mark.parametrize("share", [0.2, 0.7, 0.9])
def test_a_download_that_was_cut_short_is_refused(tmp_path, share):
    path = pack_archive(tmp_path, NACL)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ForceConstantsError, match=r"cannot be read|neither a phonondb archive"):
        read_force_constants(path)


def test_an_xz_file_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "materials-id-1-x.tar.lzma"
    path.write_bytes(lzma.compress(b"not a tar file at all"))
    with pytest.raises(ForceConstantsError):
        read_force_constants(path)


def test_displacements_without_forces_are_refused(tmp_path):
    ph = phonopy_of(NACL)
    ph.force_constants = None
    with pytest.raises(ForceConstantsError, match="no forces or force constants"):
        from_phonopy(ph)


def test_a_cell_that_is_not_primitive_is_refused(tmp_path):
    whole = {"phonopy.conf": lambda text: text.splitlines()[0] + "\nPRIMITIVE_AXIS = 1 0 0 0 1 0 0 0 1\n"}
    with pytest.raises(ForceConstantsError, match="has 8 atoms, symmetry finds 2"):
        read_force_constants(pack_archive(tmp_path, NACL, change=whole, leave_out=["BORN"]))


# ---- modes


def test_a_simple_cubic_crystal_in_closed_form():
    """With springs to the six nearest neighbours the three directions decouple."""
    fc = force_constants_of(SIMPLE_CUBIC)
    a, mass = float(fc.crystal.lattice[0, 0]), fc.crystal.masses[0]
    stretch = 195 * np.exp(-a / 0.56) * (1 - (a / CUTOFF) ** 2) * 1000
    sines = np.sin(np.pi * Q) ** 2
    for energy, sine in zip(energies(fc), sines, strict=True):
        stiffness = 4 * stretch * (sine + SLIDING * (sine.sum() - sine))
        np.testing.assert_allclose(energy, np.sort(np.sqrt(2 * HBAR2_2U * stiffness / mass)), rtol=1e-6)


@pytest.mark.parametrize("material", MATERIALS, ids=lambda m: m.name)
def test_acoustic_modes_vanish_at_gamma_and_all_others_are_real(material):
    fc = force_constants_of(material, born=False)
    at_gamma = energies(fc, [[0, 0, 0]])[0]
    assert np.abs(at_gamma[:3]).max() < 1e-4
    assert np.all(at_gamma[3:] > 1)
    assert energies(fc).min() > 0


def test_charges_split_longitudinal_from_transverse_modes():
    near = [[1e-4, 1e-4, 0]]
    without, born = (energies(force_constants_of(NACL, born=b), near)[0, 3:] for b in (False, True))
    assert np.ptp(without) == pytest.approx(0, abs=1e-4)
    assert born[:2] == pytest.approx(without[:2], abs=1e-3)
    assert born[2] > without[2] + 1


def test_a_larger_supercell_changes_nothing():
    np.testing.assert_allclose(
        energies(force_constants_of(NACL, born=False, dim=(3, 3, 3))),
        energies(force_constants_of(NACL, born=False)),
        atol=1e-6,
    )


@pytest.mark.parametrize("material", [NACL, ZINC_OXIDE, BRUCITE], ids=lambda m: m.name)
def test_polarisations_are_orthonormal(material):
    e = modes_at(force_constants_of(material), Q).polarisations
    flat = e.reshape(len(Q), e.shape[1], -1)
    overlaps = np.einsum("qmx,qnx->qmn", flat, flat.conj())
    np.testing.assert_allclose(overlaps, np.broadcast_to(np.eye(e.shape[1]), overlaps.shape), atol=1e-12)


@pytest.mark.parametrize("material", [NACL, SILICON, BRUCITE], ids=lambda m: m.name)
def test_a_centre_of_inversion_makes_dynamical_matrices_real(material, monkeypatch):
    fc = force_constants_of(material)
    matrices = fc.matrices(Q, np.zeros_like(Q))
    expected = np.linalg.eigvalsh(matrices)
    seen = []
    monkeypatch.setattr(np.linalg, "eigh", lambda x, eigh=np.linalg.eigh: (seen.append(x.dtype), eigh(x))[1])
    squares, modes = diagonalised(matrices, fc.crystal)
    assert seen == [np.float64]
    size = np.abs(expected).max()
    np.testing.assert_allclose(squares, expected, atol=1e-12 * size)
    np.testing.assert_allclose(matrices @ modes, modes * squares[:, None], atol=1e-12 * size)
    np.testing.assert_allclose(
        modes.conj().mT @ modes, np.broadcast_to(np.eye(squares.shape[1]), modes.shape), atol=1e-12
    )


def test_force_constants_need_not_have_the_inversion_of_their_crystal():
    crystal = force_constants_of(BRUCITE).crystal
    rng = np.random.default_rng(0)
    any_, other = rng.normal(size=(2, 4, 3 * crystal.n_atoms, 3 * crystal.n_atoms))
    matrices = any_ + 1j * other
    matrices += matrices.conj().mT
    squares, modes = diagonalised(matrices, crystal)
    np.testing.assert_allclose(matrices @ modes, modes * squares[:, None], atol=1e-12)


@pytest.mark.parametrize("material", [NACL, ZINC_OXIDE, QUARTZ], ids=lambda m: m.name)
def test_a_mesh_is_as_fine_as_asked_and_its_weights_sum_to_one(material):
    fc = force_constants_of(material)
    modes = modes_on_mesh(fc, 0.5)
    assert modes.weights.sum() == pytest.approx(1)
    assert modes.weights.min() > 0
    assert not np.any(np.all(modes.q == 0, axis=1))
    assert len(modes_on_mesh(fc, 0.25).q) > len(modes.q)


@pytest.mark.parametrize("material", [NACL, ZINC_OXIDE, QUARTZ], ids=lambda m: m.name)
def test_an_irreducible_mesh_stands_for_the_whole(material):
    """The mean square of all energies, a trace, comes out as on the full mesh."""
    fc = force_constants_of(material, born=False)
    modes = modes_on_mesh(fc, 0.5)
    mesh = np.ceil(np.linalg.norm(fc.crystal.reciprocal, axis=1) / 0.5 - 1e-12).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in mesh), indexing="ij"), axis=-1).reshape(-1, 3)
    quarters = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]]) / (4 * mesh)
    whole = (energies(fc, grid[1:]) ** 2).sum() + (energies(fc, quarters) ** 2).sum() / 4
    assert (modes.energies**2).sum(axis=1) @ modes.weights == pytest.approx(whole / len(grid), rel=1e-9)


@pytest.mark.parametrize("material", [ZINC_OXIDE, QUARTZ], ids=lambda m: m.name)
def test_operations_map_like_atoms_onto_each_other(material):
    modes = modes_on_mesh(force_constants_of(material), 1.0)
    numbers = modes.crystal.numbers
    for rotation, permutation in zip(modes.rotations, modes.permutations, strict=True):
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
        assert sorted(permutation) == list(range(len(numbers)))
        np.testing.assert_array_equal(numbers[permutation], numbers)


def test_operations_are_those_that_hold_where_the_symmetry_is_found_loosely():
    """An atom 0.01 Å off: cubic within 0.1 Å, and yet only the inversion takes atoms to where atoms are."""
    silicon = read_structure(SILICON.atoms)
    cell, positions = silicon.lattice, silicon.positions
    moved = positions + np.array([[0, 0, 0], [0.002, 0.001, 0.0005]])
    crystal = Crystal.from_cell(cell, moved, [14, 14], symprec=0.1)
    assert len(crystal.rotations) == 48
    assert len(crystal.operations.turns) == len(crystal.operations.permutations) == 2
    assert len(Crystal.from_cell(cell, positions, [14, 14]).operations.turns) == 48


@pytest.mark.parametrize("dim", [(1, 1, 1), (2, 2, 1)])
def test_how_the_sum_over_dipoles_is_split_does_not_matter(dim, monkeypatch):
    """A sharper splitting gives the same modes; the number of G that phonopy takes does not in a small supercell."""
    charged = replace(QUARTZ, charges={"Si": 3.2, "O": -1.6}, dim=dim)
    found = energies(force_constants_of(charged))
    monkeypatch.setattr(dipoles, "SPREAD", 4.5)
    monkeypatch.setattr(dipoles, "SMALLEST_WEIGHT", 1e-10)
    np.testing.assert_allclose(energies(force_constants_of(charged)), found, atol=0.02)
    phonopy = force_constants_of(charged).phonopy
    phonopy.nac_params = {k: v for k, v in phonopy.nac_params.items() if k not in {"Lambda", "G_cutoff"}}
    assert np.abs(phonopy.run_qpoints(Q).frequencies * THZ - found).max() > 0.2


@pytest.mark.parametrize(
    "material", [NACL, ZINC_OXIDE, replace(QUARTZ, charges={"Si": 3.2, "O": -1.6})], ids=lambda m: m.name
)
def test_the_sum_over_dipoles_is_that_of_phonopy(material):
    """With the same splitting; phonopy sums pair by pair."""
    fc = force_constants_of(material)
    assert fc.has_born
    theirs = fc.phonopy.run_qpoints(Q).frequencies * THZ
    np.testing.assert_allclose(energies(fc), theirs, atol=1e-4)


# ---- arrays


@pytest.mark.parametrize("material", [ZINC_OXIDE, QUARTZ], ids=lambda m: m.name)
def test_arrays_hold_everything(material):
    fc = force_constants_of(material)
    again = ForceConstants.from_arrays({k: v.copy() for k, v in fc.arrays().items()})
    assert again.has_born == fc.has_born
    assert again.crystal.digest == fc.crystal.digest
    np.testing.assert_allclose(energies(again), energies(fc), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("material", [NACL, ZINC_OXIDE, QUARTZ], ids=lambda m: m.name)
def test_modes_far_from_gamma_are_those_near_it(material):
    """The dipole term, too, is periodic in reciprocal space."""
    fc = force_constants_of(material)
    for shift in ([1, 0, 0], [2, -2, 1], [5, 4, 3]):
        np.testing.assert_allclose(energies(fc, Q + shift), energies(fc), atol=1e-9)
