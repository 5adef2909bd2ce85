"""Spectra from modes: sum rules and symmetries that hold for any crystal, and agreement with Euphonic and phonopy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import make_supercell
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from crystals import BRUCITE, MATERIALS, NACL, QUARTZ, SILICON, UNSTABLE, ZINC_OXIDE, force_constants_of, phonopy_of
from inscape.errors import DataError, GridError, InscapeError, StructureError
from inscape.lattice import from_phonopy, modes_at, modes_on_mesh, read_force_constants
from inscape.metrics import wasserstein
from inscape.scattering import (
    PlaneGrid,
    check_plane,
    check_temperature,
    density_of_states,
    displacements,
    imaginary_modes,
    mean_square_displacements,
    native_plane,
    neutron_weights,
    plane_map,
    powder_map,
    powder_points,
    reduced_intensities,
    scattering_lengths,
    self_part,
    to_scattering,
)
from inscape.scattering.powder import Shells
from inscape.scattering.products import products
from inscape.scattering.wave_vectors import share_by_symmetry, spectra_at
from inscape.spectra import native_energy_edges, uniform_edges
from inscape.structures import Crystal, laue_rotations
from inscape.units import HBAR2_2U, KB

EDGES = native_energy_edges()
SAMPLE = Path(__file__).parents[2] / "shared" / "data" / "phonondb_sample"

each_material = pytest.mark.parametrize("material", MATERIALS, ids=lambda m: m.name)


def wave_vectors(count, longest=8.0, seed=1):
    """Random Q, shape (count, 3), 1/Å, |Q| from 1 up."""
    rng = np.random.default_rng(seed)
    q = rng.normal(size=(count, 3))
    return q / np.linalg.norm(q, axis=1)[:, None] * rng.uniform(1, longest, count)[:, None]


def at(force_constants, vectors):
    """Modes at Cartesian wave vectors."""
    return modes_at(force_constants, vectors @ np.linalg.inv(force_constants.crystal.reciprocal))


def intensities(modes, vectors, displacement=None, lengths=None):
    """Reduced intensities, each Q with its own modes, shape (n, n_modes)."""
    lengths = lengths or scattering_lengths(modes.crystal)
    u = np.zeros((modes.crystal.n_atoms, 3, 3)) if displacement is None else displacement
    return np.concatenate([reduced_intensities(modes, i, vectors[i : i + 1], lengths, u) for i in range(len(vectors))])


def broadened(energies, values, sigma=1.0):
    """Spectra on a smooth scale, shape (n, 60), so that degenerate modes may mix and energies sit on bin edges."""
    grid = np.linspace(0, energies.max() + 3, 60)
    return np.einsum("nm,nme->ne", values, np.exp(-0.5 * ((grid - energies[..., None]) / sigma) ** 2))


def agree(one, other, tolerance=1e-6):
    scale = np.abs(other).max(axis=-1, keepdims=True)
    assert np.abs(one - other).max() <= tolerance * scale.max()


# ---- density of states


@pytest.mark.parametrize("material", [*MATERIALS, UNSTABLE], ids=lambda m: f"{m.name}-{m.number}")
def test_each_atom_has_three_modes(material):
    modes = modes_on_mesh(force_constants_of(material), 0.5)
    partial, imaginary = density_of_states(modes, EDGES)
    np.testing.assert_allclose(partial @ np.diff(EDGES) + imaginary, 3.0, atol=1e-9)
    assert partial.min() >= 0
    assert (imaginary.max() > 0.01) == (material is UNSTABLE)


def test_like_atoms_have_the_same_density_of_states():
    modes = modes_on_mesh(force_constants_of(QUARTZ), 0.6)
    partial, _ = density_of_states(modes, EDGES)
    oxygen = modes.crystal.numbers == 8
    for atoms in (oxygen, ~oxygen):
        np.testing.assert_allclose(partial[atoms], np.broadcast_to(partial[atoms][0], partial[atoms].shape), atol=1e-12)


@pytest.mark.parametrize("weights", ["coherent", "incoherent", "coherent-plus-incoherent"])
def test_neutrons_weigh_atoms_by_cross_section_over_mass(weights):
    modes = modes_on_mesh(force_constants_of(BRUCITE), 0.6)
    plain, _ = density_of_states(modes, EDGES)
    weighted, lost = density_of_states(modes, EDGES, weights=weights)
    lengths, masses = scattering_lengths(modes.crystal), modes.crystal.masses
    factor = 4 * np.pi * lengths.square(weights) * masses.mean() / masses
    np.testing.assert_allclose(weighted, factor[:, None] * plain)
    np.testing.assert_allclose(weighted @ np.diff(EDGES) + lost, 3 * factor)
    np.testing.assert_allclose(neutron_weights(lengths, masses, weights), factor)


def test_a_crystal_of_one_element_keeps_its_density_of_states_times_its_cross_section():
    modes = modes_on_mesh(force_constants_of(SILICON), 0.6)
    plain, _ = density_of_states(modes, EDGES)
    weighted, _ = density_of_states(modes, EDGES, weights="coherent")
    np.testing.assert_allclose(weighted, 4 * np.pi * 0.4151**2 * plain, rtol=2e-3)  # Sears 1992: 4.1491 fm


def test_other_weights_are_refused():
    modes = modes_on_mesh(force_constants_of(SILICON), 1.5)
    with pytest.raises(DataError, match="weights are 'mass'; expected one of none, coherent, incoherent"):
        density_of_states(modes, EDGES, weights="mass")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("material", [ZINC_OXIDE, BRUCITE], ids=lambda m: m.name)
def test_neutron_weighted_densities_of_states_of_euphonic(material):
    euphonic = pytest.importorskip("euphonic")
    fc, quantity = force_constants_of(material), euphonic.Quantity
    modes, crystal = modes_at(fc, np.random.default_rng(2).uniform(size=(8, 3))), fc.crystal
    theirs = euphonic.QpointPhononModes(
        euphonic.Crystal(
            quantity(crystal.lattice, "angstrom"),
            crystal.positions,
            np.array(crystal.symbols),
            quantity(crystal.masses, "amu"),
        ),
        modes.q,
        quantity(modes.energies, "meV"),
        modes.polarisations,
    )
    edges, square = np.linspace(0, 500, 101), scattering_lengths(crystal).square("incoherent")
    sections = {s: quantity(4 * np.pi * b, "barn") for s, b in zip(crystal.symbols, square, strict=True)}
    expected = theirs.calculate_pdos(quantity(edges, "meV"), weighting="incoherent", cross_sections=sections)
    found, _ = density_of_states(modes, edges, weights="incoherent")
    per_atom = expected.y_data.to("barn/meV").magnitude
    np.testing.assert_allclose(found / crystal.n_atoms, per_atom, rtol=1e-6, atol=1e-9 * per_atom.max())


def test_imaginary_modes_are_counted_and_found():
    found = imaginary_modes(modes_on_mesh(force_constants_of(UNSTABLE), 0.3))
    assert 0.001 < found.share < 0.2
    assert found.lowest < -1
    assert modes_at(force_constants_of(UNSTABLE), [found.q]).energies.min() == pytest.approx(found.lowest, abs=1e-9)
    none = imaginary_modes(modes_on_mesh(force_constants_of(NACL), 0.3))
    assert (none.share, none.lowest) == (0.0, 0.0)


# ---- displacements


@pytest.mark.parametrize("material", [NACL, SILICON], ids=lambda m: m.name)
def test_displacements_are_isotropic_on_cubic_sites(material):
    for tensor in displacements(modes_on_mesh(force_constants_of(material), 0.5), 300.0):
        np.testing.assert_allclose(tensor, tensor[0, 0] * np.eye(3), atol=1e-9)


def test_displacements_have_the_symmetry_of_the_site():
    """In brucite all atoms lie on threefold axes along c; hydrogen swings across its bond much more than along."""
    fc = force_constants_of(BRUCITE)
    tensors = displacements(modes_on_mesh(fc, 0.5), 10.0)
    for tensor in tensors:
        np.testing.assert_allclose(tensor, np.diag([tensor[0, 0], tensor[0, 0], tensor[2, 2]]), atol=1e-8)
    hydrogen = tensors[fc.crystal.numbers == 1][0]
    assert hydrogen[0, 0] > 1.3 * hydrogen[2, 2]


@each_material
@pytest.mark.parametrize("temperature", [10.0, 300.0])
def test_displacements_follow_from_the_density_of_states(material, temperature):
    modes = modes_on_mesh(force_constants_of(material), 0.12 if material.dim == (2, 2, 2) else 0.2)
    edges = uniform_edges(480.0, 0.1)
    partial, _ = density_of_states(modes, edges)
    exact = np.trace(displacements(modes, temperature), axis1=1, axis2=2)
    found = mean_square_displacements(partial, edges, modes.crystal.masses, temperature)
    np.testing.assert_allclose(found, exact, rtol=0.02 if temperature < 100 else 0.06)


@pytest.mark.parametrize("material", [QUARTZ, NACL, BRUCITE], ids=lambda m: m.name)
@pytest.mark.parametrize("temperature", [0.0, 300.0])
def test_displacements_of_phonopy(temperature, material):
    """With Born charges or without, on the same mesh."""
    fc = force_constants_of(material)
    ph = fc.phonopy
    ph.run_mesh([4, 4, 4], is_mesh_symmetry=False, with_eigenvectors=True, is_gamma_center=False)
    ph.run_thermal_displacement_matrices(temperatures=[temperature], freq_min=0.01)
    expected = ph.thermal_displacement_matrices.thermal_displacement_matrices[0].real
    found = displacements(modes_at(fc, ph.mesh.qpoints), temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def test_displacements_of_an_einstein_oscillator():
    """All modes at one energy: ⟨u²⟩ = 3 ħ²/2M coth(E/2kT)/E."""
    edges = np.array([0.0, 4.0, 29.99, 30.01, 50.0])
    partial = np.array([[0.0, 0.0, 3 / 0.02, 0.0]])
    for kelvin in (10.0, 500.0):
        expected = 3 * HBAR2_2U / 7.0 / 30.0 / np.tanh(30.0 / (2 * KB * kelvin))
        found = mean_square_displacements(partial, edges, np.array([7.0]), kelvin)
        assert found[0] == pytest.approx(expected, rel=1e-6)


# ---- coherent scattering at one Q


@each_material
@pytest.mark.parametrize("damped", [False, True])
def test_the_whole_is_the_self_part(material, damped):
    """∫R dE = (1/N) Σ b² ħ²Q²/2M exp(−2W) for every single Q: modes are complete, whatever they are."""
    fc = force_constants_of(material)
    crystal, vectors = fc.crystal, wave_vectors(12)
    u2 = np.linspace(0.01, 0.03, crystal.n_atoms) if damped else np.zeros(crystal.n_atoms)
    tensors = u2[:, None, None] / 3 * np.eye(3)
    found = intensities(at(fc, vectors), vectors, tensors).sum(axis=1)
    partial = np.full((crystal.n_atoms, 1), 3.0)
    square = scattering_lengths(crystal).coherent_square
    for form in (u2, tensors):
        own = self_part(partial, crystal.masses, square, np.linalg.norm(vectors, axis=1), form)
        np.testing.assert_allclose(found, own[:, 0], rtol=1e-10)


@pytest.mark.parametrize("material", [QUARTZ, ZINC_OXIDE], ids=lambda m: m.name)
def test_any_q_that_differs_by_a_reciprocal_lattice_vector_serves(material):
    fc = force_constants_of(material)
    vectors = wave_vectors(8)
    whole = vectors @ np.linalg.inv(fc.crystal.reciprocal)
    direct, reduced = modes_at(fc, whole), modes_at(fc, whole - np.floor(whole))
    agree(
        broadened(reduced.energies, intensities(reduced, vectors)),
        broadened(direct.energies, intensities(direct, vectors)),
    )


@pytest.mark.parametrize("material", [QUARTZ, ZINC_OXIDE], ids=lambda m: m.name)
def test_neither_frame_nor_origin_matters(material):
    turn = Rotation.from_rotvec([0.3, -0.5, 0.8]).as_matrix()
    atoms = material.atoms.copy()
    atoms.set_scaled_positions((atoms.get_scaled_positions() + np.array([0.13, 0.37, 0.71])) % 1)
    atoms.set_cell(atoms.cell.array @ turn.T, scale_atoms=True)
    vectors = wave_vectors(8)
    one, other = force_constants_of(material), force_constants_of(replace(material, atoms=atoms))
    spectra = []
    for fc, q in ((one, vectors), (other, vectors @ turn.T)):
        tensors = displacements(modes_on_mesh(fc, 1.0), 300.0)
        modes = at(fc, q)
        spectra.append(broadened(modes.energies, intensities(modes, q, tensors)))
    agree(*spectra)


def test_a_supercell_as_unit_cell_changes_nothing():
    """The primitive cell is found; twice as long a cell of half as many repetitions is the same crystal."""
    doubled = make_supercell(ZINC_OXIDE.atoms, np.diag([1, 1, 2]))
    axes = "1 0 0 0 1 0 0 0 1/2"
    other = force_constants_of(replace(ZINC_OXIDE, atoms=doubled, dim=(3, 3, 1), primitive=axes))
    one = force_constants_of(ZINC_OXIDE)
    vectors = wave_vectors(8)
    spectra = [broadened((m := at(fc, vectors)).energies, intensities(m, vectors)) for fc in (one, other)]
    agree(*spectra)


@pytest.mark.parametrize("material", [NACL, QUARTZ, ZINC_OXIDE, BRUCITE], ids=lambda m: m.name)
def test_points_that_share_modes_by_symmetry_scatter_alike(material):
    """As far as their nuclei do not absorb."""
    fc = force_constants_of(material)
    tensors = displacements(modes_on_mesh(fc, 0.6), 300.0)
    vectors = native_plane(fc.crystal).centres(fc.crystal).reshape(-1, 3)[::23]
    q, index, images = share_by_symmetry(fc.crystal, vectors, laue_rotations(fc.crystal))
    assert len(q) < len(vectors)
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), np.linalg.norm(vectors, axis=1), rtol=1e-5)
    steps = images @ np.linalg.inv(fc.crystal.reciprocal) - q[index]
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    direct, shared = at(fc, vectors), modes_at(fc, q)
    lengths = scattering_lengths(fc.crystal)
    lengths = replace(lengths, imaginary=np.zeros_like(lengths.imaginary))
    found = np.concatenate(
        [reduced_intensities(shared, j, images[i : i + 1], lengths, tensors) for i, j in enumerate(index)]
    )
    expected = broadened(direct.energies, intensities(direct, vectors, tensors, lengths))
    agree(broadened(shared.energies[index], found), expected, 1e-7)


def absorbing(crystal):
    """Lengths as if the first element of a crystal absorbed like gadolinium."""
    lengths = scattering_lengths(crystal)
    return replace(lengths, imaginary=np.where(crystal.numbers == crystal.numbers[0], -8.0, -0.5))


def test_nuclei_that_absorb_scatter_unlike_along_q_and_against_it():
    """Without inversion; lists, grids and paths then share modes by the point group only."""
    fc = force_constants_of(ZINC_OXIDE)
    lengths, tensors = absorbing(fc.crystal), displacements(modes_on_mesh(fc, 0.6), 300.0)
    vectors = wave_vectors(30)
    expected = [broadened((m := at(fc, v)).energies, intensities(m, v, tensors, lengths)) for v in (vectors, -vectors)]
    assert np.linalg.norm(expected[0] - expected[1]) > 0.1 * np.linalg.norm(expected[0])
    both = spectra_at(fc, np.concatenate([vectors, -vectors]), EDGES, lengths, tensors)
    for own, there in zip(np.split(both, 2), (vectors, -vectors), strict=True):
        np.testing.assert_allclose(own, spectra_at(fc, there, EDGES, lengths, tensors), atol=1e-9 * own.max())
    assert np.linalg.norm(both[:30] - both[30:]) > 0.1 * np.linalg.norm(both[:30])
    assert lengths.parts[0].coherent_square + lengths.parts[1].coherent_square == pytest.approx(lengths.coherent_square)


def test_a_powder_of_nuclei_that_absorb_is_the_average_of_q_and_its_opposite():
    fc = force_constants_of(ZINC_OXIDE)
    modes = modes_on_mesh(fc, 0.4)
    lengths, tensors = absorbing(fc.crystal), displacements(modes, 300.0)
    q_edges = np.array([3.0, 3.5])
    found = powder_map(fc, modes, q_edges, EDGES, lengths, tensors, per_shell=4000)
    turned = replace(lengths, imaginary=-lengths.imaginary)
    opposite = powder_map(fc, modes, q_edges, EDGES, turned, tensors, per_shell=4000)
    np.testing.assert_allclose(found, opposite, rtol=1e-12)


# ---- maps


def test_a_plane_is_the_average_of_points_in_each_bin():
    fc = force_constants_of(ZINC_OXIDE)
    lengths, tensors = scattering_lengths(fc.crystal), displacements(modes_on_mesh(fc, 0.6), 10.0)
    grid = PlaneGrid(np.array([[1.0, 0, 0], [0, 0, 1.0]]), np.linspace(0.9, 1.1, 3), np.linspace(2.0, 2.2, 3))
    found = plane_map(fc, grid, EDGES, lengths, tensors)
    for i, j in np.ndindex(2, 2):
        inside = 0.1 * (np.arange(12) + 0.5) / 12
        h, k = np.meshgrid(grid.h_edges[i] + inside, grid.k_edges[j] + inside)
        vectors = grid.vectors(fc.crystal, h, k).reshape(-1, 3)
        modes = at(fc, vectors)
        own = intensities(modes, vectors, tensors)
        assert found[i, j] @ np.diff(EDGES) == pytest.approx(own.sum() / len(vectors), rel=5e-3)
        histogram = np.histogram(modes.energies.ravel(), EDGES, weights=own.ravel())[0] / np.diff(EDGES)
        assert wasserstein(found[i, j], histogram, EDGES) < 0.4


@pytest.mark.parametrize("material", [NACL, QUARTZ, BRUCITE], ids=lambda m: m.name)
def test_the_native_plane_reaches_far_enough(material):
    crystal = force_constants_of(material).crystal
    grid = native_plane(crystal)
    lengths = np.linalg.norm(crystal.reciprocal_conventional, axis=1)[:2]
    for edges, length in zip((grid.h_edges, grid.k_edges), lengths, strict=True):
        assert edges[0] == 0
        assert len(edges) == 33
        assert edges[-1] >= 3.2 - 1e-12
        assert edges[-1] * length >= 4.0


@pytest.mark.parametrize("material", [NACL, QUARTZ], ids=lambda m: m.name)
def test_a_powder_map_is_the_average_over_directions(material):
    fc = force_constants_of(material)
    modes = modes_on_mesh(fc, 0.15)
    lengths, tensors = scattering_lengths(fc.crystal), displacements(modes, 10.0)
    q_edges = np.array([0.0, 0.05, 1.9, 2.1, 4.9, 5.1])
    found = powder_map(fc, modes, q_edges, EDGES, lengths, tensors, per_shell=1500)
    rng = np.random.default_rng(5)
    for shell in (1, 2, 4):
        low, high = q_edges[shell : shell + 2]
        vectors = wave_vectors(1500, seed=shell)
        radius = np.cbrt(rng.uniform(low**3, high**3, len(vectors)))
        vectors *= (radius / np.linalg.norm(vectors, axis=1))[:, None]
        direct = at(fc, vectors)
        own = intensities(direct, vectors, tensors)
        histogram = np.histogram(direct.energies.ravel(), EDGES, weights=own.ravel())[0] / np.diff(EDGES) / len(vectors)
        assert found[shell] @ np.diff(EDGES) == pytest.approx(own.sum() / len(vectors), rel=0.03)
        assert wasserstein(found[shell], histogram, EDGES) < 0.03 * direct.energies.max()
    assert np.all(np.isfinite(found))
    assert found[0].sum() > 0  # too small a shell for the mesh: wave vectors of its own


def test_a_powder_map_depends_on_its_seed_only():
    fc = force_constants_of(NACL)
    modes = modes_on_mesh(fc, 0.4)
    arguments = (fc, modes, np.linspace(0, 4, 5), EDGES, scattering_lengths(fc.crystal), displacements(modes, 10.0))
    one, again = (powder_map(*arguments, per_shell=20) for _ in range(2))
    other = powder_map(*arguments, per_shell=20, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_single_points_of_a_powder():
    fc = force_constants_of(ZINC_OXIDE)
    modes = modes_on_mesh(fc, 0.5)
    lengths, tensors = scattering_lengths(fc.crystal), displacements(modes, 10.0)
    edges = np.linspace(0, 8, 9)
    rng = np.random.default_rng(0)
    vectors, spectra = powder_points(modes, Shells(modes, edges), EDGES, lengths, tensors, n_points=40, rng=rng)
    assert spectra.shape == (40, 300)
    direct = at(fc, vectors)
    np.testing.assert_allclose(spectra @ np.diff(EDGES), intensities(direct, vectors, tensors).sum(axis=1), rtol=1e-6)
    counts = np.histogram(np.linalg.norm(vectors, axis=1), edges)[0]
    assert counts.min() >= 1


# ---- temperature, planes, lengths


@given(st.floats(0.5, 400), st.floats(1, 2000))
def test_loss_and_gain_are_in_detailed_balance(energy, kelvin):
    """S(−E) = exp(−E/kT) S(E), and R(−E)/E is even, so that one formula serves both sides."""
    energy = np.array([energy, -energy])
    loss, gain = to_scattering(np.array([1.0, 1.0]), energy, kelvin)
    assert gain == pytest.approx(loss * np.exp(-energy[0] / (KB * kelvin)), rel=1e-6, abs=1e-15)


def test_at_absolute_zero_nothing_is_excited():
    energy = np.array([1.0, 10.0, 100.0])
    np.testing.assert_allclose(to_scattering(np.ones(3), energy, 0.0), 1 / energy)
    np.testing.assert_allclose(to_scattering(np.ones(3), energy, 1e-3), 1 / energy)


def test_at_high_temperature_there_are_many_phonons():
    energy = np.array([1.0, 10.0])
    np.testing.assert_allclose(to_scattering(np.ones(2), energy, 9000.0), KB * 9000 / energy**2, rtol=0.01)


@pytest.mark.parametrize("temperature", [-1.0, np.nan, np.inf, 1e6])
def test_absurd_temperatures_are_refused(temperature):
    with pytest.raises(GridError, match=r"temperature is .* expected 0 to 10000 K"):
        check_temperature(temperature)


@pytest.mark.parametrize(
    ("plane", "message"),
    [
        (((1, 0, 0), (2, 0, 0)), "collinear"),
        (((1, 1, 0), (-1, -1, 0)), "collinear"),
        (((0, 0, 0), (0, 1, 0)), "collinear"),
        (((1, 0, 0),), "two vectors"),
        ((1, 0, 0), "two vectors"),
        (((1, 0, 0), (0, np.nan, 0)), "two vectors"),
    ],
)
def test_what_spans_no_plane_is_refused(plane, message):
    with pytest.raises(GridError, match=message):
        check_plane(plane)


def test_lengths_of_isotopes():
    """Sears, Neutron News 3, 26 (1992)."""
    cell = (np.eye(3) * 5, [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]], [1, 1, 8, 23])
    lengths = scattering_lengths(Crystal.from_cell(*cell, isotopes=[0, 2, 0, 0]))
    np.testing.assert_allclose(lengths.coherent, [-3.739, 6.671, 5.803, -0.3824], atol=0.07)
    np.testing.assert_allclose(lengths.incoherent, [80.26, 2.05, 0.0008, 5.08], atol=0.02)
    np.testing.assert_allclose(lengths.incoherent_square, lengths.incoherent / (4 * np.pi))


def test_lengths_of_absorbers_have_an_imaginary_part():
    """σ_coh = 4π|b|². Sears 1992: Sm 0.80 − 1.65i fm and 0.422 barn, Gd 29.3 barn, Cd 4.87 − 0.70i fm, Si real."""
    lengths = scattering_lengths(Crystal.from_cell(np.eye(3) * 8, np.arange(12).reshape(4, 3) / 13, [62, 64, 48, 14]))
    np.testing.assert_allclose(lengths.coherent[[0, 2, 3]], [0.80, 4.87, 4.149], atol=0.05)
    np.testing.assert_allclose(lengths.imaginary[[0, 2, 3]], [-1.65, -0.70, 0.0], atol=0.01)
    cross_sections = 4 * np.pi * lengths.coherent_square
    assert cross_sections[0] == pytest.approx(0.422, abs=1e-3)
    assert cross_sections[1] == pytest.approx(29.3, rel=0.25)  # b' has been measured again
    assert lengths.square("coherent-plus-incoherent") == pytest.approx(
        lengths.coherent_square + lengths.incoherent_square
    )


def test_an_element_without_a_length_is_refused():
    with pytest.raises(StructureError, match="no neutron scattering length is tabulated for Po"):
        scattering_lengths(Crystal.from_cell(np.eye(3) * 3.36, [[0, 0, 0]], [84]))


# ---- Euphonic


def compare_with_euphonic(force_constants, folder, kelvin=None, born=False, absorption=0.0):
    """Energies, and structure factors summed over groups of degenerate modes, at 20 wave vectors.

    Born charges are transposed, for Euphonic contracts q with the other of their indices than phonopy.
    """
    euphonic = pytest.importorskip("euphonic")
    ureg = euphonic.ureg
    fc = from_phonopy(force_constants.phonopy)
    charges = fc.phonopy.nac_params if born else None
    fc.phonopy.nac_params = charges and {**charges, "born": charges["born"].transpose(0, 2, 1).copy()}
    fc.phonopy.save(folder / "phonopy.yaml", settings={"force_constants": True})
    fc.phonopy.nac_params = charges
    theirs = euphonic.ForceConstants.from_phonopy(path=str(folder), summary_name="phonopy.yaml")
    crystal, vectors = fc.crystal, wave_vectors(20)
    options = {"asr": None, "use_c": False}
    lengths = scattering_lengths(crystal)
    lengths = replace(lengths, imaginary=np.where(crystal.numbers == crystal.numbers[0], -absorption, 0.0))
    complex_lengths = lengths.coherent + 1j * lengths.imaginary
    b = {symbol: complex_lengths[i] * ureg.fm for i, symbol in enumerate(crystal.symbols)}
    modes = at(fc, vectors)
    them = theirs.calculate_qpoint_phonon_modes(vectors @ np.linalg.inv(crystal.reciprocal), **options)
    tensors, damping = np.zeros((crystal.n_atoms, 3, 3)), None
    if kelvin is not None:
        mesh = np.stack(np.meshgrid(*[(np.arange(3) + 0.5) / 3] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        tensors = displacements(modes_at(fc, mesh), kelvin)
        on_mesh = theirs.calculate_qpoint_phonon_modes(mesh, **options)
        damping = on_mesh.calculate_debye_waller(kelvin * ureg.K, frequency_min=0.01 * ureg.meV, symmetrise=False)
    factors = them.calculate_structure_factor(scattering_lengths=b, dw=damping).structure_factors
    np.testing.assert_allclose(modes.energies, them.frequencies.to("meV").magnitude, atol=5e-3 if born else 1e-3)
    ours = intensities(modes, vectors, tensors, lengths) / modes.energies
    for energies, mine, other in zip(modes.energies, ours, factors.to("barn").magnitude, strict=True):
        starts = np.flatnonzero(np.diff(energies, prepend=-1.0) > 0.01)
        mine, other = np.add.reduceat(mine, starts), np.add.reduceat(other, starts)
        real = energies[starts] > 0.05
        tolerance = 3e-3 if born else 1e-6
        np.testing.assert_allclose(mine[real], other[real], rtol=tolerance, atol=tolerance * other[real].max())


@pytest.mark.filterwarnings("ignore")
@each_material
def test_euphonic_agrees(material, tmp_path):
    compare_with_euphonic(force_constants_of(material, born=False), tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_euphonic_agrees_on_nuclei_that_absorb(tmp_path):
    """Zinc oxide has no inversion, so that the sign of the imaginary part matters."""
    compare_with_euphonic(force_constants_of(ZINC_OXIDE, born=False), tmp_path, absorption=4.0)


@pytest.mark.filterwarnings("ignore")
def test_euphonic_agrees_on_the_debye_waller_factor(tmp_path):
    compare_with_euphonic(force_constants_of(QUARTZ), tmp_path, kelvin=300.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("material", [NACL, ZINC_OXIDE], ids=lambda m: m.name)
def test_euphonic_agrees_with_born_charges(material, tmp_path):
    compare_with_euphonic(force_constants_of(material), tmp_path, born=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("born", [False, True])
@pytest.mark.parametrize("name", ["7000-sio2", "2133-zno", "1143-al2o3", "149-si", "24341-csbeh3"])
def test_euphonic_agrees_on_crystals_of_the_database(name, born, tmp_path):
    paths = list(SAMPLE.glob(f"materials-id-{name}-*")) if SAMPLE.exists() else []
    if not paths:
        pytest.skip("no sample of the phonon database here")
    compare_with_euphonic(read_force_constants(paths[0]), tmp_path, born=born)


def test_forces_in_an_archive_and_springs_scatter_alike():
    """`from_phonopy` of forces and of force constants is one thing."""
    ph = phonopy_of(QUARTZ)
    ph.produce_force_constants(show_drift=False)
    vectors = wave_vectors(5)
    both = (from_phonopy(ph), force_constants_of(QUARTZ))
    agree(*(broadened((m := at(fc, vectors)).energies, intensities(m, vectors)) for fc in both))


# ---- devices


def test_structure_factors_are_the_same_on_a_device(monkeypatch):
    """torch's CPU stands for a GPU: one padded batch instead of one product after another."""
    rng = np.random.default_rng(0)
    index = np.array([0, 0, 2, 5, 5, 5])
    vectors = rng.normal(size=(6, 4)) + 1j * rng.normal(size=(6, 4))
    matrices = rng.normal(size=(7, 4, 4)) + 1j * rng.normal(size=(7, 4, 4))
    expected = np.einsum("imn,in->im", matrices[index], vectors)
    np.testing.assert_allclose(products(vectors, index, matrices), expected, rtol=1e-12)
    monkeypatch.setenv("INSCAPE_DEVICE", "cpu")
    np.testing.assert_allclose(products(vectors, index, matrices), expected, rtol=1e-12)


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("INSCAPE_DEVICE", "abacus")
    with pytest.raises(InscapeError, match="INSCAPE_DEVICE = 'abacus' cannot be used"):
        products(np.ones((1, 1), dtype=complex), np.array([0]), np.ones((1, 1, 1), dtype=complex))
