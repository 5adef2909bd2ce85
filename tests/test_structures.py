"""Structures: laws of the primitive cell and its symmetry, readers of each format, isotopes, refusals."""

import io
import tarfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.build import bulk, make_supercell, molecule

from inscape.cells.isotopes import ISOTOPES
from inscape.cells.space_groups import operations_of_name
from inscape.errors import StructureError
from inscape.structures import MAX_ATOMS, Crystal, laue_rotations, read_structure, read_structures

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SAMPLE = sorted((ROOT.parent / "shared" / "data" / "phonondb_sample").glob("*.tar.lzma"))[:30]

EXPECTED = {  # name: formula, space group, atoms, shortest distance in Å (from the papers named in the files)
    "quartz.cif": ("SiO2", 154, 9, 1.605),
    "nacl.cif": ("NaCl", 225, 2, 2.820),
    "silicon.cif": ("Si", 227, 2, 2.352),
    "mgo.vasp": ("MgO", 225, 2, 2.107),
    "rutile.cif": ("TiO2", 136, 6, 1.949),
    "corundum.cif": ("Al2O3", 167, 10, 1.854),
    "brucite.cif": ("MgH2O2", 164, 5, 0.919),
    "aluminium.cif": ("Al", 225, 1, 2.863),
}

POSCAR = """two atoms
1.0
4.0 0.0 0.0
0.0 4.1 0.0
0.0 0.0 4.2
H O
1 1
Direct
0.0 0.0 0.0
0.5 0.5 0.5
"""

EXTXYZ = """2
Lattice="4 0 0 0 4.1 0 0 0 4.2" Properties=species:S:1:pos:R:3 pbc="T T T"
H 0.0 0.0 0.0
O 2.0 2.05 2.1
"""

CIF = """data_test
_cell_length_a 4.0
_cell_length_b 4.1
_cell_length_c 4.2
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
H1 H 0 0 0 1.0
O1 O 0.5 0.5 0.5 1
"""


@pytest.fixture(params=EXPECTED)
def crystal(request):
    return read_structure(EXAMPLES / request.param)


def cells_of(crystal):
    """The crystal as ASE atoms in other cells: conventional, a skew supercell, both shuffled."""
    atoms = crystal.to_ase()
    random = np.random.default_rng(0)
    for matrix in (crystal.conventional_transformation, [[1, 1, 0], [0, 2, 0], [0, -1, 1]]):
        larger = make_supercell(atoms, np.asarray(matrix, dtype=int))
        yield larger[random.permutation(len(larger))]


def is_same_set(crystal, positions, tolerance=1e-3):
    """Whether fractional positions are those of the crystal, modulo lattice vectors, species by species."""
    difference = positions[:, None] - crystal.positions[None]
    difference -= np.rint(difference)
    near = np.linalg.norm(difference @ crystal.lattice, axis=-1) < tolerance
    alike = crystal.numbers[:, None] == crystal.numbers[None]
    return bool(np.all((near & alike).sum(axis=1) == 1))


# ---- laws ----


def test_a_primitive_cell_is_kept_as_it_is(crystal):
    again = Crystal.from_cell(crystal.lattice, crystal.positions, crystal.numbers)
    np.testing.assert_array_equal(again.lattice, crystal.lattice)
    np.testing.assert_array_equal(again.positions, crystal.positions)
    np.testing.assert_array_equal(again.numbers, crystal.numbers)
    assert again.digest == crystal.digest


def test_larger_cells_give_the_same_crystal(crystal):
    for larger in cells_of(crystal):
        found = read_structure(larger)
        assert found.n_atoms == crystal.n_atoms
        assert found.formula == crystal.formula
        assert found.volume == pytest.approx(crystal.volume, rel=1e-9)
        assert found.space_group == crystal.space_group
        assert len(found.rotations) == len(crystal.rotations)


def test_the_frame_is_never_rotated(crystal):
    for larger in cells_of(crystal):
        found = read_structure(larger)
        change = found.lattice @ np.linalg.inv(crystal.lattice)
        np.testing.assert_allclose(change, np.rint(change), atol=1e-8)
        cartesian = found.positions @ found.lattice
        order = np.argsort(found.numbers, kind="stable")
        same = Crystal.from_cell(
            crystal.lattice, crystal.positions[np.argsort(crystal.numbers, kind="stable")], np.sort(crystal.numbers)
        )
        assert is_same_set(same, cartesian[order] @ np.linalg.inv(crystal.lattice))


