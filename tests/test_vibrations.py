"""Modes one by one: textbook symmetry, shares that sum to 1, waves that obey the equation of motion, figures, files."""

import csv
import json
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from ase.io import read
from ase.spacegroup import crystal
from matplotlib.collections import QuadMesh
from matplotlib.patches import Circle, FancyArrowPatch

import inscape.lattice.symmetry as symmetry
from crystals import (
    BRUCITE,
    FACE_CENTRED,
    NACL,
    QUARTZ,
    SILICON,
    UNSTABLE,
    ZINC_OXIDE,
    Material,
    force_constants_of,
    pack_archive,
    phonopy_of,
    spring_matrix,
    write_folder,
)
from inscape.errors import DataError, ForceConstantsError, GridError
from inscape.lattice import modes_at, modes_on_mesh
from inscape.plots import bands_figure, mode_figure
from inscape.plots.bands import label_text
from inscape.plots.vibration import caption
from inscape.scattering import displacements, path_spectra, scattering_lengths, special_path
from inscape.simulation import force_constants_of as obtain
from inscape.simulation import simulate
from inscape.units import HBAR2_2U
from inscape.vibrations import (
    band_structure,
    displaced_cell,
    mode_table,
    parse_path,
    phonon_website,
    trajectory,
    vibrations,
    wave_vector,
    write_trajectory,
)
from inscape.vibrations.bands import default_zone
from test_cli import run, run_main
from test_simulation import COPPER, Toy

FLUORITE = Material(
    "caf2-fm-3m-225",
    1021,
    crystal(["Ca", "F"], [(0, 0, 0), (0.25, 0.25, 0.25)], spacegroup=225, cellpar=[5.463] * 3 + [90] * 3),
    (2, 2, 2),
    FACE_CENTRED,
)
STIFFNESS = 2 * HBAR2_2U * 1000
"""ħ² in u Å² meV², times meV in eV: squared energy, meV², of 1 eV/Å²/u."""


@pytest.fixture(scope="module")
def salt():
    return force_constants_of(NACL)


@pytest.fixture(scope="module")
def wurtzite():
    return force_constants_of(ZINC_OXIDE)


@pytest.fixture(scope="module")
def quartz():
    return force_constants_of(QUARTZ)


# ---- symmetry ----

TEXTBOOK = [  # optical modes; the number of sets of each representation and what light does with it
    (NACL, {("T1u", "infrared"): 1}),
    (SILICON, {("T2g", "Raman"): 1}),
    (FLUORITE, {("T1u", "infrared"): 1, ("T2g", "Raman"): 1}),
    (
        ZINC_OXIDE,
        {("A1", "infrared, Raman"): 1, ("E1", "infrared, Raman"): 1, ("E2", "Raman"): 2, ("B1", "silent"): 2},
    ),
    (QUARTZ, {("A1", "Raman"): 4, ("A2", "infrared"): 4, ("E", "infrared, Raman"): 8}),
    (BRUCITE, {("A1g", "Raman"): 2, ("Eg", "Raman"): 2, ("A2u", "infrared"): 2, ("Eu", "infrared"): 2}),
]


@pytest.mark.parametrize(("material", "expected"), TEXTBOOK, ids=lambda x: getattr(x, "name", ""))
def test_representations_and_activities_are_those_of_the_textbook(material, expected):
    found = vibrations(force_constants_of(material))
    pairs = list(zip(found.labels, found.activities, strict=True))
    assert Counter(pair for pair in pairs if pair[1] != "acoustic") == expected
    acoustic = [one for one, words in zip(found.sets, found.activities, strict=True) if words == "acoustic"]
    assert sum(len(one) for one in acoustic) == 3
    assert abs(found.energies[[i for one in acoustic for i in one]]).max() < 0.01


@pytest.mark.parametrize("material", [NACL, ZINC_OXIDE, QUARTZ, BRUCITE, FLUORITE], ids=lambda m: m.name)
def test_energies_and_labels_are_those_of_phonopy(material):
    ph = phonopy_of(material, born=False, forces=False)
    ph.symmetrize_force_constants(show_drift=False)
    theirs = ph.run_irreps([0, 0, 0], symmetry_adapted=True)
    ours = vibrations(force_constants_of(material, born=False))
    np.testing.assert_allclose(mode_table(ours)["frequency_THz"][3:], np.sort(theirs.frequencies)[3:], atol=1e-4)
    sets = zip(theirs._ir_labels, theirs.band_indices, strict=True)
    assert Counter(zip(ours.labels, map(len, ours.sets), strict=True)) == Counter((a, len(b)) for a, b in sets)


