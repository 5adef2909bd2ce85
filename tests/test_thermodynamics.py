"""Laws and references of the thermodynamic functions: Dulong and Petit, Einstein, Debye, phonopy."""

from pathlib import Path

import numpy as np
import pytest

from crystals import BRUCITE, NACL, QUARTZ, force_constants_of
from inscape.errors import GridError
from inscape.lattice import modes_at, read_force_constants
from inscape.scattering import density_of_states
from inscape.thermodynamics import entropy, free_energy, heat_capacity, internal_energy
from inscape.units import GAS_CONSTANT, KB

SAMPLE = Path(__file__).parents[2] / "shared" / "data" / "phonondb_sample"

EDGES = np.linspace(0, 80, 161)
WIDTH = np.diff(EDGES)
DOS = np.random.default_rng(0).random(160) * np.linspace(0, 1, 160)
DOS *= 27 / np.sum(DOS * WIDTH)

ALL = [heat_capacity, entropy, internal_energy, free_energy]


def einstein(energy):
    """A density of states of 3 N modes in one narrow bin."""
    edges = np.array([0, energy - 1e-6, energy + 1e-6])
    return np.array([0, 6 / 2e-6]), edges


def test_dulong_and_petit():
    assert heat_capacity(DOS, EDGES, 1e5) == pytest.approx(3 * GAS_CONSTANT, rel=1e-4)


@pytest.mark.parametrize("temperature", [10.0, 100.0, 300.0, 2000.0])
def test_einstein_oscillator(temperature):
    energy = 25.0
    y = energy / (KB * temperature)
    n = 1 / np.expm1(y)
    expected = {
        heat_capacity: 3 * GAS_CONSTANT * y**2 * np.exp(y) * n**2,
        entropy: 3 * GAS_CONSTANT * ((n + 1) * np.log(n + 1) - n * np.log(n)),
        internal_energy: 3 * GAS_CONSTANT / KB * energy * (n + 0.5),
        free_energy: 3 * GAS_CONSTANT / KB * (energy / 2 + KB * temperature * np.log(-np.expm1(-y))),
    }
    for function, value in expected.items():
        assert function(*einstein(energy), temperature) == pytest.approx(value, rel=1e-7), function.__name__


def test_debye_law_at_low_temperature():
    top = 40.0
    edges = np.linspace(0, top, 4001)
    dos = np.diff(edges**3) / np.diff(edges)
    debye = top / KB
    expected = 12 * np.pi**4 / 5 * GAS_CONSTANT * (5.0 / debye) ** 3
    assert heat_capacity(dos, edges, 5.0) == pytest.approx(expected, rel=1e-3)


def test_nothing_moves_at_0_k_but_the_zero_point():
    assert heat_capacity(DOS, EDGES, 0.0) == pytest.approx(0, abs=1e-12)
    assert entropy(DOS, EDGES, 0.0) == pytest.approx(0, abs=1e-12)
    centres = (EDGES[1:] + EDGES[:-1]) / 2
    zero_point = np.sum(DOS * WIDTH * centres) / 2 / 9 * GAS_CONSTANT / KB
    assert internal_energy(DOS, EDGES, 0.0) == pytest.approx(zero_point)
    assert free_energy(DOS, EDGES, 0.0) == pytest.approx(zero_point)


def test_they_are_derivatives_of_one_another():
    t, d = 150.0, 1e-2
    slope = (internal_energy(DOS, EDGES, t + d) - internal_energy(DOS, EDGES, t - d)) / (2 * d)
    assert heat_capacity(DOS, EDGES, t) == pytest.approx(slope, rel=1e-6)
    slope = (free_energy(DOS, EDGES, t + d) - free_energy(DOS, EDGES, t - d)) / (2 * d)
    assert entropy(DOS, EDGES, t) == pytest.approx(-slope, rel=1e-6)


@pytest.mark.parametrize("function", ALL)
def test_shape_and_scale(function):
    temperatures = np.array([[10.0, 20.0, 300.0]])
    values = function(DOS, EDGES, temperatures)
    assert values.shape == (1, 3)
    np.testing.assert_allclose(function(7 * DOS, EDGES, temperatures), values)
    assert function(DOS, EDGES, 300.0) == pytest.approx(values[0, 2])


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize(
    ("dos", "edges", "temperature", "message"),
    [
        (DOS, EDGES[:-1], 300.0, "one more edge"),
        (DOS, EDGES - 5, 300.0, "none below 0"),
        (DOS, EDGES, -1.0, "0 K or more"),
        (DOS, EDGES, np.nan, "0 K or more"),
    ],
)
def test_refusals(function, dos, edges, temperature, message):
    with pytest.raises(GridError, match=message):
        function(dos, edges, temperature)


def compare_with_phonopy(force_constants):
    """Heat capacity, entropy and free energy from modes on the same mesh, with the same cutoff."""
    phonon = force_constants.phonopy
    phonon.run_mesh([4, 4, 4], is_mesh_symmetry=False, is_gamma_center=False)  # without Γ, where energies are noise
    phonon.run_thermal_properties(temperatures=[50, 300, 900], cutoff_frequency=0.01)
    expected = phonon.thermal_properties
    edges = np.linspace(0, 500, 50001)
    partial, _ = density_of_states(modes_at(force_constants, phonon.mesh.qpoints), edges)
    dos = partial.sum(axis=0)
    atoms = len(phonon.primitive)
    assert heat_capacity(dos, edges, [50, 300, 900]) * atoms == pytest.approx(expected.heat_capacity, rel=1e-3)
    assert entropy(dos, edges, [50, 300, 900]) * atoms == pytest.approx(expected.entropy, rel=1e-3)
    assert free_energy(dos, edges, [50, 300, 900]) * atoms / 1e3 == pytest.approx(expected.free_energy, rel=1e-3)


@pytest.mark.parametrize("material", [NACL, QUARTZ, BRUCITE], ids=lambda m: m.name)
def test_agrees_with_phonopy(material):
    compare_with_phonopy(force_constants_of(material))


def test_agrees_with_phonopy_on_a_crystal_of_the_database():
    archives = sorted(SAMPLE.glob("materials-id-7000-*.tar.lzma"))
    if not archives:
        pytest.skip("the sample archives are not beside the repository")
    compare_with_phonopy(read_force_constants(archives[0]))