def test_conventional_cell_is_a_whole_number_of_primitive_cells(crystal):
    p = crystal.conventional_transformation
    np.testing.assert_array_equal(p, np.rint(p))
    np.testing.assert_allclose(crystal.conventional_lattice, p @ crystal.lattice, atol=1e-12)
    centring = {"P": 1, "I": 2, "C": 2, "A": 2, "R": 3, "F": 4}[crystal.space_group[0]]
    assert np.linalg.det(p) == pytest.approx(centring)


def test_conventional_cell_of_a_cubic_crystal_is_a_cube():
    crystal = read_structure(EXAMPLES / "mgo.vasp")
    np.testing.assert_allclose(np.abs(crystal.conventional_lattice), 4.2136 * np.eye(3), atol=1e-9)


def test_reciprocal_lattices(crystal):
    for lattice, reciprocal in (
        (crystal.lattice, crystal.reciprocal),
        (crystal.conventional_lattice, crystal.reciprocal_conventional),
    ):
        np.testing.assert_allclose(lattice @ reciprocal.T, 2 * np.pi * np.eye(3), atol=1e-9)


def test_rotations_map_the_crystal_onto_itself(crystal):
    first = np.flatnonzero(crystal.numbers == crystal.numbers[0])
    for rotation in crystal.rotations:
        turned = crystal.positions @ rotation.T
        shifts = crystal.positions[first] - turned[first[0]]
        assert any(is_same_set(crystal, turned + shift) for shift in shifts)


def test_rotations_form_a_group_of_isometries(crystal):
    metric = crystal.lattice @ crystal.lattice.T
    known = {w.tobytes() for w in crystal.rotations}
    assert len(known) == len(crystal.rotations)
    for w in crystal.rotations:
        np.testing.assert_allclose(w.T @ metric @ w, metric, atol=1e-4)
        assert {np.ascontiguousarray(w @ v).tobytes() for v in crystal.rotations} == known


def test_laue_rotations(crystal):
    laue = laue_rotations(crystal)
    known = {w.tobytes() for w in laue}
    assert len(known) == len(laue)
    assert np.ascontiguousarray(-np.eye(3, dtype=laue.dtype)).tobytes() in known
    assert len(laue) in (len(crystal.rotations), 2 * len(crystal.rotations))
    q = np.array([0.13, 0.29, -0.41])
    lengths = np.linalg.norm(q @ laue @ crystal.reciprocal, axis=-1)
    np.testing.assert_allclose(lengths, np.linalg.norm(q @ crystal.reciprocal), rtol=1e-5)


def test_laue_rotations_keep_structure_factors():
    """|F(G)|² at whole-number G is the same for all of ``G @ W``; quartz, which has no inversion, tells W from Wᵀ."""
    crystal = read_structure(EXAMPLES / "quartz.cif")

    def intensity(g):
        return np.abs((crystal.numbers * np.exp(2j * np.pi * crystal.positions @ g)).sum()) ** 2

    for g in ([1, 0, 2], [2, 1, 1], [3, -1, 2]):
        star = [intensity(row) for row in np.array(g) @ laue_rotations(crystal)]
        np.testing.assert_allclose(star, star[0], rtol=1e-2)


def test_shifting_the_origin_keeps_symmetry(crystal):
    shifted = Crystal.from_cell(crystal.lattice, crystal.positions + np.array([0.123, 0.234, 0.345]), crystal.numbers)
    assert shifted.space_group == crystal.space_group
    np.testing.assert_array_equal(shifted.rotations, crystal.rotations)
    np.testing.assert_array_equal(shifted.conventional_lattice, crystal.conventional_lattice)


def test_turning_the_crystal_turns_its_cells(crystal):
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    turned = Crystal.from_cell(crystal.lattice @ turn, crystal.positions, crystal.numbers)
    assert turned.space_group == crystal.space_group
    np.testing.assert_array_equal(turned.lattice, crystal.lattice @ turn)
    metric = turned.conventional_lattice @ turned.conventional_lattice.T
    np.testing.assert_allclose(metric, crystal.conventional_lattice @ crystal.conventional_lattice.T, atol=1e-6)


def test_digest_does_not_depend_on_the_order_of_atoms(crystal):
    order = np.random.default_rng(2).permutation(crystal.n_atoms)
    shuffled = Crystal.from_cell(crystal.lattice, crystal.positions[order], crystal.numbers[order])
    assert shuffled.digest == crystal.digest
    assert len(crystal.digest) == 64


def test_digest_does_not_depend_on_lattice_translations_and_rounding(crystal):
    moved = Crystal.from_cell(crystal.lattice + 1e-10, crystal.positions - 2 + 1e-12, crystal.numbers)
    assert moved.digest == crystal.digest