def test_modes_that_are_close_by_accident_stay_apart(wurtzite):
    found = vibrations(wurtzite)
    acoustic = {
        a: len(s) for a, s, w in zip(found.labels, found.sets, found.activities, strict=True) if w == "acoustic"
    }
    assert acoustic == {"A1": 1, "E1": 2}
    along_c = found.polarisations[found.sets[found.labels.index("A1")][0]]
    np.testing.assert_allclose(along_c[:, :2], 0.0, atol=1e-6)


def test_sets_hold_the_modes_of_the_dynamical_matrix(quartz):
    found = vibrations(quartz)
    flat = found.polarisations.reshape(27, 27)
    np.testing.assert_allclose(flat @ flat.conj().T, np.eye(27), atol=1e-8)
    plain = modes_at(quartz, [0, 0, 0])
    np.testing.assert_allclose(found.energies, plain.energies[0], atol=1e-4)
    weights = np.abs(flat @ plain.polarisations.reshape(27, 27).conj().T) ** 2
    np.testing.assert_allclose(weights @ plain.energies[0], found.energies, atol=1e-4)


def test_activities_need_no_table_of_names(quartz, monkeypatch):
    expected = vibrations(quartz)

    def fail(*arguments):
        raise RuntimeError("Rotation symbols not found.")

    monkeypatch.setattr(symmetry, "IrRepLabels", fail)
    found = vibrations(quartz)
    assert found.labels == (None,) * len(expected.sets)
    assert found.activities == expected.activities
    assert "point group 32" in found.notes[0]


def test_another_isotope_lowers_the_symmetry():
    found = vibrations(force_constants_of(SILICON).with_isotopes({0: 30}))
    assert found.point_group == "-43m"
    assert (found.labels[-1], found.activities[-1]) == ("T2", "infrared, Raman")


# ---- a direction ----


@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 1, 0), (1, 2, 3)])
def test_the_splitting_of_rock_salt_is_that_of_its_dipoles(salt, direction):
    found = vibrations(salt, direction=direction)
    assert dict(zip(found.splitting, map(len, found.sets), strict=True)) == {None: 3, "TO": 2, "LO": 1}
    assert set(found.labels) == {"T1u"}
    masses = salt.crystal.masses
    reduced = masses.prod() / masses.sum()
    field = 4 * np.pi * 14.399652 * 0.6**2 / (2.5 * salt.crystal.volume * reduced) * STIFFNESS
    assert found.energies[5] ** 2 - found.energies[3] ** 2 == pytest.approx(field, rel=1e-5)


def test_between_the_axes_modes_of_two_representations_mix(wurtzite):
    along_c, between = vibrations(wurtzite, direction=(0, 0, 1)), vibrations(wurtzite, direction=(1, 0, 1))
    assert not any("+" in label for label in along_c.labels[1:])
    assert {tuple(sorted(label.split(" + "))) for label in between.labels[1:] if "+" in label} == {("A1", "E1")}
    plain = vibrations(wurtzite)
    silent = plain.energies[plain.sets[plain.activities.index("silent")][0]]
    assert np.abs(between.energies - silent).min() < 1e-6


# ---- the table ----


@pytest.mark.parametrize("q", [(0, 0, 0), "M", (0.1, 0.2, 0.3)])
def test_shares_sum_to_one(quartz, q):
    table = mode_table(vibrations(quartz, q))
    assert len(table) == 27
    np.testing.assert_allclose(table["participation_Si"] + table["participation_O"], 1.0, atol=1e-9)
    for name in ("neutron_total", "neutron_incoherent"):
        assert table[name].sum() == pytest.approx(1.0)
        assert table[name].min() > 0
    assert table["participation_ratio"].between(1 / 9, 1 + 1e-9).all()
    np.testing.assert_allclose(table["energy_meV"] * 8.065544, table["wavenumber_per_cm"], rtol=1e-6)


def test_shares_of_rock_salt_in_closed_form():
    heavy = force_constants_of(NACL, born=False)
    table, (sodium, chlorine) = mode_table(vibrations(heavy)), heavy.crystal.masses
    acoustic, optical = table.loc[1], table.loc[4]
    assert acoustic["participation_Na"] == pytest.approx(sodium / (sodium + chlorine))
    assert optical["participation_Na"] == pytest.approx(chlorine / (sodium + chlorine))
    lengths = scattering_lengths(heavy.crystal)
    sigma = 4 * np.pi * (lengths.coherent_square + lengths.incoherent_square)
    each = sigma / heavy.crystal.masses
    expected = (each[0] * chlorine + each[1] * sodium) / (sodium + chlorine) / (3 * each.sum())
    assert optical["neutron_total"] == pytest.approx(expected)


