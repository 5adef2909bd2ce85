"""Isotopes: masses and lengths both change; force constants do not, so modes follow; what does not exist is refused."""

from dataclasses import replace

import numpy as np
import pytest
from ase.spacegroup import crystal

from crystals import BRUCITE, NACL, QUARTZ, SIMPLE_CUBIC, ZINC_OXIDE, force_constants_of, rock_salt
from inscape.errors import StructureError
from inscape.lattice import ForceConstants, modes_at, modes_on_mesh
from inscape.scattering import (
    density_of_states,
    displacements,
    indirect_spectrum,
    phonon_orders,
    scattering_lengths,
)
from inscape.spectra import centres
from inscape.structures import Crystal

Q = np.random.default_rng(0).uniform(-0.5, 0.5, (6, 3))

HYDROGEN = replace(SIMPLE_CUBIC, atoms=crystal(["H"], [(0, 0, 0)], spacegroup=221, cellpar=[2.99] * 3 + [90] * 3))
LITHIUM_HYDRIDE = rock_salt(3001, "Li", "H", 4.08)


def cell(*numbers):
    """A crystal of some elements, with no symmetry to speak of."""
    positions = np.random.default_rng(1).uniform(0, 0.1, (len(numbers), 3)) + np.arange(len(numbers))[:, None] / 5
    return Crystal.from_cell(10 * np.eye(3), positions % 1, numbers)


# ---- crystals


@pytest.mark.parametrize(
    ("choice", "isotopes", "symbols"),
    [
        ({"H": "D"}, (0, 2, 2, 0), "LiDDB"),
        ({"H": 2}, (0, 2, 2, 0), "LiDDB"),
        ({"Li": 7, "B": 11}, (7, 0, 0, 11), "LiHHB"),
        ({1: "T"}, (0, 3, 0, 0), "LiTHB"),
        ({2: "H", "H": "D"}, (0, 2, 0, 0), "LiDHB"),
        ({np.int64(0): 6}, (6, 0, 0, 0), "LiHHB"),
        ({"Li": "Li", "H": 0}, (0, 0, 0, 0), "LiHHB"),
        ({}, (0, 0, 0, 0), "LiHHB"),
    ],
)
def test_isotopes_are_chosen_by_element_or_atom(choice, isotopes, symbols):
    changed = cell(3, 1, 1, 5).with_isotopes(choice)
    assert changed.isotopes == isotopes
    assert "".join(changed.symbols) == symbols
    known = {0: None, 2: 2.0141, 3: 3.0160, 6: 6.0151, 7: 7.0160, 11: 11.0093}
    natural = cell(3, 1, 1, 5).masses
    for mass, isotope, before in zip(changed.masses, isotopes, natural, strict=True):
        assert mass == pytest.approx(known[isotope] or before, abs=1e-4)


def test_deuterium_is_turned_back_into_hydrogen():
    plain = cell(3, 1, 1, 5)
    heavy = plain.with_isotopes({"H": "D"})
    assert heavy.formula == "LiBD2"
    assert heavy.digest != plain.digest
    again = heavy.with_isotopes({"D": "H"})
    assert again.digest == plain.digest
    np.testing.assert_array_equal(again.masses, plain.masses)


def test_one_isotope_of_several_equivalent_atoms_lowers_the_symmetry():
    whole = force_constants_of(QUARTZ).crystal
    marked = whole.with_isotopes({int(np.flatnonzero(whole.numbers == 14)[0]): 29})
    assert marked.n_atoms == whole.n_atoms
    assert len(marked.rotations) < len(whole.rotations)
    np.testing.assert_array_equal(marked.lattice, whole.lattice)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"Na": 23}, "chosen for 'Na', this crystal has B, H, Li and atoms 0 to 3: name one of them"),
        ({"D": "H"}, "chosen for 'D'"),
        ({4: 2}, "chosen for 4, this crystal has"),
        ({-1: 2}, "chosen for -1"),
        ({True: 2}, "chosen for True"),
        ({"Li": 17}, r"Li has no isotope 17, expected one of \[4, 5, 6, 7,"),
        ({"Li": "D"}, "isotope 'D' was chosen for Li, expected a mass number or Li for natural abundance"),
        ({"H": "He"}, "isotope 'He' was chosen for H, expected a mass number, D or T or H for natural"),
        ({"H": 2.5}, "isotope 2.5 was chosen"),
        ({"H": -2}, "isotope -2 was chosen"),
    ],
)
def test_isotopes_that_make_no_sense_are_refused(choice, message):
    with pytest.raises(StructureError, match=message):
        cell(3, 1, 1, 5).with_isotopes(choice)


# ---- lengths


@pytest.mark.parametrize(
    ("element", "isotope", "coherent", "incoherent"),
    [("H", "D", 6.671, 2.05), ("Li", 7, -2.22, 0.78), ("Li", 6, 2.0, 0.46), ("B", 11, 6.65, 0.21), ("Ni", 60, 2.8, 0)],
)
def test_lengths_are_those_of_the_isotope(element, isotope, coherent, incoherent):
    """Sears, Neutron News 3, 26 (1992); lithium has been measured again since."""
    number = {"H": 1, "Li": 3, "B": 5, "Ni": 28}[element]
    lengths = scattering_lengths(cell(number, 8).with_isotopes({element: isotope}))
    assert lengths.coherent[0] == pytest.approx(coherent, abs=0.3)
    assert lengths.incoherent[0] == pytest.approx(incoherent, abs=0.02)