def test_digest_tells_crystals_apart():
    digests = {loaded.crystal.digest for loaded in read_structures(EXAMPLES)}
    assert len(digests) == len(EXPECTED)
    hydrogen = Crystal.from_cell(4 * np.eye(3), [[0, 0, 0]], [1])
    deuterium = Crystal.from_cell(4 * np.eye(3), [[0, 0, 0]], [1], isotopes=[2])
    assert hydrogen.digest != deuterium.digest


def test_positions_are_wrapped_and_arrays_read_only():
    crystal = Crystal.from_cell(4 * np.eye(3), [[-1e-17, 1.25, -0.25]], [14])
    np.testing.assert_allclose(crystal.positions, [[0, 0.25, 0.75]])
    assert crystal.positions.max() < 1
    with pytest.raises(ValueError, match="read-only"):
        crystal.positions[0, 0] = 0.5


def test_left_handed_cells_are_allowed():
    crystal = Crystal.from_cell(np.diag([4.0, 4.1, -4.2]), [[0, 0, 0]], [14])
    assert crystal.volume == pytest.approx(4.0 * 4.1 * 4.2)


@pytest.mark.parametrize(
    ("numbers", "formula"),
    [([6, 1, 1, 8], "CH2O"), ([17, 11], "NaCl"), ([8, 1, 1], "H2O"), ([8, 8, 14], "SiO2"), ([7, 7, 1, 1], "NH")],
)
def test_formula_is_reduced_and_electropositive_first(numbers, formula):
    positions = [[k / len(numbers), 0.1 * k, 0] for k in range(len(numbers))]
    assert Crystal.from_cell(9 * np.eye(3), positions, numbers).formula == formula


# ---- examples and data ----


@pytest.mark.parametrize("name", EXPECTED)
def test_examples(name):
    formula, number, n_atoms, distance = EXPECTED[name]
    crystal = read_structure(EXAMPLES / name)
    assert (crystal.formula, crystal.space_group_number, crystal.n_atoms) == (formula, number, n_atoms)
    atoms = make_supercell(crystal.to_ase(), 2 * np.eye(3, dtype=int))
    distances = atoms.get_all_distances(mic=True)
    assert distances[distances > 1e-3].min() == pytest.approx(distance, abs=1e-3)


def test_every_example_is_expected_and_described():
    described = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert {p.name for p in EXAMPLES.iterdir() if p.is_file()} - {"README.md"} == set(EXPECTED)
    assert all(name in described for name in EXPECTED)


@pytest.mark.parametrize("archive", SAMPLE, ids=lambda p: p.name.split(".")[0])
def test_archives_of_phonondb(archive, tmp_path):
    *_, expected = archive.name.removesuffix(".tar.lzma").split("-")
    with tarfile.open(archive, "r:xz") as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith("POSCAR-unitcell"))
        (tmp_path / "POSCAR-unitcell").write_bytes(tar.extractfile(member).read())
    crystal = read_structure(tmp_path / "POSCAR-unitcell")
    assert crystal.space_group_number == int(expected)
    again = Crystal.from_cell(crystal.lattice, crystal.positions, crystal.numbers)
    assert again.digest == crystal.digest


def test_archives_of_phonondb_are_there():
    if not SAMPLE:
        pytest.skip("shared/data/phonondb_sample is not there")


# ---- readers ----


def written(folder, name, **options):
    """Path of quartz written by ASE."""
    atoms = read_structure(EXAMPLES / "quartz.cif").to_ase()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ase.io.write(folder / name, atoms, **options)
    return folder / name


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("quartz.cif", {}),
        ("POSCAR", {"format": "vasp"}),
        ("CONTCAR-relaxed", {"format": "vasp", "direct": True}),
        ("quartz.vasp", {"format": "vasp"}),
        ("quartz.extxyz", {"format": "extxyz"}),
        ("quartz.xyz", {"format": "extxyz"}),
        ("quartz.xsf", {}),
        ("quartz.traj", {}),
        ("quartz.json", {}),
        ("quartz.cif.gz", {}),
        ("quartz@1.cif", {"format": "cif"}),
    ],
)
def test_formats(tmp_path, name, options):
    crystal = read_structure(written(tmp_path, name, **options))
    assert crystal.space_group == "P3_221"
    assert crystal.formula == "SiO2"
    assert crystal.volume == pytest.approx(113.131, abs=1e-2)


def test_path_may_be_a_string_and_hold_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path, "quartz.cif")
    assert read_structure("~/quartz.cif").n_atoms == 9


def test_reading_back_keeps_the_digest(tmp_path):
    crystal = read_structure(EXAMPLES / "corundum.cif")
    ase.io.write(tmp_path / "POSCAR", crystal.to_ase(), format="vasp", direct=True)
    assert read_structure(tmp_path / "POSCAR").digest == crystal.digest


