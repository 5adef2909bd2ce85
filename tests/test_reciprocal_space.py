"""Lists, lines, planes, volumes and paths of reciprocal space: laws of any crystal, limits at Γ, refusals."""

import tracemalloc
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from ase.build import make_supercell
from phonopy.harmonic.dynamical_matrix import get_dynamical_matrices_at_qpoints
from scipy.spatial.transform import Rotation

import crystals
import inscape.lattice.fourier as fourier
import inscape.scattering.powder as powder
import inscape.scattering.products as products
import inscape.scattering.wave_vectors as wave_vectors
from crystals import BRUCITE, MATERIALS, NACL, QUARTZ, SILICON, UNSTABLE, ZINC_OXIDE
from inscape.errors import GridError
from inscape.lattice import modes_at, modes_on_mesh
from inscape.lattice.dipoles import dynamical_matrices, short_range
from inscape.lattice.fourier import LatticeSum
from inscape.scattering import (
    PlaneGrid,
    ReciprocalGrid,
    displacements,
    grid_map,
    imaginary_modes,
    path_spectra,
    plane_map,
    powder_average,
    powder_map,
    q_path,
    reduced_intensities,
    scattering_lengths,
    special_path,
    special_points,
    spectra_at,
    to_scattering,
)
from inscape.scattering.resolution import broadening_matrix
from inscape.units import FM2_PER_BARN, HBAR2_2U, KB, THZ

BY_NAME = {m.name: m for m in (*MATERIALS, UNSTABLE)}

EDGES = np.linspace(0.0, 200.0, 401)
HKL_PATH = [[(1, 0, 0), (2, 1, 0), (2, 1, 2)]]
VOLUME = ReciprocalGrid(np.eye(3), (np.linspace(0.9, 2.1, 4), np.linspace(0.1, 0.9, 3), np.linspace(1.1, 1.7, 3)))


@cache
def built(name):
    """Force constants of a material of the tests, built once."""
    return crystals.force_constants_of(BY_NAME[name])


def force_constants_of(material):
    """Force constants that no test may change."""
    return built(material.name)


def some_vectors(count, longest=6.0, seed=3):
    """Random Q, shape (count, 3), 1/Å."""
    q = np.random.default_rng(seed).normal(size=(count, 3))
    return q / np.linalg.norm(q, axis=1)[:, None] * np.linspace(0.5, longest, count)[:, None]


@cache
def parts_of(force_constants, kelvin=300.0):
    """Scattering lengths and displacements."""
    return scattering_lengths(force_constants.crystal), displacements(modes_on_mesh(force_constants, 1.0), kelvin)


def smooth(spectra, sigma=2.0):
    """Spectra on a smooth scale, so that a mode on the edge of a bin may fall to either side."""
    return (broadening_matrix(EDGES, sigma) @ spectra.reshape(-1, len(EDGES) - 1).T).T


# ---- structure factors of many wave vectors at once


@pytest.mark.parametrize("material", [NACL, QUARTZ, BRUCITE], ids=lambda m: m.name)
def test_many_at_once_are_the_formula_one_by_one(material):
    """Squires 2012, eq. 3.120, written out for one Q and one mode."""
    fc = force_constants_of(material)
    crystal = fc.crystal
    lengths, tensors = parts_of(fc)
    rng = np.random.default_rng(0)
    modes = modes_at(fc, rng.uniform(0, 1, (4, 3)))
    index = rng.integers(0, 4, 11)
    cells = rng.integers(-4, 5, (11, 3))
    vectors = (modes.q[index] + cells) @ crystal.reciprocal
    found = reduced_intensities(modes, index, vectors, lengths, tensors)
    for i, nu in np.ndindex(11, 3 * crystal.n_atoms):
        total = 0.0
        for d in range(crystal.n_atoms):
            damping = np.exp(-0.5 * vectors[i] @ tensors[d] @ vectors[i])
            phase = np.exp(-2j * np.pi * cells[i] @ crystal.positions[d])
            projection = vectors[i] @ modes.polarisations[index[i], nu, d]
            conjugate = lengths.coherent[d] - 1j * lengths.imaginary[d]
            total += conjugate / np.sqrt(crystal.masses[d]) * damping * phase * projection
        expected = HBAR2_2U * abs(total) ** 2 / FM2_PER_BARN / crystal.n_atoms
        assert found[i, nu] == pytest.approx(expected, rel=1e-10, abs=1e-12 * found[i].sum())


