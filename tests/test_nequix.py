"""The potential that ships: laws of equivariant networks, the authors' own numbers, gradients against differences."""

import numpy as np
import pytest
import torch
from ase.build import bulk
from scipy.spatial.transform import Rotation

from crystals import MATERIALS, QUARTZ
from inscape.errors import StructureError, WeightsError
from inscape.potentials import N_FEATURES, NequixFeatures, engine
from inscape.potentials.harmonics import coupling, paths, spherical_harmonics
from inscape.potentials.images import Images
from inscape.potentials.nequix import read_nqx
from inscape.structures import Crystal, Operations, read_structure
from inscape.testing import check_engine

TURN = Rotation.from_rotvec([0.3, -0.7, 0.5]).as_matrix()


@pytest.fixture(scope="module")
def potential():
    return engine("nequix-oam-1-pft")


def rattled(name, **options):
    atoms = bulk(name, **options) * (2, 2, 2)
    atoms.rattle(0.05, seed=1)
    return atoms


# ----------------------------------------------------------------------------------------------------------------- laws


def test_harmonics_have_their_norm_and_turn_by_the_legendre_polynomial():
    a, b = torch.nn.functional.normalize(torch.randn(2, 6, 3, dtype=torch.float64), dim=-1)
    x = (a * b).sum(dim=1).numpy()
    for rank, (ya, yb) in enumerate(zip(spherical_harmonics(a), spherical_harmonics(b), strict=True)):
        legendre = np.polynomial.legendre.Legendre.basis(rank)(x)  # addition theorem
        np.testing.assert_allclose((ya * yb).sum(dim=1).numpy(), (2 * rank + 1) * legendre, atol=1e-12)


@pytest.mark.parametrize("path", paths())
def test_couplings_turn_with_what_they_couple(path):
    points = torch.nn.functional.normalize(torch.randn(40, 3, dtype=torch.float64), dim=1)
    turned = points @ torch.from_numpy(TURN).T
    matrices = []
    for rank in path:
        before, after = spherical_harmonics(points)[rank], spherical_harmonics(turned)[rank]
        matrices.append(torch.linalg.lstsq(before, after).solution.numpy())
    found = np.einsum("ijk,il,jm,kn->lmn", coupling(path), *matrices)
    np.testing.assert_allclose(found, coupling(path), atol=1e-10)


def test_features_turn_with_the_crystal_and_do_not_depend_on_the_cell():
    crystal = read_structure(QUARTZ.atoms)
    double = crystal.lattice * np.array([[2.0], [1.0], [1.0]])
    positions = np.concatenate([crystal.positions * [0.5, 1, 1], crystal.positions * [0.5, 1, 1] + [0.5, 0, 0]])
    turned = raw(crystal.lattice @ TURN.T, crystal.positions, crystal.numbers)
    larger = raw(double, positions, np.tile(crystal.numbers, 2))
    one, other, two = NequixFeatures()([crystal, turned, larger])
    assert one.invariants.shape == (9, N_FEATURES)
    torch.testing.assert_close(other.invariants, one.invariants, rtol=1e-3, atol=2e-4)
    torch.testing.assert_close(two.invariants[9:], one.invariants, rtol=1e-3, atol=2e-4)
    vectors = one.tensors[0].numpy().swapaxes(1, 2) @ TURN.T
    np.testing.assert_allclose(other.tensors[0].numpy().swapaxes(1, 2), vectors, atol=2e-4)