def test_all_atoms_alike_have_participation_ratio_one():
    assert mode_table(vibrations(force_constants_of(SILICON)))["participation_ratio"].tolist() == pytest.approx(
        [1.0] * 6
    )


def test_the_basis_of_a_degenerate_set_changes_nothing(quartz):
    found = vibrations(quartz)
    turned = found.polarisations.copy()
    for one in found.sets:
        rotation = np.linalg.qr(np.random.default_rng(len(one)).normal(size=(len(one), len(one))))[0]
        turned[list(one)] = np.tensordot(rotation, turned[list(one)], axes=1)
    again, table = mode_table(replace(found, polarisations=turned)), mode_table(found)
    numbers = table.select_dtypes(float).columns
    np.testing.assert_allclose(again[numbers], table[numbers], atol=1e-12)


def test_imaginary_modes_are_negative_and_said_to_be():
    found = vibrations(force_constants_of(UNSTABLE), "K")
    table = mode_table(found)
    assert table["imaginary"].tolist() == [True] + 5 * [False]
    assert (table.loc[1, ["energy_meV", "wavenumber_per_cm", "frequency_THz"]] < -0.05).all()
    assert re.search(r"−\d\.\di meV, −\d+i cm⁻¹$", caption(found, 1))


# ---- wave vectors ----


def test_labels_and_numbers_mean_the_same(salt):
    for name in ("Γ", "G", "gamma", "GAMMA"):
        assert not wave_vector(salt.crystal, name).any()
    np.testing.assert_allclose(wave_vector(salt.crystal, "L"), 0.5)
    np.testing.assert_array_equal(vibrations(salt, "L").energies, vibrations(salt, (0.5, 0.5, 0.5)).energies)
    assert vibrations(salt, (1, 1, 1)).is_gamma
    assert not vibrations(salt, (1, 0, 0)).is_gamma


def test_away_from_gamma_energies_are_there_and_labels_are_not(salt):
    found = vibrations(salt, (0.3, 0.1, 0.0))
    q = np.array([0.3, 0.1, 0.0]) @ salt.crystal.reciprocal_conventional @ np.linalg.inv(salt.crystal.reciprocal)
    np.testing.assert_array_equal(found.energies, modes_at(salt, q).energies[0])
    assert set(found.labels) == set(found.activities) == {None}
    assert "Γ only" in found.notes[0]


REFUSED = [
    ({"q": "Y"}, GridError, "no special point of Fm-3m; it has Γ"),
    ({"q": (0, 0)}, GridError, "expected three finite numbers"),
    ({"q": (0, 0, np.nan)}, GridError, "expected three finite numbers"),
    ({"direction": (0, 0, 0)}, GridError, "expected the direction from which"),
    ({"q": "X", "direction": (0, 0, 1)}, DataError, "the wave vector is not Γ"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), REFUSED)
def test_wave_vectors_that_are_none_are_refused(salt, arguments, error, words):
    with pytest.raises(error, match=words):
        vibrations(salt, **arguments)


def test_a_direction_without_charges_is_refused(quartz):
    with pytest.raises(DataError, match="there are no Born charges"):
        vibrations(quartz, direction=(0, 0, 1))


# ---- motion ----


@pytest.mark.parametrize(
    ("material", "q"), [(NACL, "Γ"), (NACL, "X"), (NACL, "L"), (QUARTZ, "M"), (QUARTZ, (0, 0, 1 / 3))]
)
def test_waves_obey_the_equation_of_motion(material, q):
    found = vibrations(force_constants_of(material, born=False), q)
    for number in (1, len(found.energies) - 2, len(found.energies)):
        atoms, amplitudes = displaced_cell(found, number)
        forces = np.einsum("ijab,jb->ia", spring_matrix(atoms), amplitudes)
        masses = found.crystal.masses[atoms.arrays["primitive_atom"]]
        squared = np.sign(found.energies[number - 1]) * found.energies[number - 1] ** 2
        np.testing.assert_allclose(STIFFNESS * forces, squared * masses[:, None] * amplitudes, atol=1e-3 * masses.max())