def test_blocks_of_any_size_give_the_same(monkeypatch):
    fc = force_constants_of(ZINC_OXIDE)
    lengths, tensors = parts_of(fc)
    modes, q_edges = modes_on_mesh(fc, 0.5), np.linspace(0, 6, 13)

    def everything():
        return (
            spectra_at(fc, some_vectors(30), EDGES, lengths, tensors),
            powder_map(fc, modes, q_edges, EDGES, lengths, tensors, per_shell=40),
        )

    whole = everything()
    monkeypatch.setattr(products, "CACHE_BYTES", 1)
    monkeypatch.setattr(wave_vectors, "MODES_BYTES", 1)
    monkeypatch.setattr(powder, "PAIRS", 1)
    for one, other in zip(everything(), whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * other.max())


def peak_memory(task, *arguments, **options):
    """Most bytes that a call holds at a time."""
    tracemalloc.start()
    task(*arguments, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_of_a_list_is_bounded_by_blocks(monkeypatch):
    """The polarisations of all wave vectors would alone take four times as much."""
    fc = force_constants_of(QUARTZ)
    lengths, tensors = parts_of(fc)
    monkeypatch.setattr(products, "CACHE_BYTES", 100_000)
    monkeypatch.setattr(wave_vectors, "MODES_BYTES", 500_000)
    edges = np.array([0.0, 50.0, 200.0])
    peak = peak_memory(spectra_at, fc, some_vectors(2000), edges, lengths, tensors)
    assert peak < 2000 * 27**2 * 16 / 4


def test_memory_of_a_powder_map_is_bounded_whatever_the_cell():
    """Pairs of q and G are as many for any cell, and blocks of structure factors of the same size."""
    edges, q_edges = np.array([0.0, 50.0, 600.0]), np.linspace(0, 6, 61)
    for material in (NACL, ZINC_OXIDE, QUARTZ):
        fc = force_constants_of(material)
        modes = modes_on_mesh(fc, 0.15)
        peak = peak_memory(powder_map, fc, modes, q_edges, edges, *parts_of(fc), per_shell=300)
        assert peak < 12 * products.CACHE_BYTES


# ---- laws of S(Q,E)


def variants(material):
    """The same crystal otherwise: turned, moved, atoms in reverse order, twice as long a unit cell."""
    turn = Rotation.from_rotvec([0.4, 0.2, -0.7]).as_matrix()
    turned = material.atoms.copy()
    turned.set_cell(turned.cell.array @ turn.T, scale_atoms=True)
    moved = material.atoms.copy()
    moved.set_scaled_positions((moved.get_scaled_positions() + np.array([0.21, 0.43, 0.67])) % 1)
    doubled = make_supercell(material.atoms, np.diag([1, 1, 2]))
    dim = (material.dim[0], material.dim[1], material.dim[2] // 2)
    return {
        "rotation": replace(material, atoms=turned),
        "origin": replace(material, atoms=moved),
        "permutation": replace(material, atoms=material.atoms[::-1]),
        "supercell": replace(material, atoms=doubled, dim=dim, primitive="1 0 0 0 1 0 0 0 1/2"),
    }


@pytest.mark.parametrize("change", ["rotation", "origin", "permutation", "supercell"])
@pytest.mark.parametrize("material", [QUARTZ, ZINC_OXIDE], ids=lambda m: m.name)
def test_how_a_crystal_is_written_down_changes_nothing(material, change):
    spectra = []
    for fc in (force_constants_of(material), crystals.force_constants_of(variants(material)[change])):
        lengths, tensors = parts_of(fc)
        path = path_spectra(fc, q_path(fc.crystal, HKL_PATH, spacing=0.2), lengths, tensors)
        volume = grid_map(fc, VOLUME, EDGES, lengths, tensors, points_per_bin=1)
        spectra.append((path.energies, smooth(path.spectra(EDGES)), smooth(volume)))
    (energies, along, within), (other_energies, other_along, other_within) = spectra
    np.testing.assert_allclose(other_energies, energies, atol=1e-4)
    np.testing.assert_allclose(other_along, along, atol=1e-3 * along.max())
    np.testing.assert_allclose(other_within, within, atol=1e-3 * within.max())


@pytest.mark.parametrize("material", [NACL, SILICON], ids=lambda m: m.name)
def test_on_cubic_sites_the_tensor_is_a_scalar(material):
    fc = force_constants_of(material)
    lengths, tensors = parts_of(fc)
    scalar = np.trace(tensors, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    one, other = (spectra_at(fc, some_vectors(20), EDGES, lengths, u) for u in (tensors, scalar))
    np.testing.assert_allclose(one, other, rtol=1e-7)
    assert np.abs(spectra_at(fc, some_vectors(20), EDGES, lengths, 0 * tensors) / other.max()).max() > 1.01


@pytest.mark.parametrize("material", MATERIALS, ids=lambda m: m.name)
def test_long_waves_scatter_from_all_atoms_at_once(material):
    """Q → 0: S of an acoustic mode is (Σb)² (Q·e)² ħ²/(2 ΣM E) (n + 1) per cell, e its common direction."""
    fc = force_constants_of(material)
    crystal, lengths = fc.crystal, scattering_lengths(fc.crystal)
    vectors = some_vectors(4)
    vectors *= 0.03 / np.linalg.norm(vectors, axis=1)[:, None]
    modes = modes_at(fc, vectors @ np.linalg.inv(crystal.reciprocal))
    found = reduced_intensities(modes, np.arange(4), vectors, lengths, np.zeros((crystal.n_atoms, 3, 3)))[:, :3]
    energies = modes.energies[:, :3]
    assert energies.min() > 0.05
    direction = modes.polarisations[:, :3, 0] * np.sqrt(crystal.masses.sum() / crystal.masses[0])
    along = np.abs(np.einsum("qa,qma->qm", vectors, direction)) ** 2
    whole = lengths.coherent.sum() ** 2 / FM2_PER_BARN
    kelvin = 50.0
    expected = whole * along * HBAR2_2U / crystal.masses.sum() / energies / (1 - np.exp(-energies / (KB * kelvin)))
    scattering = to_scattering(found, energies, kelvin) * crystal.n_atoms
    np.testing.assert_allclose(scattering, expected, atol=0.01 * expected.max(axis=1).min())


def test_a_plane_is_a_slice_of_a_volume():
    fc = force_constants_of(ZINC_OXIDE)
    lengths, tensors = parts_of(fc)
    h, k, heights = np.linspace(0.1, 1.3, 4), np.linspace(-0.4, 0.4, 3), np.linspace(0.2, 1.0, 5)
    axes = np.array([[1.0, 0, 0], [0, 1.0, 0], [1.0, 1.0, 1.0]])
    volume = grid_map(fc, ReciprocalGrid(axes, (h, k, heights), (0, 1, 0)), EDGES, lengths, tensors, points_per_bin=2)
    for i in range(4):
        thickness = (heights[i + 1] - heights[i]) / 4
        planes = []
        for height in (heights[i] + thickness, heights[i + 1] - thickness):
            plane = PlaneGrid(axes[:2], h, k, origin=np.array([0, 1, 0]) + height * axes[2])
            planes.append(grid_map(fc, plane, EDGES, lengths, tensors, points_per_bin=2))
        np.testing.assert_allclose(volume[:, :, i], np.mean(planes, axis=0), rtol=1e-5, atol=1e-6)


def test_a_grid_is_the_list_of_its_centres():
    fc = force_constants_of(QUARTZ)
    lengths, tensors = parts_of(fc)
    line = ReciprocalGrid([[1, 1, 0]], (np.linspace(0, 1, 6),), origin=(0, 0, 2))
    for grid in (line, VOLUME):
        found = grid_map(fc, grid, EDGES, lengths, tensors, points_per_bin=1)
        vectors = grid.centres(fc.crystal)
        assert found.shape == (*grid.shape, 400) == (*vectors.shape[:-1], 400)
        listed = spectra_at(fc, vectors.reshape(-1, 3), EDGES, lengths, tensors)
        np.testing.assert_allclose(found.reshape(-1, 400), listed, rtol=1e-9)


def test_an_offset_moves_the_origin_of_a_plane():
    fc = force_constants_of(NACL)
    lengths, tensors = parts_of(fc)
    h, k = np.linspace(2, 3, 4), np.linspace(0, 1, 3)
    one = plane_map(fc, PlaneGrid(((1, 0, 0), (0, 1, 0)), h, k), EDGES, lengths, tensors)
    other = plane_map(fc, PlaneGrid(((1, 0, 0), (0, 1, 0)), h - 2, k, origin=(2, 0, 0)), EDGES, lengths, tensors)
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


# ---- dynamical matrices


@pytest.mark.parametrize("name", [*(m.name for m in MATERIALS), "wang"])
def test_dynamical_matrices_are_those_of_phonopy(name):
    ph = crystals.force_constants_of(BY_NAME.get(name, ZINC_OXIDE)).phonopy
    if name == "wang":
        ph.nac_params = {**ph.nac_params, "method": "wang"}
    q = np.random.default_rng(5).uniform(-0.5, 0.5, (40, 3))
    matrix = ph.dynamical_matrix
    short = LatticeSum.of(short_range(matrix))
    np.testing.assert_allclose(
        dynamical_matrices(matrix, short, q, np.zeros_like(q)), get_dynamical_matrices_at_qpoints(matrix, q), atol=1e-6
    )


@pytest.mark.parametrize("size", [1, 10**9])
def test_sums_over_the_lattice_do_not_depend_on_blocks(monkeypatch, size):
    matrix = force_constants_of(SILICON).phonopy.dynamical_matrix
    q = np.random.default_rng(5).uniform(-0.5, 0.5, (7, 3))
    expected = LatticeSum.of(matrix)(q)
    monkeypatch.setattr(fourier, "BLOCK_BYTES", size)
    monkeypatch.setattr(fourier, "LEAST", 2)
    found = LatticeSum.of(matrix)(q)
    np.testing.assert_allclose(found, expected, atol=1e-13)
    np.testing.assert_allclose(found, found.conj().transpose(0, 2, 1), atol=1e-13)
    assert LatticeSum.of(matrix)(np.zeros((0, 3))).shape == (0, 6, 6)


# ---- Γ


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 0, 1), (0.3, -0.2, 0.5)])
@pytest.mark.parametrize("method", ["gonze", "wang"])
def test_longitudinal_modes_at_gamma_are_those_of_phonopy(direction, method):
    fc = crystals.force_constants_of(ZINC_OXIDE)
    ph = fc.phonopy
    ph.nac_params = {**ph.nac_params, "method": method}
    ph.run_qpoints([[0, 0, 0]], nac_q_direction=direction)
    expected = ph.qpoints.frequencies[0] * THZ
    towards = np.array([direction]) @ fc.crystal.reciprocal
    for q in ([[0, 0, 0]], [[1, -2, 3]]):
        np.testing.assert_allclose(modes_at(fc, q, directions=towards).energies[0], expected, atol=1e-5)
    close = modes_at(fc, 2e-4 * np.array([direction])).energies[0]
    np.testing.assert_allclose(close[3:], expected[3:], atol=2e-3)
    transverse = modes_at(fc, [[0, 0, 0]]).energies[0]
    ph.run_qpoints([[0, 0, 0]])
    np.testing.assert_allclose(transverse, ph.qpoints.frequencies[0] * THZ, atol=1e-5)
    assert expected[-1] > transverse[-1] + 0.5