def test_an_isotope_without_a_length_has_phonons_but_no_spectrum():
    carbon = cell(6, 1).with_isotopes({"C": 14})
    assert carbon.masses[0] == pytest.approx(14.003, abs=1e-3)
    with pytest.raises(StructureError, match="no neutron scattering length is tabulated for C14; choose an isotope"):
        scattering_lengths(carbon)


# ---- force constants


def test_frequencies_of_solid_hydrogen_scale_with_the_root_of_the_mass():
    light = force_constants_of(HYDROGEN)
    heavy = light.with_isotopes({"H": "D"})
    ratio = np.sqrt(light.crystal.masses[0] / heavy.crystal.masses[0])
    assert ratio == pytest.approx(0.70746, abs=1e-4)
    np.testing.assert_allclose(modes_at(heavy, Q).energies, ratio * modes_at(light, Q).energies, rtol=1e-9)


@pytest.mark.parametrize(
    ("material", "choice"),
    [(NACL, {"Cl": 37}), (ZINC_OXIDE, {0: 68, "O": 18}), (BRUCITE, {"H": "D"}), (BRUCITE, {4: "D"})],
    ids=lambda x: str(x)[:30],
)
def test_the_force_on_an_atom_that_moves_alone_does_not_depend_on_isotopes(material, choice):
    """M_d Σ_ν |e_d|² E² is the trace of its force constant with itself, Born charges included."""
    before = force_constants_of(material)
    after = before.with_isotopes(choice)
    stiffness = []
    for fc in (before, after):
        modes = modes_at(fc, Q)
        share = np.sum(np.abs(modes.polarisations) ** 2, axis=-1)
        stiffness.append(np.einsum("qmd,qm->qd", share, modes.energies**2) * fc.crystal.masses)
    np.testing.assert_allclose(stiffness[1], stiffness[0], rtol=1e-8)
    assert not np.allclose(modes_at(after, Q).energies, modes_at(before, Q).energies, rtol=1e-3)
    assert before.crystal.isotopes == (0,) * before.crystal.n_atoms


def test_a_mesh_knows_which_of_two_hydrogens_is_deuterium():
    """Symmetry that maps one onto the other is gone."""
    fc = force_constants_of(BRUCITE).with_isotopes({4: "D"})
    modes = modes_on_mesh(fc, 0.5)
    mesh = np.ceil(np.linalg.norm(fc.crystal.reciprocal, axis=1) / 0.5 - 1e-12).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in mesh), indexing="ij"), axis=-1).reshape(-1, 3)
    quarters = np.array(np.meshgrid([1, -1], [1, -1], [1, -1])).reshape(3, -1).T / (4 * mesh)
    weights = np.concatenate([np.ones(len(grid) - 1), np.full(8, 1 / 8)]) / len(grid)
    whole = modes_at(fc, np.concatenate([grid[1:], quarters]), weights)
    expected = modes.average_tensors(displacements(whole, 100.0))
    np.testing.assert_allclose(displacements(modes, 100.0), expected, rtol=1e-6, atol=1e-9)
    hydrogen, deuterium = (np.linalg.eigvalsh(displacements(modes, 10.0)[atom]) for atom in (3, 4))
    assert np.all(hydrogen > 1.2 * deuterium)


def test_arrays_hold_the_isotopes():
    fc = force_constants_of(NACL).with_isotopes({"Cl": 37})
    again = ForceConstants.from_arrays({k: v.copy() for k, v in fc.arrays().items()})
    assert again.crystal.isotopes == fc.crystal.isotopes
    assert again.crystal.digest == fc.crystal.digest
    np.testing.assert_allclose(modes_at(again, Q).energies, modes_at(fc, Q).energies, rtol=1e-5, atol=1e-4)


def test_isotopes_that_do_not_exist_are_refused_for_force_constants_too():
    with pytest.raises(StructureError, match="Na has no isotope 7"):
        force_constants_of(NACL).with_isotopes({"Na": 7})


# ---- spectra


def test_deuteration_moves_and_weakens_the_spectrum_of_hydrogen():
    light = force_constants_of(LITHIUM_HYDRIDE)
    heavy = light.with_isotopes({"H": "D"})
    areas, tops = [], []
    for fc in (light, heavy):
        modes, hydrogen = modes_on_mesh(fc, 0.6), fc.crystal.numbers == 1
        edges = np.linspace(0, modes.energies.max() + 1, 1001)
        spectrum = phonon_orders(modes, edges, 0.0, order=1).on_grid(
            [1e-3], scattering_lengths(fc.crystal).incoherent_square * hydrogen
        )
        areas.append(spectrum[0, 0] @ (centres(edges) * np.diff(edges)))
        tops.append(modes.energies.max())
    assert areas[1] / areas[0] == pytest.approx(2.05 / 80.27 * 1.008 / 2.0141, rel=2e-3)
    assert tops[1] < 0.8 * tops[0]


def test_a_spectrometer_sees_the_isotopes_of_the_crystal():
    fc = force_constants_of(BRUCITE)
    light, heavy = (
        indirect_spectrum(modes_on_mesh(f, 0.8), np.arange(0, 200.0), 10.0, order=2)
        for f in (fc, fc.with_isotopes({"H": "D"}))
    )
    assert float(heavy.sum()) < 0.5 * float(light.sum())


def test_a_density_of_states_of_isotopes_keeps_its_sum_rule():
    modes = modes_on_mesh(force_constants_of(BRUCITE).with_isotopes({3: "D"}), 0.6)
    edges = np.arange(0, 500.0)
    partial, _ = density_of_states(modes, edges)
    np.testing.assert_allclose(partial @ np.diff(edges), 3.0, atol=1e-9)
    mean = partial @ (np.diff(edges) * (edges[1:] + edges[:-1]) / 2)
    assert mean[3] < 0.8 * mean[4]