def test_crystals_pass_through_and_atoms_are_read():
    crystal = read_structure(bulk("MgO", "rocksalt", a=4.21))
    assert read_structure(crystal) is crystal
    assert (crystal.formula, crystal.space_group) == ("MgO", "Fm-3m")


def test_atoms_are_not_changed_and_magnetic_moments_are_ignored():
    atoms = bulk("NiO", "rocksalt", a=4.17, cubic=True)
    atoms.set_initial_magnetic_moments([2, 0, -2, 0, 2, 0, -2, 0])
    before = atoms.copy()
    assert read_structure(atoms).n_atoms == 2
    assert atoms == before


def pymatgen_like(symbols, ordered=True):
    """What inscape uses of a pymatgen ``Structure``."""
    sites = [
        SimpleNamespace(is_ordered=ordered, specie=SimpleNamespace(symbol=s), species_string=f"{s}:0.5")
        for s in symbols
    ]
    lattice = SimpleNamespace(matrix=4 * np.eye(3))
    coordinates = np.arange(len(symbols))[:, None] * [0.5, 0.5, 0.5]
    return SimpleNamespace(lattice=lattice, frac_coords=coordinates, is_ordered=ordered, sites=sites)


def test_objects_like_those_of_pymatgen():
    crystal = read_structure(pymatgen_like(["Cs", "Cl"]))
    assert (crystal.formula, crystal.space_group) == ("CsCl", "Pm-3m")
    assert read_structure(pymatgen_like(["D", "Li"])).symbols == ("D", "Li")