@pytest.mark.parametrize("material", MATERIALS, ids=lambda m: m.name)
def test_acoustic_modes_at_gamma_have_no_energy(material):
    fc = force_constants_of(material)
    for q in ([0, 0, 0], [1, 1, -2]):
        modes = modes_at(fc, [q], directions=[[0.3, 0.1, 0.9]])
        assert np.abs(modes.energies[0, :3]).max() < 1e-3
        vectors = np.array([q]) @ fc.crystal.reciprocal
        found = spectra_at(fc, vectors, EDGES, *parts_of(fc), directions=[[0.3, 0.1, 0.9]])
        assert np.all(np.isfinite(found))
        assert found[0, 0] == 0


def test_a_path_comes_to_gamma_from_both_sides():
    fc = force_constants_of(ZINC_OXIDE)
    path = special_path(fc.crystal, [["M", "Γ", "A"]], spacing=0.1)
    spectra = path_spectra(fc, path, *parts_of(fc))
    (_, first), (before, _), (after, _), (_, last) = path.stops
    assert (first, last) == ("M", "A")
    assert after == before + 1
    assert path.distance[before] == path.distance[after]
    np.testing.assert_array_equal(path.vectors[before], path.vectors[after])
    for point in (before, after):
        fractional = path.directions[point] @ np.linalg.inv(fc.crystal.reciprocal)
        fc.phonopy.run_qpoints([[0, 0, 0]], nac_q_direction=fractional)
        expected = fc.phonopy.qpoints.frequencies[0] * THZ
        np.testing.assert_allclose(spectra.energies[point], expected, atol=1e-5)
    assert np.abs(spectra.energies[before] - spectra.energies[after]).max() > 0.01