def test_supercells_are_the_smallest_that_hold_whole_waves(salt, quartz):
    assert len(displaced_cell(vibrations(salt), 4)[0]) == 8
    assert len(displaced_cell(vibrations(salt, "X"), 4)[0]) == 8
    assert len(displaced_cell(vibrations(salt, "L"), 4)[0]) == 64
    assert len(displaced_cell(vibrations(quartz, "K"), 4)[0]) == 81


def test_frames_are_a_period_of_the_largest_amplitude(wurtzite, tmp_path):
    found = vibrations(wurtzite, "M")
    frames = trajectory(found, 5, amplitude=0.2, n_frames=8)
    write_trajectory(frames, tmp_path / "mode.xyz")
    again = read(tmp_path / "mode.xyz", ":")
    assert len(again) == 8
    rest, amplitudes = displaced_cell(found, 5)
    moves = np.array([frame.positions - rest.positions for frame in again])
    np.testing.assert_allclose(moves.mean(axis=0), 0.0, atol=1e-7)
    np.testing.assert_allclose(moves[4], -moves[0], atol=1e-7)
    np.testing.assert_allclose(moves[0], 0.2 * amplitudes.real, atol=1e-7)
    assert np.linalg.norm(moves[0], axis=1).max() == pytest.approx(0.2, abs=1e-6)
    assert again[0].info["mode"] == 5
    assert again[0].info["mode_energy_meV"] == pytest.approx(found.energies[4])
    np.testing.assert_allclose(again[0].info["wave_vector_rlu"], found.q)


def test_frames_of_nothing_are_refused(salt, tmp_path):
    found = vibrations(salt)
    with pytest.raises(DataError, match="no mode 7: NaCl has modes 1 to 6"):
        trajectory(found, 7)
    with pytest.raises(DataError, match="no mode 0"):
        mode_figure(found, 0)
    with pytest.raises(GridError, match="expected above 0, and at least 2"):
        trajectory(found, 1, amplitude=0.0)
    with pytest.raises(GridError, match="fits in no supercell of up to 12"):
        trajectory(vibrations(salt, (0.0317, 0, 0)), 1)
    with pytest.raises(DataError, match="cannot be written"):
        write_trajectory(trajectory(found, 1), tmp_path / "nowhere" / "mode.xyz")


def test_the_phonon_website_gets_waves_that_obey_the_equation_of_motion(quartz):
    data = json.loads(json.dumps(phonon_website(quartz, [["A", "Γ", "M"], ["K", "H"]])))
    assert [label for _, label in data["highsym_qpts"]] == ["A", "Γ", "M|K", "H"]
    legs = data["line_breaks"]
    assert [start for start, _ in legs] == [0, *(stop for _, stop in legs[:-1])]
    assert legs[-1][1] == len(data["qpoints"]) == len(data["distances"])
    vectors = np.array(data["vectors"]) @ [1, 1j]
    assert vectors.shape == (len(data["qpoints"]), 27, 9, 3)
    at_m = legs[1][1] - 1
    found = vibrations(quartz, "M")
    np.testing.assert_allclose(np.array(data["eigenvalues"][at_m]) / 8.065544, found.energies, atol=1e-4)
    atoms, amplitudes = displaced_cell(found, 27)
    which = atoms.arrays["primitive_atom"]
    cells = np.rint(
        (atoms.positions - quartz.crystal.to_ase().positions[which]) @ np.linalg.inv(quartz.crystal.lattice)
    )
    shown = vectors[at_m, 26][which] * np.exp(2j * np.pi * cells @ data["qpoints"][at_m])[:, None]
    same = np.vdot(shown, amplitudes) / np.vdot(shown, shown)
    np.testing.assert_allclose(same * shown, amplitudes, atol=1e-4)


# ---- bands ----


def test_bands_carry_the_intensity_of_the_path(salt):
    found = band_structure(salt, [["Γ", "X"], ["K", "L"]], zone=(2, 2, 0), temperature=100.0, fwhm=1.0)
    assert [label for _, label in found.along.path.ticks] == ["Γ", "X|K", "L"]
    width = np.diff(found.energy_edges)
    np.testing.assert_allclose(found.partial_dos @ width, 3.0, atol=1e-3)
    u2 = displacements(modes_on_mesh(salt, 0.06), 100.0)
    path = special_path(salt.crystal, [["X", "Γ"]], zone=(2, 2, 0), spacing=10.0)
    at_x = path_spectra(salt, path, scattering_lengths(salt.crystal), u2)
    energy, reduced = at_x.energies[0], at_x.intensities[0]
    expected = np.sum(reduced / energy / (1 - np.exp(-energy / (0.08617333262 * 100.0))))
    assert found.intensity[found.along.path.legs[0].stop - 1] @ width == pytest.approx(expected, rel=0.01)


