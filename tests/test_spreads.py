"""Modes spread over the cells of a mesh: a coarse mesh gives nearly what a fine one does, and nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest

from crystals import NACL, QUARTZ, SILICON, force_constants_of
from inscape.errors import GridError
from inscape.lattice import modes_at, modes_on_mesh
from inscape.lattice.spreads import SHARE_OF_ENERGY, energy_spreads
from inscape.scattering import (
    density_of_states,
    displacements,
    phonon_orders,
    powder_map,
    scattering_lengths,
    to_scattering,
)
from inscape.spectra import centres, native_energy_edges, uniform_edges

COARSE, FINE = 0.3, 0.1
MATERIALS = pytest.mark.parametrize("material", [SILICON, NACL, QUARTZ], ids=lambda m: m.name)


def meshes(material):
    """Modes on a fine mesh, and on a coarse one without and with spreads."""
    constants = force_constants_of(material)
    modes = (modes_on_mesh(constants, FINE), modes_on_mesh(constants, COARSE))
    return constants, (*modes, modes_on_mesh(constants, COARSE, spread=True))


def test_spreads_are_those_of_parabolas():
    """E = E₀ + b·x + Σ a x² over a cube of side 1: its standard deviation, by points inside."""
    slope, curvature = np.array([2.0, 0.5, -1.0]), np.array([1.0, -3.0, 0.0])

    def energy(x):
        return 60 + x @ slope + x**2 @ curvature

    steps = np.eye(3)
    here, before, after = energy(np.zeros(3)), energy(-steps), energy(steps)
    found = energy_spreads(np.array([[here]]), before[:, None, None], after[:, None, None])
    points = (np.arange(60) + 0.5) / 60 - 0.5
    inside = np.stack(np.meshgrid(points, points, points), axis=-1).reshape(-1, 3)
    assert found[0, 0] == pytest.approx(energy(inside).std(), rel=1e-3)


def test_spreads_stay_away_from_zero():
    here = np.array([[-5.0, 0.0, 8.0]])
    found = energy_spreads(here, np.tile(here - 50, (3, 1, 1)), np.tile(here + 50, (3, 1, 1)))
    np.testing.assert_allclose(found, [[0, 0, 8 * SHARE_OF_ENERGY]])


@MATERIALS
def test_a_coarse_mesh_gives_the_density_of_states_of_a_fine_one(material):
    _, (fine, sharp, spread) = meshes(material)
    edges = uniform_edges(1.2 * float(fine.energies.max()), 0.5)
    true, rough, ours = (density_of_states(modes, edges)[0] for modes in (fine, sharp, spread))
    np.testing.assert_allclose(ours @ np.diff(edges), 3.0)
    assert np.abs(ours - true).sum() < 0.7 * np.abs(rough - true).sum()


def test_bins_of_different_widths_hold_what_fine_ones_do():
    _, (_, _, spread) = meshes(NACL)
    native, even = native_energy_edges(), uniform_edges(1.2 * float(spread.energies.max()), 0.25)
    both = [(density_of_states(spread, edges)[0] * np.diff(edges)).cumsum(axis=1) for edges in (native, even)]
    np.testing.assert_allclose(both[0][:, -1], 3.0)
    for energy in (5.0, 12.0, 20.0):
        ours, theirs = (
            [np.interp(energy, edges[1:], row) for row in area]
            for area, edges in zip(both, (native, even), strict=True)
        )
        np.testing.assert_allclose(ours, theirs, atol=0.02)


@MATERIALS
def test_a_coarse_mesh_gives_the_powder_map_of_a_fine_one(material):
    constants, modes = meshes(material)
    lengths, edges = scattering_lengths(constants.crystal), uniform_edges(1.2 * float(modes[0].energies.max()), 0.5)
    q_edges, tensors = np.linspace(2, 6, 9), displacements(modes[0], 10.0)
    true, rough, ours = (powder_map(constants, m, q_edges, edges, lengths, tensors, per_shell=2000) for m in modes)
    np.testing.assert_allclose(ours.sum(axis=1), rough.sum(axis=1), rtol=1e-6)  # the same wave vectors
    assert np.abs(ours - true).sum() < 0.8 * np.abs(rough - true).sum()


def test_nothing_comes_near_zero_where_scattering_is_divided_by_energy():
    """What is spread to the lowest bins would be a quasi-elastic line of a crystal that has none."""
    for material in (SILICON, NACL):
        constants = force_constants_of(material)
        modes = modes_on_mesh(constants, 0.2, spread=True)
        edges = uniform_edges(12.0, 0.1)
        lengths, tensors = scattering_lengths(constants.crystal), displacements(modes, 300.0)
        reduced = powder_map(constants, modes, np.linspace(2, 6, 9), edges, lengths, tensors)
        scattered = to_scattering(reduced, centres(edges), 300.0).mean(axis=0)
        assert scattered[0] < scattered[10:40].mean()


def test_spreads_around_the_centre_are_those_of_a_part_of_its_cell():
    """The four points around Γ stand for eighths of its cell, where sound waves vary more than is allowed."""
    constants = force_constants_of(NACL)
    modes = modes_on_mesh(constants, COARSE, spread=True)
    steps = np.stack(np.meshgrid(*[(np.arange(6) + 0.5) / 3] * 3), axis=-1).reshape(-1, 3)  # of the way to the point
    inside = modes_at(constants, steps * modes.q[-1]).energies.std(axis=0)
    allowed = SHARE_OF_ENERGY * modes.energies[-1]
    assert np.all(inside[:3] > allowed[:3])
    np.testing.assert_allclose(modes.spreads[-1, :3], allowed[:3])
    np.testing.assert_allclose(modes.spreads[-1, 3:], inside[3:], atol=0.3 * allowed[3:].max())


def test_incoherent_scattering_is_spread_like_the_density_of_states():
    _, (fine, sharp, spread) = meshes(SILICON)
    edges = uniform_edges(1.2 * float(fine.energies.max()), 0.5)
    true, rough, ours = (phonon_orders(modes, edges, 300.0, order=1) for modes in (fine, sharp, spread))
    np.testing.assert_array_equal(ours.motion.spectrum, rough.motion.spectrum)  # on which sum rules stand
    np.testing.assert_allclose(ours.motion.loss.sum(), rough.motion.loss.sum(), rtol=1e-6)
    warm = edges[:-1] > 5
    one, other = (np.abs(x.motion.loss - true.motion.loss)[:, warm].sum() for x in (ours, rough))
    assert one < 0.7 * other


def test_spectra_without_spreads_are_as_they_were():
    _, (_, sharp, spread) = meshes(QUARTZ)
    edges = uniform_edges(1.2 * float(sharp.energies.max()), 0.5)
    still = replace(spread, spreads=np.zeros_like(spread.energies))
    np.testing.assert_allclose(density_of_states(still, edges)[0], density_of_states(sharp, edges)[0], atol=1e-12)


def test_maps_need_bins_of_one_width():
    constants, (_, _, spread) = meshes(NACL)
    lengths, tensors = scattering_lengths(constants.crystal), displacements(spread, 10.0)
    with pytest.raises(GridError, match="bins of one width"):
        powder_map(constants, spread, np.linspace(2, 6, 9), native_energy_edges(), lengths, tensors)