# ---- paths


@pytest.mark.parametrize("material", MATERIALS, ids=lambda m: m.name)
def test_special_points_are_on_the_boundary_of_the_zone(material):
    """Γ is the origin; every other point is at least as near to Γ as to some other reciprocal-lattice vector."""
    crystal = force_constants_of(material).crystal
    points = special_points(crystal)
    np.testing.assert_allclose(points.pop("Γ"), 0)
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), axis=-1).reshape(-1, 3)
    others = steps[np.any(steps != 0, axis=1)] @ crystal.reciprocal
    for name, hkl in points.items():
        q = hkl @ crystal.reciprocal_conventional
        nearest = np.linalg.norm(q - others, axis=1).min()
        assert nearest == pytest.approx(np.linalg.norm(q), rel=1e-6), name


def test_special_points_of_a_face_centred_lattice():
    points = special_points(force_constants_of(NACL).crystal)
    assert sorted(np.abs(points["X"])) == pytest.approx([0, 0, 1])
    assert sorted(np.abs(points["L"])) == pytest.approx([0.5, 0.5, 0.5])
    assert sorted(np.abs(points["W"])) == pytest.approx([0, 0.5, 1])


def test_bands_repeat_from_zone_to_zone_and_intensities_do_not():
    fc = force_constants_of(NACL)
    parts = parts_of(fc)
    first, other = (
        path_spectra(fc, special_path(fc.crystal, [["X", "Γ"], ["L", "W"]], zone=zone, spacing=0.1), *parts)
        for zone in ((0, 0, 0), (2, 2, 0))
    )
    np.testing.assert_allclose(other.energies, first.energies, atol=1e-6)
    assert other.intensities.sum() > 3 * first.intensities.sum()