def test_bands_jump_at_gamma_where_it_is_approached_from_another_side(wurtzite):
    along = band_structure(wurtzite, [["M", "Γ", "A"]]).along
    first, second = along.path.legs
    before, after = along.energies[first.stop - 1], along.energies[second.start]
    assert np.abs(before - after).max() > 0.1
    np.testing.assert_allclose(before, vibrations(wurtzite, direction=(1, 0, 0)).energies, atol=1e-4)
    np.testing.assert_allclose(after, vibrations(wurtzite, direction=(0, 0, 1)).energies, atol=1e-4)


@pytest.mark.parametrize("material", [NACL, SILICON, QUARTZ], ids=lambda m: m.name)
def test_the_zone_is_a_strong_reflection_in_a_general_direction(material):
    one = force_constants_of(material).crystal
    zone = default_zone(one)
    fractional = zone @ one.reciprocal_conventional @ np.linalg.inv(one.reciprocal)
    np.testing.assert_allclose(fractional, np.rint(fractional), atol=1e-9)
    assert zone.all()
    assert len(set(np.abs(zone))) > 1
    factor = np.exp(2j * np.pi * one.positions @ np.rint(fractional)) @ scattering_lengths(one).coherent
    assert abs(factor) > 0.5 * np.abs(scattering_lengths(one).coherent).sum()


def test_paths_in_words():
    assert parse_path("G X U | K Γ L") == [["Γ", "X", "U"], ["K", "Γ", "L"]]
    assert parse_path("gamma-X,W") == [["Γ", "X", "W"]]
    for text in ("G", "", "G X | L"):
        with pytest.raises(GridError, match="at least two in each part"):
            parse_path(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fwhm": 0.0}, "width is 0"),
        ({"path": [["Γ", "Y"]]}, "Y"),
        ({"zone": (1, 0, 0)}, "zone"),
        ({"temperature": -1}, "K"),
    ],
)
def test_bands_of_nothing_are_refused(salt, options, words):
    with pytest.raises(GridError, match=words):
        band_structure(salt, **options)


# ---- figures ----


def test_the_figure_of_bands_has_a_map_for_each_leg(wurtzite):
    found = band_structure(wurtzite, [["Γ", "M"], ["A", "L"]])
    left, right = bands_figure(found).axes[:2]
    assert sum(isinstance(item, QuadMesh) for item in left.collections) == 2
    assert [text.get_text() for text in left.get_xticklabels()] == ["Γ", "M|A", "L"]
    assert left.get_ylabel() == "Energy (meV)"
    assert right.get_xlabel() == "DOS (1/meV)"
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["all", "Zn", "O"]
    curves = left.get_lines()[:12]
    np.testing.assert_array_equal(curves[0].get_ydata(), found.along.energies[found.along.path.legs[0], 0])
    assert label_text("X_1|K") == "X$_{1}$|K"


def test_imaginary_bands_are_drawn_below_zero():
    left = bands_figure(band_structure(force_constants_of(UNSTABLE), [["Γ", "X"]])).axes[0]
    assert left.get_ylim()[0] < -0.05
    assert "below 0 imaginary" in left.get_ylabel()


def test_the_picture_of_a_mode_has_an_arrow_for_each_atom_that_moves(salt):
    found = vibrations(salt)
    ax = mode_figure(found, 4).axes[0]
    circles = [item for item in ax.patches if isinstance(item, Circle)]
    arrows = [item for item in ax.patches if isinstance(item, FancyArrowPatch)]
    assert len(circles) == len(arrows) == 27
    by_atom = {tuple(np.round(circle.center, 6)): circle.radius for circle in circles}
    steps = {}
    for arrow in arrows:
        start, stop = (np.array(point) for point in arrow._posA_posB)
        steps.setdefault(round(by_atom[tuple(np.round(start, 6))], 6), []).append(stop - start)
    small, large = (np.array(steps[radius]) for radius in sorted(steps))
    np.testing.assert_allclose(small, np.broadcast_to(small[0], small.shape), atol=1e-6)
    ratio = salt.crystal.masses[0] / salt.crystal.masses[1]
    np.testing.assert_allclose(small[0], -ratio * large[0], atol=1e-6)
    assert caption(found, 4).endswith("T1u, infrared")


