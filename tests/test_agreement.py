"""Energies of force constants, moved towards a predicted density of states."""

import numpy as np
import pytest

from inscape.spectra import native_energy_edges
from inscape.structure_model.agreement import SCALE, SHAPE, agreed

EDGES = native_energy_edges()
ENERGIES = np.sort(60 * np.random.default_rng(0).random((40, 30)) ** 0.7, axis=1)


def density(energies, n_atoms=2):
    """Density of states of so many equal atoms with modes of these energies."""
    counts = np.histogram(energies, EDGES)[0] / np.diff(EDGES)
    return np.tile(3 * counts / energies.size, (n_atoms, 1))


def test_energies_that_agree_stay():
    np.testing.assert_allclose(agreed(ENERGIES, density(ENERGIES)), ENERGIES, rtol=0.02, atol=0.1)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_energies_go_their_share_of_the_way(factor):
    found = agreed(ENERGIES, density(factor * ENERGIES))
    assert found.shape == ENERGIES.shape
    assert found.mean() / ENERGIES.mean() == pytest.approx(factor**SCALE, rel=5e-3)


def test_part_of_a_spectrum_moves_alone():
    """The upper half of the other density of states is 10 % higher: so energies grow there more than below."""
    other = np.where(ENERGIES > 30, 1.1 * ENERGIES, ENERGIES)
    change = agreed(ENERGIES, density(other)) / ENERGIES
    scale = other.mean() / ENERGIES.mean()
    assert change[ENERGIES > 40].mean() == pytest.approx(scale ** (SCALE - SHAPE) * 1.1**SHAPE, rel=0.01)
    assert change[(ENERGIES > 10) & (ENERGIES < 20)].mean() == pytest.approx(scale ** (SCALE - SHAPE), abs=0.01)


def test_zero_and_order_stay():
    energies = ENERGIES.copy()
    energies[0, :3] = 0
    found = agreed(energies, density(1.1 * ENERGIES))
    assert (found[0, :3] == 0).all()
    assert (np.diff(found, axis=1) >= 0).all()


def test_foreign_densities_of_states_do_not_take_energies_away():
    found = agreed(ENERGIES, density(5 * ENERGIES))
    assert found.max() / ENERGIES.max() < 1.15