def test_a_path_is_the_list_of_its_points():
    fc = force_constants_of(BRUCITE)
    lengths, tensors = parts_of(fc)
    path = special_path(fc.crystal, spacing=0.15, zone=(1, 0, 1))
    assert path.stops[0] == (0, "Γ")
    assert path.stops[-1][0] == len(path.vectors) - 1
    steps = np.linalg.norm(np.diff(path.vectors, axis=0), axis=1)
    joined = np.diff(path.distance) > 0
    np.testing.assert_allclose(steps[joined], np.diff(path.distance)[joined])
    assert steps[joined].max() <= 0.15 + 1e-12
    spectra = path_spectra(fc, path, lengths, tensors)
    assert np.all(np.diff(spectra.energies, axis=1) >= 0)
    edges = np.linspace(0.0, 600.0, 601)
    listed = spectra_at(fc, path.vectors, edges, lengths, tensors, directions=path.directions)
    np.testing.assert_allclose(spectra.spectra(edges), listed, rtol=1e-5, atol=1e-6 * listed.max())


# ---- imaginary modes


def test_imaginary_modes_are_shown_in_bands_and_left_out_of_spectra():
    fc = force_constants_of(UNSTABLE)
    lengths = scattering_lengths(fc.crystal)
    worst = imaginary_modes(modes_on_mesh(fc, 0.3)).q
    hkl = np.array(worst) @ fc.crystal.reciprocal @ np.linalg.inv(fc.crystal.reciprocal_conventional)
    still = np.zeros((2, 3, 3))
    path = q_path(fc.crystal, [hkl + np.array([[2, 0, 0], [2, 2, 0]])], spacing=0.3)
    spectra = path_spectra(fc, path, lengths, still)
    imaginary = spectra.energies < 0
    assert spectra.energies[0].min() < -1
    assert np.all(spectra.intensities[imaginary] == 0)
    square = np.sum(path.vectors**2, axis=1)
    whole = HBAR2_2U * square * (lengths.coherent_square / fc.crystal.masses).sum() / 2
    seen = spectra_at(fc, path.vectors, EDGES, lengths, still) @ np.diff(EDGES)
    np.testing.assert_allclose(seen, spectra.intensities.sum(axis=1), rtol=1e-6)
    stable = ~imaginary.any(axis=1)
    np.testing.assert_allclose(seen[stable], whole[stable], rtol=1e-6)
    assert seen[0] < 0.99 * whole[0]


# ---- powder shells to a tolerance