@pytest.mark.parametrize(("material", "n_sources"), list(zip(MATERIALS, (2, 1, 2, 2, 3), strict=True)))
def test_features_by_symmetry_are_those_of_every_atom(monkeypatch, material, n_sources):
    crystal = read_structure(material.atoms)
    (found,) = NequixFeatures()([crystal])
    assert len(Images.by_symmetry([crystal]).sources) == n_sources
    identity = np.eye(3, dtype=int)[None]
    one_by_one = Operations(identity, identity.astype(float), np.arange(crystal.n_atoms)[None])
    monkeypatch.setitem(crystal.__dict__, "operations", one_by_one)
    (expected,) = NequixFeatures()([crystal])
    for ours, theirs in zip((found.invariants, *found.tensors), (expected.invariants, *expected.tensors), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_features_of_a_batch_are_those_of_each():
    crystals = [read_structure(m.atoms) for m in MATERIALS]
    together = NequixFeatures()(crystals)
    for crystal, found in zip(crystals, together, strict=True):
        torch.testing.assert_close(found.invariants, NequixFeatures()([crystal])[0].invariants, rtol=1e-4, atol=1e-4)


def raw(lattice, positions, numbers):
    """A crystal as it is given, never reduced to its primitive cell."""
    return Crystal(
        lattice, positions, numbers, np.ones(len(numbers)), (0,) * len(numbers), lattice, np.eye(3), "P1", 1,
        np.eye(3, dtype=int)[None], np.zeros((1, 3)),
    )  # fmt: skip


def test_forces_and_stress_are_gradients_of_the_energy(potential):
    atoms = rattled("NaCl", crystalstructure="rocksalt", a=5.64)
    atoms.calc = potential.calculator
    forces, stress, volume = atoms.get_forces(), atoms.get_stress(voigt=False), atoms.get_volume()
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-4)
    direction = np.random.default_rng(0).normal(size=forces.shape)
    energies = []
    for step in (-0.02, 0.02):
        moved = atoms.copy()
        moved.positions += step * direction
        moved.calc = potential.calculator
        energies.append(moved.get_potential_energy())
    assert (energies[1] - energies[0]) / 0.04 == pytest.approx(-np.sum(forces * direction), rel=0.01)
    strain = np.array([[1.0, 0.4, 0.0], [0.4, -0.5, 0.2], [0.0, 0.2, 0.3]])
    energies = []
    for step in (-0.01, 0.01):
        moved = atoms.copy()
        moved.set_cell(atoms.cell.array @ (np.eye(3) + step * strain), scale_atoms=True)
        moved.calc = potential.calculator
        energies.append(moved.get_potential_energy())
    assert (energies[1] - energies[0]) / 0.02 == pytest.approx(volume * np.sum(stress * strain), rel=0.02)


# ------------------------------------------------------------------------------------------------------------ reference


@pytest.mark.parametrize(
    ("atoms", "energy", "force"),
    [
        (rattled("Si"), -85.657539, [-1.63121, 1.03229, -0.54172]),
        (rattled("NaCl", crystalstructure="rocksalt", a=5.64), -53.992718, [-0.24027, 0.22073, -0.00468]),
    ],
    ids=["Si", "NaCl"],
)
def test_energies_and_forces_are_those_of_the_authors(potential, atoms, energy, force):
    """From nequix 0.4.5 in JAX, the model nequix-oam-1-pft, on the same rattled cells."""
    atoms.calc = potential.calculator
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=2e-3)
    np.testing.assert_allclose(atoms.get_forces()[0], force, atol=5e-4)


# ------------------------------------------------------------------------------------------------------------ contracts


def test_the_engine_keeps_its_contract():
    check_engine(engine("nequix-oam-1-pft"), bulk("MgO", crystalstructure="rocksalt", a=4.21))


def test_elements_that_it_does_not_know_are_refused():
    polonium = raw(np.eye(3) * 3.3, np.zeros((1, 3)), np.array([84]))
    with pytest.raises(StructureError, match="atomic numbers"):
        NequixFeatures()([polonium])


@pytest.mark.parametrize("content", [b"", b"{}\n", b"no json\n", b'{"atomic_numbers": [1, 2]}\nrubbish'])
def test_other_files_are_no_models(tmp_path, content):
    path = tmp_path / "model.nqx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="no model of Nequix"):
        read_nqx(path)