# ---- the road to force constants ----


def test_force_constants_are_those_of_simulate_and_computed_once(tmp_path):
    toy = Toy()
    found = obtain(COPPER, toy, supercell=(1, 1, 1), cache=tmp_path)
    count = toy.count
    result = simulate(COPPER, toy, supercell=(1, 1, 1), cache=tmp_path, kinds=("dos",))
    assert toy.count == count > 0
    again = simulate(found.force_constants, kinds=("dos",))
    np.testing.assert_array_equal(again.dos, result.dos)
    assert found.engine == result.dataset.attrs["engine"]


def test_files_of_spectra_are_refused_with_the_way_out(tmp_path):
    with pytest.raises(ForceConstantsError, match=r"holds no force constants; .*inscape simulate"):
        obtain(tmp_path / "quartz.nc")


# ---- command line ----


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return pack_archive(tmp_path, ZINC_OXIDE, name="zincite.tar.lzma")


def test_the_table_has_a_line_for_each_set_and_files_one_for_each_mode(archive, wurtzite):
    result = run("modes", archive, "--direction", "0,0,1", "--csv", "m.csv", "--json", "m.json")
    assert result.exit_code == 0
    lines = [line.split("│") for line in result.stdout.splitlines() if line.startswith("│")]
    assert lines[0][1].strip() == "1–3"
    assert any("LO" in line[7] for line in lines)
    assert "approached along (0 0 1)" in result.stdout
    expected = mode_table(vibrations(wurtzite, direction=(0, 0, 1)))
    with open("m.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose([float(row["energy_meV"]) for row in rows], expected["energy_meV"], atol=1e-5)
    with open("m.json", encoding="utf-8") as file:
        data = json.load(file)
    assert [row["activity"] for row in data["modes"]] == expected["activity"].tolist()
    assert data["point_group"] == "6mm"
    assert data["modes"][0]["splitting"] is None


def test_a_folder_of_a_calculation_gives_the_same(archive, tmp_path):
    run("modes", archive, "--csv", "archive.csv")
    run("modes", write_folder(tmp_path / "folder", ZINC_OXIDE), "--csv", "folder.csv")
    one, other = (np.loadtxt(f"{name}.csv", delimiter=",", skiprows=1, usecols=1) for name in ("archive", "folder"))
    assert len(one) == 12
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_imaginary_modes_are_printed_with_minus_and_i(tmp_path):
    result = run("modes", pack_archive(tmp_path, UNSTABLE), "--q", "K")
    energies = next(line for line in result.stdout.splitlines() if line.startswith("│")).split("│")[2:5]
    assert all(cell.strip().startswith("−") and cell.strip().endswith("i") for cell in energies)


def test_frames_pictures_and_bands_are_written(archive, tmp_path):
    assert run("modes", archive, "--q", "M", "--animate", "5", "-o", "mode.xyz").exit_code == 0
    assert len(read("mode.xyz", ":")) == 24
    assert run("modes", archive, "--animate", "4", "--draw", "4").exit_code == 0
    result = run("bands", archive, "--path", "G M | A L", "--website", "phonons.json", "--zone", "1,0,2")
    assert "wrote zincite.tar-bands.png, phonons.json" in result.stdout
    names = {"zincite.tar-mode4.xyz", "zincite.tar-mode4.png", "zincite.tar-bands.png", "phonons.json"}
    assert names <= {path.name for path in tmp_path.iterdir()}


BAD = [
    (["--animate", "13"], "no mode 13: ZnO has modes 1 to 12"),
    (["--q", "Q"], "no special point of P6_3mc"),
    (["--q", "0,0"], "expected three numbers"),
    (["--direction", "0,0,x"], "direction is '0,0,x'"),
    (["-o", "x.xyz"], "say which mode by --animate or --draw"),
    (["-o", "x.xyz", "--animate", "1", "--draw", "1"], "cannot be both"),
    (["--draw", "1", "-o", "x.foo"], "name a file ending in .png"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_bad_input_is_refused_in_one_line(archive, arguments, words, monkeypatch, capsys):
    status, _, err = run_main(monkeypatch, capsys, "modes", archive, *arguments)
    assert (status, len(err.splitlines())) == (2, 1)
    assert words in err


def test_missing_charges_are_warned_of(tmp_path):
    result = run("modes", pack_archive(tmp_path, QUARTZ))
    assert "no Born charges are known" in result.stderr