@pytest.mark.parametrize("material", [NACL, QUARTZ], ids=lambda m: m.name)
def test_a_powder_map_meets_its_tolerance(material):
    """The error that is estimated is the one there is, and falls below what was asked for."""
    fc = force_constants_of(material)
    modes, (lengths, tensors) = modes_on_mesh(fc, 0.25), parts_of(fc, 10.0)
    q_edges = np.linspace(1.0, 4.0, 16)
    arguments = (fc, modes, q_edges, EDGES, lengths, tensors)
    exact = smooth(powder_map(*arguments, per_shell=30_000), 1.0)
    counts = []
    for tolerance in (None, 0.05, 0.02):
        found = powder_average(*arguments, per_shell=64, tolerance=tolerance, rng=np.random.default_rng(7))
        actual = np.linalg.norm(smooth(found.values, 1.0) - exact, axis=1) / np.linalg.norm(exact, axis=1)
        assert np.sqrt(np.mean(actual**2)) == pytest.approx(np.sqrt(np.mean(found.error**2)), rel=0.6)
        counts.append(found.counts)
        if tolerance:
            assert found.error.max() <= tolerance
            again = powder_map(*arguments, per_shell=64, tolerance=tolerance, rng=np.random.default_rng(7))
            np.testing.assert_array_equal(again, found.values)
    assert np.all(counts[0] == 64)
    assert counts[1].sum() > counts[0].sum()
    assert counts[2].sum() > 1.5 * counts[1].sum()


def test_a_shell_too_small_for_the_mesh_meets_a_tolerance_too():
    fc = force_constants_of(NACL)
    found = powder_average(fc, modes_on_mesh(fc, 0.5), [0.0, 0.05, 0.1], EDGES, *parts_of(fc), tolerance=0.2)
    assert found.error.max() <= 0.2
    assert np.all(found.values.sum(axis=1) > 0)


# ---- refusals


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ReciprocalGrid(((1, 0, 0), (1, 0, 0)), ([0, 1], [0, 1])), "collinear and do not span a plane"),
        (lambda: ReciprocalGrid([(0, 0, 0)], ([0, 1],)), "zero and do not span a line"),
        (lambda: ReciprocalGrid([(1, 0, 0), (0, 1, 0), (1, 1, 0)], ([0, 1],) * 3), "coplanar and do not span a volume"),
        (lambda: ReciprocalGrid(np.eye(3), ([0, 1], [0, 1])), "a plane needs two vectors"),
        (lambda: PlaneGrid(((1, 0, 0), (0, 1, 0)), [0, 1, 0.5], [0, 1]), "axis 1 of the grid: bin edges must be"),
        (lambda: PlaneGrid(((1, 0, 0), (0, 1, 0)), [0, 1], [0, 1], origin=(0, 1)), "origin must be three finite"),
    ],
)
def test_grids_that_make_no_sense_are_refused(build, message):
    with pytest.raises(GridError, match=message):
        build()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": [["Γ", "Q"]]}, r"special points \['Q'\] do not exist in Fm-3m; it has Γ, "),
        ({"zone": (1, 0, 0)}, "is no reciprocal-lattice vector of Fm-3m"),
        ({"zone": (1, 1)}, "is no reciprocal-lattice vector"),
        ({"spacing": 0.0}, "must be positive"),
        ({"labels": [["Γ"]]}, "two or more stops"),
        ({"labels": [["Γ", "Γ"]]}, "are the same"),
    ],
)
def test_paths_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(GridError, match=message):
        special_path(force_constants_of(NACL).crystal, **arguments)


def test_wave_vectors_and_energies_that_make_no_sense_are_refused():
    fc = force_constants_of(NACL)
    parts = parts_of(fc)
    with pytest.raises(GridError, match=r"of shape \(n, 3\), in 1/Å; got an array of shape \(3,\)"):
        spectra_at(fc, [1.0, 0, 0], EDGES, *parts)
    with pytest.raises(GridError, match="energies: bin edges must be"):
        spectra_at(fc, [[1.0, 0, 0]], [3.0, 2.0], *parts)
    with pytest.raises(GridError, match="must be positive"):
        powder_average(fc, modes_on_mesh(fc, 0.5), [1.0, 2.0], EDGES, *parts, tolerance=0.0)


def test_a_tolerance_that_cannot_be_met_is_refused(monkeypatch):
    fc = force_constants_of(NACL)
    monkeypatch.setattr(powder, "MOST", 200)
    with pytest.raises(GridError, match="more than the tolerance of 1e-06"):
        powder_average(fc, modes_on_mesh(fc, 0.3), [2.0, 3.0], EDGES, *parts_of(fc), per_shell=16, tolerance=1e-6)