@pytest.mark.filterwarnings("ignore")
def test_structures_of_pymatgen():
    core = pytest.importorskip("pymatgen.core")
    lattice = core.Lattice.cubic(4.12)
    ordered = core.Structure(lattice, ["Cs+", "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert read_structure(ordered).space_group == "Pm-3m"
    with pytest.raises(StructureError, match="partial occupancy"):
        read_structure(core.Structure(lattice, [{"Cs": 0.5}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    with pytest.raises(StructureError, match="got Molecule"):
        read_structure(core.Molecule(["O", "H"], [[0, 0, 0], [0, 0, 1]]))


# ---- CIF ----


def cif_with(tmp_path, old, new, name="test.cif"):
    assert old in CIF
    (tmp_path / name).write_text(CIF.replace(old, new), encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize(
    ("text", "symbol"),
    [("SI4+", "Si"), ("si", "Si"), ("O2-", "O"), ("Si0+", "Si"), ("D", "D"), ("2H", "D"), ("T", "T")],
)
def test_symbols_of_cif_types(tmp_path, text, symbol):
    assert symbol in read_structure(cif_with(tmp_path, "H1 H 0", f"H1 {text} 0")).symbols


@pytest.mark.parametrize(("label", "symbol"), [("Si1", "Si"), ("OW2", "O"), ("Ca2", "Ca"), ("H1A", "H"), ("O1", "O")])
def test_symbols_of_cif_labels(tmp_path, label, symbol):
    text = CIF.replace("_atom_site_type_symbol\n", "").replace("H1 H 0", f"{label} 0").replace("O1 O 0.5", "N1 0.5")
    (tmp_path / "test.cif").write_text(text, encoding="utf-8")
    assert symbol in read_structure(tmp_path / "test.cif").symbols


def test_cif_coordinates_of_four_digits_keep_their_symmetry(tmp_path):
    text = (EXAMPLES / "brucite.cif").read_text(encoding="utf-8")
    text = text.replace("0.33333", "0.3333").replace("0.66667", "0.6667")
    (tmp_path / "brucite.cif").write_text(text, encoding="utf-8")
    crystal = read_structure(tmp_path / "brucite.cif")
    assert crystal.space_group == "P-3m1"
    np.testing.assert_allclose(sorted(crystal.positions[:, 0])[1:], [1 / 3, 1 / 3, 2 / 3, 2 / 3], atol=1e-12)


def test_cif_in_rhombohedral_and_hexagonal_axes(tmp_path):
    """R-3c without operations: the cell tells the setting."""
    hexagonal = read_structure(EXAMPLES / "corundum.cif")
    lengths, angles = hexagonal.to_ase().cell.lengths(), hexagonal.to_ase().cell.angles()
    np.testing.assert_allclose(lengths, lengths[0])
    x = 0.25 + 0.30625  # O at (1/4 + x, 1/4 − x, 1/4) in rhombohedral axes
    text = CIF.split("_cell_length_a")[0] + "".join(
        [
            *(f"_cell_length_{k} {lengths[0]}\n" for k in "abc"),
            *(f"_cell_angle_{k} {angles[0]}\n" for k in ("alpha", "beta", "gamma")),
            "_symmetry_space_group_name_H-M 'R -3 c'\nloop_\n_atom_site_type_symbol\n",
            *(f"_atom_site_fract_{k}\n" for k in "xyz"),
            f"Al 0.35218 0.35218 0.35218\nO {x} {0.5 - x} 0.25\n",
        ]
    )
    (tmp_path / "corundum.cif").write_text(text, encoding="utf-8")
    crystal = read_structure(tmp_path / "corundum.cif")
    assert crystal.space_group == "R-3c"
    assert crystal.volume == pytest.approx(hexagonal.volume)
    np.testing.assert_allclose(
        np.sort(crystal.to_ase().get_all_distances(mic=True).ravel()),
        np.sort(hexagonal.to_ase().get_all_distances(mic=True).ravel()),
        atol=1e-6,
    )


def test_cif_of_a_setting_other_than_the_standard_one(tmp_path):
    """P 21/n is number 14, whose standard setting has other operations."""
    text = CIF.replace("'P 1'", "'P 1 21/n 1'\n_symmetry_Int_Tables_number 14").replace("beta 90", "beta 100")
    text = text.replace("H1 H 0 0 0", "H1 H 0.1 0.2 0.3").replace("0.5 0.5 0.5", "0.4 0.0 0.15")
    operations = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n1/2-x,1/2+y,1/2-z\n-x,-y,-z\n1/2+x,1/2-y,1/2+z\n"
    (tmp_path / "listed.cif").write_text(text.replace("loop_\n", operations + "loop_\n", 1), encoding="utf-8")
    listed = read_structure(tmp_path / "listed.cif")
    assert (listed.space_group_number, listed.n_atoms) == (14, 8)
    for name in ("P 1 21/n 1", "P 21/n", "P2_1/n"):
        (tmp_path / "named.cif").write_text(text.replace("P 1 21/n 1", name), encoding="utf-8")
        assert read_structure(tmp_path / "named.cif").digest == listed.digest


LATTICES = {
    "cubic": np.eye(3),
    "beta": [[1, 0, 0], [0, 1, 0], [-0.2, 0, 1]],
    "gamma": [[1, 0, 0], [-0.2, 1, 0], [0, 0, 1]],
}


@pytest.mark.parametrize(
    ("name", "lattice", "setting"),  # settings are those of spglib's table of Hall symbols
    [
        ("P 21/c", "beta", 81),
        ("P 21/n", "beta", 82),
        ("P 21/n", "gamma", 85),
        ("P 1 1 21/b", "gamma", 86),
        ("C 2/c", "cubic", 90),
        ("P n m a", "cubic", 292),
        ("P b n m", "cubic", 294),
        ("C m c a", "cubic", 304),
        ("F m 3 m", "cubic", 523),
        ("Ia3d", "cubic", 530),
        ("F d -3 m :1", "cubic", 525),
        ("F d -3 m Z", "cubic", 526),
        ("R -3 c H", "cubic", 460),
        ("R -3 c", "cubic", 461),
        ("P 42/m n m", "cubic", 419),
    ],
)
@pytest.mark.filterwarnings("ignore:.*OLD_ERROR_HANDLING")
def test_names_of_space_groups(name, lattice, setting):
    rotations, translations = operations_of_name(name, np.array(LATTICES[lattice], dtype=float))
    expected = spglib.get_symmetry_from_database(setting)
    np.testing.assert_array_equal(rotations, expected["rotations"])
    np.testing.assert_array_equal(translations, expected["translations"])


# ---- isotopes ----


def files_with(symbol):
    """The same crystal with another symbol for hydrogen, in each format."""
    return {
        "test.cif": CIF.replace("H1 H", f"H1 {symbol}"),
        "POSCAR": POSCAR.replace("H O", f"{symbol} O"),
        "test.extxyz": EXTXYZ.replace("H 0.0", f"{symbol} 0.0"),
        "second.xyz": EXTXYZ.replace("species:S:1:pos:R:3", "pos:R:3:species:S:1")
        .replace("H 0.0 0.0 0.0", f"0.0 0.0 0.0 {symbol}")
        .replace("O 2.0 2.05 2.1", "2.0 2.05 2.1 O"),
    }


@pytest.mark.parametrize("symbol", ISOTOPES)
@pytest.mark.parametrize("name", files_with("H"))
def test_isotopes_are_kept(tmp_path, name, symbol):
    (tmp_path / name).write_text(files_with(symbol)[name], encoding="utf-8")
    crystal = read_structure(tmp_path / name)
    number, isotope, mass = ISOTOPES[symbol]
    atom = crystal.symbols.index(symbol)
    assert crystal.numbers[atom] == number
    assert crystal.isotopes == tuple(isotope if k == atom else 0 for k in range(2))
    assert crystal.masses[atom] == pytest.approx(mass)
    assert crystal.formula in ("DO", "TO")
    (tmp_path / name).write_text(files_with("H")[name], encoding="utf-8")
    assert read_structure(tmp_path / name).isotopes == (0, 0)


@pytest.mark.parametrize(
    ("mass", "isotope"), [(2.014, 2), (2.01355, 2), (2.0, 2), (3.016, 3), (1.008, 0), (1.00783, 0)]
)
def test_masses_of_hydrogen_in_atoms_mean_isotopes(mass, isotope):
    atoms = Atoms("HLi", positions=[[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    atoms.set_masses([mass, 6.94])
    crystal = read_structure(atoms)
    assert crystal.isotopes == (isotope, 0)
    assert crystal.masses[0] == pytest.approx({2: 2.01410, 3: 3.01605}.get(isotope, mass), abs=1e-5)
    assert read_structure(crystal.to_ase()).isotopes == crystal.isotopes


def test_deuterium_that_ase_read_from_cif(tmp_path):
    path = cif_with(tmp_path, "H1 H 0", "H1 D 0")
    assert read_structure(ase.io.read(path)).digest == read_structure(path).digest


def test_isotopes_break_translations():
    atoms = bulk("NaH", "rocksalt", a=4.88, cubic=True)
    masses = atoms.get_masses()
    masses[1] = 2.014
    atoms.set_masses(masses)
    crystal = read_structure(atoms)
    assert (crystal.n_atoms, crystal.formula) == (8, "Na4H3D")


def test_other_masses_are_kept():
    atoms = bulk("LiH", "rocksalt", a=4.08)
    atoms.set_masses([7.016, 1.008])
    crystal = read_structure(atoms)
    assert crystal.masses[0] == 7.016
    assert crystal.isotopes == (0, 0)
    named = Crystal.from_cell(atoms.cell[:], [[0, 0, 0], [0.5] * 3], [3, 1], masses=[7.016, 1.008], isotopes=[7, 0])
    assert named.isotopes == (7, 0)


# ---- many ----


def test_folders_and_failures(tmp_path):
    written(tmp_path, "b.cif")
    written(tmp_path, "POSCAR-1", format="vasp")
    (tmp_path / "a.cif").write_text("nothing", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no structure", encoding="utf-8")
    (tmp_path / ".hidden.cif").write_text("no structure", encoding="utf-8")
    loaded = read_structures([tmp_path, bulk("Si"), "missing.cif"])
    assert [Path(entry.name).name for entry in loaded] == ["POSCAR-1", "a.cif", "b.cif", "structure 2", "missing.cif"]
    assert [entry.crystal is None for entry in loaded] == [False, True, False, False, True]
    assert all((entry.crystal is None) != (entry.error is None) for entry in loaded)


def test_one_source_is_a_batch_of_one():
    (entry,) = read_structures(EXAMPLES / "quartz.cif")
    assert entry.crystal.formula == "SiO2"
    (entry,) = read_structures(bulk("Si"))
    assert entry.name == "structure 1"
    assert [e.crystal.formula for e in read_structures(bulk(s) for s in ("Si", "Al"))] == ["Si", "Al"]


def test_folder_without_structures(tmp_path):
    (entry,) = read_structures(tmp_path)
    assert "no structure files" in str(entry.error)


# ---- refusals ----

EYE = 4.0 * np.eye(3)

CELLS = [  # lattice, positions, numbers, options, what the message says
    (np.zeros((3, 3)), [[0, 0, 0]], [14], {}, "no cell"),
    (np.eye(2), [[0, 0, 0]], [14], {}, r"shape \(2, 2\), expected \(3, 3\)"),
    ([[4, 0, 0], [0, 4, 0], [4, 4, 0]], [[0, 0, 0]], [14], {}, "zero volume"),
    ([[4, 0, 0], [0, 4, 0], [0, 0, np.nan]], [[0, 0, 0]], [14], {}, "lattice is not finite"),
    ([[4, 0, 0], [0, 4, 0], [0, 0, np.inf]], [[0, 0, 0]], [14], {}, "lattice is not finite"),
    (1e200 * np.eye(3), [[0, 0, 0]], [14], {}, "lattice is not finite or exceeds"),
    (0.6 * np.eye(3), [[0, 0, 0]], [14], {}, "Å³ per atom"),
    (30 * np.eye(3), [[0, 0, 0]], [14], {}, "empty space around a molecule"),
    (np.diag([0.4, 4, 4]), [[0, 0, 0]], [14], {}, "its own periodic image"),
    ([[4, 0, 0], [3.9, 0.2, 0], [0, 0, 9]], [[0, 0, 0]], [14], {}, "its own periodic image"),
    (EYE, [[0, 0, 0], [0, 0, 0.1]], [14, 8], {}, "atoms 1 and 2 are 0.4 Å apart"),
    (EYE, [[0, 0, 0.05], [0, 0, 0.98]], [14, 8], {}, "0.28 Å apart"),
    (EYE, [[0, 0, 0], [1, -1, 2]], [14, 14], {}, "0 Å apart"),
    (EYE, [[0, 0, np.nan]], [14], {}, "position of atom 1 is"),
    (EYE, [[0, 0, 0], [0.5, np.inf, 0]], [14, 14], {}, "position of atom 2 is"),
    (EYE, [[0, 0, 1e12]], [14], {}, "expected finite fractional coordinates"),
    (EYE, [], [], {}, "no atoms"),
    (EYE, [[0, 0, 0]], [14, 8], {}, "one row an atom"),
    (EYE, [["x", 0, 0]], [14], {}, "positions cannot be read"),
    (EYE, [[0, 0, 0]], [0], {}, "unknown element: atomic number 0"),
    (EYE, [[0, 0, 0]], [119], {}, "unknown element: atomic number 119"),
    (EYE, [[0, 0, 0]], [14.5], {}, "unknown element"),
    (EYE, [[0, 0, 0]], [14], {"masses": [np.nan]}, "masses must be positive"),
    (EYE, [[0, 0, 0]], [14], {"masses": [-1.0]}, "masses must be positive"),
    (EYE, [[0, 0, 0]], [14], {"masses": [28.0, 16.0]}, "2 masses"),
    (EYE, [[0, 0, 0]], [3], {"isotopes": [17]}, r"Li has no isotope 17, expected one of \[4, 5, 6, 7"),
    (EYE, [[0, 0, 0]], [1], {"isotopes": [2], "masses": [1.008]}, "isotope 2 of H but weighs 1.008"),
    (20 * np.eye(3), np.random.default_rng(0).random((6000, 3)), np.full(6000, 14), {}, "at most 2000"),
]


@pytest.mark.parametrize(("lattice", "positions", "numbers", "options", "message"), CELLS)
def test_cells_that_are_refused(lattice, positions, numbers, options, message):
    with pytest.raises(StructureError, match=message) as caught:
        Crystal.from_cell(lattice, positions, numbers, **options)
    assert "\n" not in str(caught.value)


def test_primitive_cells_that_are_too_large():
    grid = np.stack(np.meshgrid(*[np.arange(6) / 6] * 3), axis=-1).reshape(-1, 3)
    positions = grid + np.random.default_rng(0).normal(scale=0.01, size=grid.shape)
    with pytest.raises(StructureError, match=f"has 216 atoms, at most {MAX_ATOMS}"):
        Crystal.from_cell(16 * np.eye(3), positions, np.full(len(grid), 14))


FILES = [  # name, content, what the message says
    ("test.cif", "", "structure is empty"),
    ("test.cif", "garbage", "cannot be read .*CIF, POSCAR"),
    ("test.cif", CIF.split("loop_")[0], "no crystal structure"),
    ("test.cif", CIF + CIF.replace("data_test", "data_second"), r"2 structures \(test, second"),
    ("test.cif", CIF.replace("_cell_length_b 4.1\n", ""), "no cell: _cell_length_b is missing"),
    ("test.cif", CIF.replace("gamma 90", "gamma 200"), "_cell_angle_gamma is 200"),
    ("test.cif", CIF.replace("gamma 90", "gamma ?"), r"_cell_angle_gamma is \?"),
    ("test.cif", CIF.replace("alpha 90", "alpha 10").replace("gamma 90", "gamma 150"), "no cell has the angles"),
    ("test.cif", CIF.replace("_length_c 4.2", "_length_c 0"), "_cell_length_c is 0"),
    ("test.cif", CIF.replace("0.5 1\n", "0.5 0.5\n"), "partial occupancy at site O:0.5"),
    ("test.cif", CIF + "N1 N 0.5 0.5 0.5 1.0\n", "0 Å apart"),
    ("test.cif", CIF.replace("O1 O 0.5", "O1 O ?"), r"site of O is at \(\?, 0.5, 0.5\)"),
    ("test.cif", CIF.replace("O1 O 0.5", "O1 O nan"), "O is at|finite"),
    ("test.cif", CIF.replace("H1 H 0", "H1 Zz 0"), "unknown element 'Zz'"),
    ("test.cif", CIF.replace("H1 H 0", "H1 Wat 0"), "unknown element 'Wat'"),
    ("test.cif", CIF.replace("H1 H 0", "H1 X 0"), "unknown element 'X'"),
    ("test.cif", CIF.replace("_symmetry_space_group_name_H-M 'P 1'\n", ""), "no symmetry"),
    ("test.cif", CIF.replace("'P 1'", "'P 99 z'"), "unknown space group 'P 99 z'"),
    ("test.cif", CIF.replace("'P 1'", "'F d -3 m'"), "two choices of origin"),
    ("test.cif", CIF.replace("_atom_site_type_symbol\n", "").replace(" H 0", " 0").replace("O1 O", "CA1"), "C or Ca"),
    ("POSCAR", POSCAR.replace("H O", "Zz O"), "unknown element 'Zz'"),
    ("POSCAR", POSCAR.replace("0.5 0.5 0.5", "0.5 nan 0.5"), "position of atom 2"),
    ("POSCAR", POSCAR.replace("0.0 0.0 4.2", "0.0 0.0 0.0"), "zero volume"),
    ("POSCAR", POSCAR.replace("0.0 0.0 4.2", "0.0 0.0 nan"), "lattice is not finite"),
    ("POSCAR", POSCAR.replace("Direct", "Cartesian").replace("0.0 0.0 4.2", "0.0 0.0 0.0"), "zero volume"),
    ("POSCAR", POSCAR.replace("0.5 0.5 0.5\n", ""), "cannot be read"),
    ("POSCAR", POSCAR.replace("0.5 0.5 0.5", "0.05 0.0 0.0"), "0.2 Å apart"),
    ("POSCAR", "garbage", "cannot be read"),
    ("test.xyz", EXTXYZ + EXTXYZ, "2 structures, expected one"),
    ("test.xyz", EXTXYZ.replace("O 2.0", "Zz 2.0"), "unknown element 'Zz'"),
    ("test.xyz", EXTXYZ.replace('"T T T"', '"T T F"'), "periodic directions are"),
    ("test.xyz", "2\nno lattice\nH 0 0 0\nO 0 0 1\n", "no cell"),
    ("test.xyz", "garbage", "cannot be read"),
    ("test.json", "{}", "cannot be read"),
    ("test.traj", "nothing", "cannot be read"),
    ("test.txt", "a letter", "cannot be read"),
    ("unnamed", "a letter", "cannot be read"),
    ("test.cif.gz", "not compressed", "cannot be read"),
    ("program.py", "raise SystemExit('it ran')", "a program|cannot be read"),
]


@pytest.mark.parametrize(("name", "content", "message"), FILES)
def test_files_that_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(StructureError, match=message) as caught:
        read_structure(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_binary_rubbish_is_refused(tmp_path):
    for name in ("a.cif", "POSCAR", "a.xyz", "a.traj", "a.xsd", "a.res", "a.cell", "a"):
        (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(3000))
        with pytest.raises(StructureError, match=r"cannot be read|no c"):
            read_structure(tmp_path / name)


def mixed_occupancy():
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    atoms.info["occupancy"] = {"0": {"Na": 0.5, "K": 0.5}, "1": {"Cl": 1.0}}
    return atoms


OBJECTS = [  # source, what the message says
    (molecule("H2O"), "no cell"),
    (Atoms("Si", cell=[3, 3, 3]), "periodic directions are"),
    (Atoms("Si", cell=[3, 3, 0], pbc=True), "zero volume"),
    (Atoms("X", cell=[3, 3, 3], pbc=True), "unknown element"),
    (Atoms(cell=[3, 3, 3], pbc=True), "no atoms"),
    (Atoms(), "periodic|no cell|no atoms"),
    (mixed_occupancy(), "partial occupancy at site Na:0.5, K:0.5"),
    (pymatgen_like(["Cs", "Cl"], ordered=False), "partial occupancy at site Cs:0.5"),
    (pymatgen_like(["Cs", "X"]), "unknown element 'X'"),
    ({"a": 1}, "got dict"),
    (None, "got NoneType"),
    (io.StringIO(POSCAR), "got StringIO"),
]


@pytest.mark.parametrize(("source", "message"), OBJECTS)
def test_objects_that_are_refused(source, message):
    with pytest.raises(StructureError, match=message) as caught:
        read_structure(source)
    assert "\n" not in str(caught.value)


def test_missing_files_name_similar_ones(tmp_path):
    written(tmp_path, "quartz.cif")
    with pytest.raises(StructureError, match=r"no such file.*did you mean quartz\.cif"):
        read_structure(tmp_path / "quarz.cif")
    with pytest.raises(StructureError, match=r"did you mean quartz\.cif"):
        read_structure(tmp_path / "quartz.vasp")
    with pytest.raises(StructureError, match="check the path"):
        read_structure(tmp_path / "nowhere" / "quartz.cif")
    with pytest.raises(StructureError, match="is a folder"):
        read_structure(tmp_path)
