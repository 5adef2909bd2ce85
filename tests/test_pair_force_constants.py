"""Force constants in one pass: symmetries of the network, folding into a supercell, training, the road to spectra."""

import copy
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import make_supercell
from ase.io import write
from phonopy.harmonic.dynamical_matrix import get_dynamical_matrices_at_qpoints
from typer.testing import CliRunner

import inscape.structure_model.dynamics as dynamics
from crystals import BRUCITE, FEW, MATERIALS, NACL, QUARTZ, SILICON, ElementFeatures, force_constants_of, spring_matrix
from inscape import predict
from inscape.cli import app
from inscape.errors import DataError, ForceConstantsError, LibraryError
from inscape.lattice import (
    DynamicsTargets,
    ForceConstants,
    from_pairs,
    modes_at,
    read_force_constants,
    stabilised,
    write_phonopy,
)
from inscape.lattice.dipoles import Dipoles, commensurate_points, dipole_matrices, screened_splitting
from inscape.library import Library
from inscape.potentials import N_FEATURES, neighbours
from inscape.potentials.nequix import CUTOFF
from inscape.prediction import ROADS, foresee
from inscape.simulation import direct, predicted_force_constants
from inscape.structure_model import shipped_model, train_structure
from inscape.structure_model.charges import ChargeNetwork
from inscape.structure_model.doubts import Doubts
from inscape.structure_model.dynamics import (
    DynamicsSamples,
    energy_errors,
    force_constants_loss,
    mode_elements,
    mode_errors,
    pair_error,
    prepare,
)
from inscape.structure_model.force_constants import ForceConstantModel, shipped_force_constant_model
from inscape.structure_model.pair_images import PairImages
from inscape.structure_model.pairs import ForceConstantNetwork, Pairs
from inscape.structure_model.pairs import dynamical_matrices as bloch_sum
from inscape.structure_model.train import training_ids
from inscape.structures import Crystal, read_structure
from inscape.training import load_weights
from inscape.units import MODE_ENERGY

CRYSTAL = read_structure(QUARTZ.atoms)
TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
CALL = ForceConstantModel.__call__
POLAR = {
    "born": np.where(CRYSTAL.numbers == 14, 3.0, -1.5)[:, None, None] * np.eye(3),
    "dielectric": 2.4 * np.eye(3),
    "factor": 14.399652,
}
Q = np.array([[0.0, 0.0, 0.0], [0.13, 0.21, -0.07], [0.5, 0.0, 0.0]])


def raw(lattice, positions, numbers, masses):
    """A crystal as it is given, never reduced to its primitive cell."""
    return Crystal(
        lattice, positions, numbers, masses, (0,) * len(numbers), lattice, np.eye(3), "P1", 1,
        np.eye(3, dtype=int)[None], np.zeros((1, 3)),
    )  # fmt: skip


def energies(crystal, q=Q):
    """Energies by the shipped model, short range only, at fractional wave vectors, ascending, meV."""
    found = shipped_force_constant_model()(crystal)
    pairs = Pairs.of(torch.from_numpy(found.pairs), torch.from_numpy(found.ways))
    vectors = torch.from_numpy(q @ crystal.reciprocal)
    matrices = bloch_sum(torch.from_numpy(found.tensors), pairs, torch.tensor(crystal.masses), vectors)
    assert torch.allclose(matrices, matrices.mH, atol=1e-6)
    square = torch.linalg.eigvalsh(matrices).numpy()
    return np.sign(square) * np.sqrt(np.abs(square)) * MODE_ENERGY


# ----------------------------------------------------------------------------------------------------------------- laws


def test_a_pair_and_its_reverse_are_transposes():
    found = shipped_force_constant_model()(CRYSTAL)
    reverse = Pairs.of(torch.from_numpy(found.pairs), torch.from_numpy(found.ways)).reverse.numpy()
    np.testing.assert_array_equal(found.pairs[:, reverse], found.pairs[::-1])
    np.testing.assert_allclose(found.ways[reverse], -found.ways, atol=1e-9)
    np.testing.assert_allclose(found.tensors[reverse], found.tensors.transpose(0, 2, 1), atol=1e-6)


@pytest.mark.parametrize("material", MATERIALS, ids=lambda m: m.name)
def test_force_constants_by_symmetry_are_those_of_every_pair(monkeypatch, material):
    crystal = read_structure(material.atoms)
    model = shipped_force_constant_model()
    found = model(crystal)
    every = Pairs.of(torch.from_numpy(found.pairs), torch.tensor(found.ways, dtype=torch.float32))
    images = PairImages.by_symmetry(crystal, every)
    assert 2 * len(images.few) <= len(every)
    monkeypatch.setattr(PairImages, "by_symmetry", lambda crystal, pairs: one_by_one(pairs))
    np.testing.assert_allclose(model(crystal).members, found.members, atol=2e-4)


def one_by_one(pairs):
    """Every pair as an image of none but itself."""
    each = torch.arange(len(pairs))
    return PairImages(pairs, each, torch.zeros_like(each), torch.eye(3)[None])


@pytest.mark.parametrize("material", [QUARTZ, BRUCITE], ids=lambda m: m.name)
def test_charges_have_the_symmetry_of_their_crystal(material):
    crystal = read_structure(material.atoms)
    born = shipped_force_constant_model()(crystal).charges["born"]
    _, rotations, permutations = crystal.operations
    for rotation, permutation in zip(rotations, permutations, strict=True):
        np.testing.assert_allclose(rotation @ born[permutation] @ rotation.T, born, atol=1e-10)


def test_an_inversion_is_kept_to_the_last_digit():
    """So that matrices are real, though networks compute in single precision."""
    crystal = read_structure(BRUCITE.atoms)
    matrices = predicted_force_constants(crystal).force_constants.matrices(Q, np.zeros_like(Q))
    turns, _, permutations = crystal.operations
    (partner,) = permutations[(turns == -np.eye(3)).all(axis=(1, 2))]
    n = crystal.n_atoms
    inverted = matrices.reshape(-1, n, 3, n, 3)[:, partner][:, :, :, partner].reshape(matrices.shape).conj()
    np.testing.assert_allclose(inverted, matrices, atol=1e-12 * np.abs(matrices).max())


def test_energies_do_not_depend_on_rotation_order_of_atoms_or_origin():
    c = CRYSTAL
    order = np.random.default_rng(0).permutation(c.n_atoms)
    other = raw(c.lattice @ TURN.T, (c.positions[order] + [0.3, 0.1, 0.7]) % 1, c.numbers[order], c.masses[order])
    np.testing.assert_allclose(energies(other), energies(c), atol=0.05)


def test_energies_do_not_depend_on_the_cell():
    c = CRYSTAL
    twice = np.concatenate([c.positions * [0.5, 1, 1], c.positions * [0.5, 1, 1] + [0.5, 0, 0]])
    larger = raw(c.lattice * np.array([[2.0], [1], [1]]), twice, np.tile(c.numbers, 2), np.tile(c.masses, 2))
    here = energies(c, np.array([[0.1, 0.2, 0.3], [0.6, 0.2, 0.3]])).ravel()
    np.testing.assert_allclose(energies(larger, np.array([[0.2, 0.2, 0.3]]))[0], np.sort(here), atol=0.05)


def test_the_whole_way_does_not_depend_on_how_a_crystal_is_described():
    """Dipoles, supercell, sum rules and all: rotation, order of atoms, origin, cell."""
    waves = np.array([[0.1, 0.2, 0.3], [0.7, -0.4, 0.2]])  # Cartesian, 1/Å
    first = along_waves(CRYSTAL, waves)
    atoms = CRYSTAL.to_ase()
    turned, moved = atoms.copy(), atoms.copy()
    turned.set_cell(atoms.cell.array @ TURN.T, scale_atoms=True)
    moved.set_scaled_positions((atoms.get_scaled_positions() + 0.371) % 1)
    for other in (atoms[::-1], moved, make_supercell(atoms, np.diag([1, 2, 1]))):
        np.testing.assert_allclose(along_waves(read_structure(other), waves), first, atol=0.05)
    np.testing.assert_allclose(along_waves(read_structure(turned), waves @ TURN.T), first, atol=0.05)


def along_waves(crystal, waves):
    """Energies of a crystal's predicted modes at Cartesian wave vectors, meV."""
    found = predicted_force_constants(crystal).force_constants
    assert found.has_born
    return np.sort(modes_at(found, waves @ np.linalg.inv(found.crystal.reciprocal)).energies, axis=1)


def test_charges_sum_to_nothing_and_turn_with_the_crystal():
    c, model = CRYSTAL, shipped_force_constant_model()
    turned = raw(c.lattice @ TURN.T, c.positions, c.numbers, c.masses)
    one, other = (model(crystal).charges for crystal in (c, turned))
    np.testing.assert_allclose(one["born"].sum(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(other["born"], TURN @ one["born"] @ TURN.T, atol=2e-3)
    np.testing.assert_allclose(other["dielectric"], TURN @ one["dielectric"] @ TURN.T, atol=2e-3)
    assert np.linalg.eigvalsh(one["dielectric"]).min() > 1


def test_all_atoms_move_together_without_energy():
    found = predicted_force_constants(CRYSTAL).force_constants
    acoustic = modes_at(found, np.zeros((1, 3)), np.ones(1)).energies[0]
    assert np.sort(np.abs(acoustic))[:3].max() < 0.02


# -------------------------------------------------------------------------------------------------------------- folding


def exchangeable(crystal, seed=0):
    """Pairs within 5 Å and random force constants, those of a pair and its reverse transposes of each other."""
    pairs, ways = neighbours(crystal, 5.0)
    decay = np.exp(-np.linalg.norm(ways, axis=1))[:, None, None]
    tensors = decay * np.random.default_rng(seed).normal(size=(len(ways), 3, 3))
    reverse = Pairs.of(torch.from_numpy(pairs), torch.from_numpy(ways)).reverse.numpy()
    return pairs, ways, 0.5 * (tensors + tensors[reverse].transpose(0, 2, 1))


def test_a_cubic_lattice_of_springs_has_the_modes_of_the_textbook():
    """Springs K along and k across the bonds of a simple cubic lattice: ω² = (4/M) Σ_a K_a sin²(q_a/2)."""
    a, mass, along, across = 3.0, 20.0, 5.0, 1.5
    crystal = raw(np.eye(3) * a, np.zeros((1, 3)), np.array([10]), np.array([mass]))
    pairs, ways = neighbours(crystal, 1.1 * a)
    unit = ways / a
    projector = unit[:, :, None] * unit[:, None]
    found = from_pairs(crystal, pairs, ways, -along * projector - across * (np.eye(3) - projector))
    q = np.array([[0.1, 0.23, 0.4], [0.5, 0.5, 0.0]])
    stiffness = np.full((3, 3), across) + (along - across) * np.eye(3)
    square = 4 / mass * np.sin(np.pi * q) ** 2 @ stiffness
    expected = np.sort(np.sqrt(square) * MODE_ENERGY, axis=1)
    np.testing.assert_allclose(np.sort(modes_at(found, q, np.ones(2)).energies, axis=1), expected, atol=1e-3)


@pytest.mark.parametrize("polar", [False, True])
def test_modes_are_those_of_the_pairs_and_dipoles(polar):
    c = CRYSTAL
    springs = spring_tensors(c)
    charges = POLAR if polar else None
    found = from_pairs(c, *springs, charges)
    q = Q[1:]
    pairs = Pairs.of(torch.from_numpy(springs[0]), torch.from_numpy(springs[1]))
    matrices = bloch_sum(
        torch.from_numpy(springs[2]), pairs, torch.tensor(c.masses), torch.from_numpy(q @ c.reciprocal)
    ).numpy()
    if charges is not None:
        splitting = screened_splitting(c.lattice, charges["dielectric"])
        dipoles = Dipoles.within(found.phonopy.dynamical_matrix)
        matrices = matrices + dipole_matrices(dipoles, q, np.zeros_like(q), splitting)
    expected = np.sqrt(np.linalg.eigvalsh(matrices)) * MODE_ENERGY
    np.testing.assert_allclose(np.sort(modes_at(found, q, np.ones(2)).energies, axis=1), expected, atol=2e-3)


def spring_tensors(crystal):
    """Pairs within 5 Å joined by springs."""
    pairs, ways = neighbours(crystal, 5.0)
    r = np.linalg.norm(ways, axis=1)[:, None, None]
    unit = ways[:, :, None] / r
    return pairs, ways, -20 * np.exp((1.6 - r) / 0.6) * unit * unit.transpose(0, 2, 1)


def test_dynamical_matrices_are_hermitian_with_dipoles():
    found = predicted_force_constants(CRYSTAL).force_constants
    assert found.has_born
    matrices = found.matrices(Q, np.array([[0.2, 0.5, 0.1]] * len(Q)))
    np.testing.assert_allclose(matrices, matrices.conj().swapaxes(1, 2), atol=1e-12)
    assert np.abs(matrices.imag).max() > 0.01


@pytest.mark.parametrize(
    ("command", "said"),
    [(["modes"], "infrared"), (["bands", "--path", "G X"], "salt-bands.png"), (["export"], "salt-phonopy.yaml")],
)
def test_commands_take_force_constants_from_the_model(tmp_path, monkeypatch, command, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "salt.vasp").write_text(poscar(NACL), encoding="utf-8")
    done = CliRunner().invoke(app, [command[0], "salt.vasp", "--engine", "direct", *command[1:]])
    assert done.exit_code == 0, done.output
    assert said in done.output
    assert "." not in said or (tmp_path / said).stat().st_size > 1000


def poscar(material):
    """A crystal as a POSCAR file."""
    text = io.StringIO()
    write(text, material.atoms, format="vasp")
    return text.getvalue()


@pytest.mark.parametrize("polar", [False, True])
def test_sums_in_a_supercell_are_those_of_phonopys_cells(polar):
    """Modes at any wave vector, matrices at those of the supercell, and the way back, by both roads."""
    c = CRYSTAL
    charges = POLAR if polar else None
    ours = from_pairs(c, *spring_tensors(c), charges)
    theirs = ForceConstants(c, ours.phonopy)
    toward = np.eye(3)
    q = np.array([[0.0, 0.0, 0.0], [0.1, -0.2, 0.4], [0.5, 0.5, 0.0]])
    np.testing.assert_allclose(ours.matrices(q, toward), theirs.matrices(q, toward), atol=1e-9)
    assert ours.has_born == theirs.has_born == polar
    (here, matrices), (there, expected) = ours.commensurate(), theirs.commensurate()
    order = [int(np.abs(there - one).sum(axis=1).argmin()) for one in here]
    np.testing.assert_allclose(there[order], here, atol=1e-12)
    np.testing.assert_allclose(matrices, expected[order], atol=1e-9)
    again = ours.with_commensurate(1.21 * matrices)
    np.testing.assert_allclose(again.tensors, 1.21 * ours.tensors, atol=1e-9)
    other = theirs.with_commensurate(1.21 * expected)
    np.testing.assert_allclose(again.array, other.array, atol=1e-6)  # phonopy's are made symmetric once more


def test_values_that_are_not_finite_are_refused():
    pairs, ways, tensors = exchangeable(CRYSTAL)
    tensors[3] = np.nan
    with pytest.raises(ForceConstantsError, match="NaN or infinite"):
        from_pairs(CRYSTAL, pairs, ways, tensors)


def test_sums_that_are_not_symmetric_are_balanced():
    found = from_pairs(CRYSTAL, *exchangeable(CRYSTAL))
    compact = found.array
    np.testing.assert_allclose(compact.sum(axis=1), 0, atol=1e-9)
    acoustic = modes_at(found, np.zeros((1, 3)), np.ones(1)).energies[0]
    assert np.sort(np.abs(acoustic))[:3].max() < 1e-3


def test_a_molecule_turns_freely():
    """Of arbitrary force constants of six atoms far from all others six modes are left at no energy."""
    rng = np.random.default_rng(3)
    numbers = np.array([6, 8, 7, 6, 1, 1])
    molecule = raw(np.eye(3) * 16, rng.uniform(0.4, 0.6, (6, 3)), numbers, 2.0 * numbers)
    pairs, ways, tensors = exchangeable(molecule)
    mended = from_pairs(molecule, pairs, ways, tensors)
    (square,) = np.linalg.eigvalsh(get_dynamical_matrices_at_qpoints(mended.phonopy.dynamical_matrix, np.zeros((1, 3))))
    assert np.sort(np.abs(square))[5] < 1e-8
    assert np.sort(np.abs(square))[6] > 1e-2


# ---------------------------------------------------------------------------------------------------------------- roads


def constant_errors(size):
    """What was learned where the density of states of every crystal is wrong by so much, meV."""
    return Doubts(errors={"dos_w1_meV": [np.log(size), 0, 0, 0]})


@pytest.mark.parametrize(("by_codes", "by_constants", "engine"), [(2, 1, "direct (force constants)"), (1, 2, "direct")])
def test_auto_takes_the_road_of_smaller_errors(monkeypatch, by_codes, by_constants, engine):
    monkeypatch.setattr(shipped_model(), "doubts", constant_errors(by_codes))
    monkeypatch.setattr(shipped_force_constant_model(), "doubts", constant_errors(by_constants))
    found = predict(QUARTZ.atoms, kinds=["dos"])
    assert found.dataset.attrs["engine"] == engine
    assert found.dataset.attrs["expected_dos_w1_meV"] == pytest.approx(1)


def test_codes_are_the_same_by_every_road():
    """Force constants need none, but who searches and learns with codes has them all the same."""
    found = [predict(QUARTZ.atoms, road=road, kinds=["dos", "powder"], de=2.0, dq=1.0).dataset for road in ROADS]
    for name in ("code_dos", "code_powder"):
        for one in found:
            np.testing.assert_allclose(one[name], found[-1][name], atol=1e-4)
    assert all("code_crystal" not in one for one in found)


def test_all_kinds_of_a_crystal_come_by_one_road(monkeypatch):
    """By codes the density of states is worse and the map better by more: so they take both."""
    both = {"dos_w1_meV": [0.1, 0, 0, 0], "powder_cut_cosine": [-3, 0, 0, 0]}
    monkeypatch.setattr(shipped_model(), "doubts", Doubts(errors=both))
    both = {"dos_w1_meV": [0, 0, 0, 0], "powder_cut_cosine": [-1, 0, 0, 0]}
    monkeypatch.setattr(shipped_force_constant_model(), "doubts", Doubts(errors=both))
    for kinds in (["dos"], ["powder"], ["dos", "powder"]):
        assert predict(QUARTZ.atoms, kinds=kinds, de=2.0, dq=1.0).dataset.attrs["engine"] == "direct"
    known = foresee([CRYSTAL])[0]
    assert known.spectra(kinds=["dos"]).dataset.attrs["engine"] == "direct"
    isotopes = {"O": 18}
    assert known.spectra(kinds=["dos"], isotopes=isotopes).dataset.attrs["engine"] == "direct (force constants)"


def test_an_early_end_changes_nothing_below_it():
    options = {"road": "force-constants", "kinds": ["dos", "powder", "crystal"], "de": 1.0, "dq": 0.5}
    short, long = (predict(QUARTZ.atoms, emax=top, **options).dataset for top in (40.0, 200.0))
    for name in ("dos", "powder_coherent", "crystal", "crystal_incoherent"):
        whole = long[name].values[..., : short.sizes["energy"]]
        np.testing.assert_allclose(short[name].values, whole, atol=1e-3 * whole.max())


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"qmax": 14.0}, {"emax": 3.0}, {"instrument": "TOSCA"}])
def test_what_a_user_may_ask_of_force_constants(options):
    found = predict(NACL.atoms, road="force-constants", de=1.0, dq=1.0, **options)
    for name in found.dataset.data_vars:
        if found.dataset[name].dtype.kind == "f" and not str(name).startswith("instrument"):
            assert np.all(np.isfinite(found.dataset[name].values)), name


def test_auto_takes_the_only_road_that_can(monkeypatch):
    monkeypatch.setattr(shipped_force_constant_model(), "doubts", constant_errors(1000))
    found = predict(QUARTZ.atoms, kinds=["dos"], isotopes={"O": 18})
    assert found.dataset.attrs["engine"] == "direct (force constants)"


def test_auto_takes_force_constants_where_errors_of_maps_are_wanted(monkeypatch):
    monkeypatch.setattr(shipped_force_constant_model(), "doubts", constant_errors(1000))
    found = predict(QUARTZ.atoms, kinds=["powder"], uncertainty=True)
    assert "powder_uncertainty" in found.dataset


def test_maps_have_standard_errors_of_the_ensemble(monkeypatch):
    """Two networks of which one is 10 % stiffer: the maps differ where branches are, and the scale is a factor."""
    known = shipped_force_constant_model()
    stiff = copy.copy(known)

    def two(crystal, features=None, polar=None):
        found = known(crystal, features, polar)
        return replace(found, members=np.stack([found.tensors, 1.1 * found.tensors]))

    monkeypatch.setattr(direct, "shipped_force_constant_model", lambda: stiff)
    monkeypatch.setattr(ForceConstantModel, "__call__", lambda self, *a: two(*a) if self is stiff else CALL(self, *a))
    options = {"road": "force-constants", "kinds": ["powder"], "de": 2.0, "dq": 1.0, "uncertainty": True}
    once, twice = {}, {}
    for factor, kept in ((1.0, once), (2.0, twice)):
        stiff.doubts = Doubts(maps={"powder": factor})
        kept["found"] = predict(QUARTZ.atoms, **options).dataset
    error = once["found"]["powder_uncertainty"]
    assert error.dims == ("q", "energy")
    assert error.attrs["units"] == once["found"]["powder"].attrs["units"]
    assert float(error.min()) >= 0
    assert 0.01 < float(error.mean() / once["found"]["powder"].mean()) < 2
    np.testing.assert_allclose(twice["found"]["powder_uncertainty"], 2 * error)


def test_imaginary_modes_of_predicted_force_constants_are_the_models_failure(monkeypatch):
    """Force constants of the wrong sign: every mode but the acoustic ones at Γ is imaginary, and is made real."""
    known = CALL(shipped_force_constant_model(), CRYSTAL)
    wrong = replace(known, members=-known.members, charges=None)
    monkeypatch.setattr(ForceConstantModel, "__call__", lambda *arguments: wrong)
    found = predict(QUARTZ.atoms, road="force-constants", kinds=["dos"])
    assert found.warning is not None
    assert "came out imaginary" in found.warning
    assert "a failure of the model rather than of the crystal" in found.warning
    assert found.dataset.attrs["stabilised_share"] > 0.5
    assert found.dataset.attrs["stabilised_lowest_meV"] < -50
    assert "came out imaginary" not in (predict(QUARTZ.atoms, road="code", kinds=["dos"]).warning or "")


def test_codes_have_no_standard_errors_of_maps():
    with pytest.raises(DataError, match="take the road force-constants"):
        predict(QUARTZ.atoms, road="code", uncertainty=True)


def test_what_is_imaginary_becomes_real_and_all_else_stays():
    """Arbitrary force constants: energies at the wave vectors of the supercell lose their sign, and nothing more."""
    before = from_pairs(CRYSTAL, *exchangeable(CRYSTAL))
    made = stabilised(before)
    q = commensurate_points(before.phonopy.dynamical_matrix)
    there = np.any(q != 0, axis=1)
    was, now = (np.sort(modes_at(f, q[there], np.ones(there.sum())).energies) for f in (before, made.force_constants))
    np.testing.assert_allclose(now, np.sort(np.abs(was)), atol=2e-3)
    assert made.lowest == pytest.approx(was.min(), abs=1e-4)
    assert made.share == pytest.approx((was < -0.4).mean(), abs=0.05)
    np.testing.assert_allclose(made.force_constants.array.sum(axis=1), 0, atol=1e-9)


def test_energies_go_where_they_are_wanted_whatever_the_isotopes():
    """A function of the energies of the natural isotopes: the force constants that come out are the same of any."""
    before = force_constants_of(QUARTZ)
    made = stabilised(before, lambda energies: energies * (1 + energies / 1000))
    other = stabilised(before.with_isotopes({"O": 18}), lambda energies: energies * (1 + energies / 1000))
    q = commensurate_points(before.phonopy.dynamical_matrix)
    there = np.any(q != 0, axis=1)
    was, now = (modes_at(f, q[there], np.ones(there.sum())).energies for f in (before, made.force_constants))
    np.testing.assert_allclose(now, was * (1 + was / 1000), atol=2e-3)
    np.testing.assert_allclose(other.force_constants.array, made.force_constants.array, atol=1e-4)
    assert (made.share, made.lowest) == (0, 0)


def test_stable_force_constants_are_left_alone():
    before = force_constants_of(QUARTZ)
    made = stabilised(before)
    assert made.force_constants is before
    assert (made.share, made.lowest) == (0, 0)


def test_what_is_written_is_read_back_by_phonopy_and_euphonic(tmp_path):
    euphonic = pytest.importorskip("euphonic")
    found = predicted_force_constants(CRYSTAL).force_constants
    again = read_force_constants(write_phonopy(found, tmp_path / "quartz.yaml"))
    here = np.sort(modes_at(found, Q[1:], np.ones(2)).energies, axis=1)
    np.testing.assert_allclose(np.sort(modes_at(again, Q[1:], np.ones(2)).energies, axis=1), here, atol=1e-3)
    constants = euphonic.ForceConstants.from_phonopy(path=tmp_path, summary_name="quartz.yaml")
    assert constants.crystal.n_atoms == 9


@pytest.mark.parametrize(("material", "tolerance"), [(SILICON, 1e-3), (NACL, 0.02)], ids=["Si", "NaCl"])
def test_modes_of_what_is_written_are_those_of_euphonic(tmp_path, material, tolerance):
    """With dipoles, too, whose sum Euphonic splits in a way of its own."""
    euphonic = pytest.importorskip("euphonic")
    found = predicted_force_constants(read_structure(material.atoms)).force_constants
    write_phonopy(found, tmp_path / "written.yaml")
    constants = euphonic.ForceConstants.from_phonopy(path=tmp_path, summary_name="written.yaml")
    assert (constants.born is not None) == found.has_born
    theirs = constants.calculate_qpoint_phonon_modes(Q[1:], use_c=False).frequencies.to("meV").magnitude
    here = modes_at(found, Q[1:], np.ones(2)).energies
    np.testing.assert_allclose(np.sort(theirs, axis=1), np.sort(here, axis=1), atol=tolerance)


# ------------------------------------------------------------------------------------------------------------- training


@pytest.fixture(scope="module")
def prepared(library, archives):
    """Crystals of the small library with their force constants, on features that need no potential."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamics, "NequixFeatures", ElementFeatures)
        names = sorted(library.entries)
        prepare(library, names, archives)
        yield DynamicsSamples(library, names)


def test_true_force_constants_are_no_error(prepared):
    """Springs end at 3.9 Å, so their force constants are those of pairs, where nothing is polar."""
    checked = 0
    for sample in prepared:
        if sample.is_polar:
            continue
        checked += 1
        atoms, ways = sample.pairs.atoms.numpy(), sample.pairs.ways.numpy().astype(float)
        material = next(m for m in (*FEW, *MATERIALS) if m.id == sample.id)
        exact = exact_tensors(atoms, ways, material.stiffness)
        tensors = torch.tensor(exact, dtype=torch.float32)
        assert sample.known.any()
        np.testing.assert_allclose(sample.targets[sample.known].numpy(), exact[sample.known.numpy()], atol=2e-3)
        assert float(pair_error(sample, tensors)) < 1e-3
        right, wrong = (mode_elements(sample, x) for x in (tensors, 1.1 * tensors))
        for errors in (mode_errors, energy_errors):
            assert float(errors(sample, right)) < 1.02 * dynamics.SOFTENING**0.5
            assert float(errors(sample, wrong)) > 1.5 * float(errors(sample, right))
    assert checked


def exact_tensors(pairs, ways, stiffness):
    """Force constants of the pairs of a crystal of springs: those of two atoms alone."""
    from ase import Atoms

    found = []
    for way in ways:
        inside = np.linalg.norm(way) < 3.9
        two = Atoms("H2", positions=[[0, 0, 0], way])
        found.append(spring_matrix(two, stiffness)[0, 1] if inside else np.zeros((3, 3)))
    return np.array(found)


def test_training_is_the_same_each_time_and_goes_on_from_weights(library, archives, prepared, tmp_path):
    options = {"kind": "force-constants", "width": 16, "depth": 1, "epochs": 2, "batch_size": 2, "archives": archives}
    paths = [tmp_path / f"{name}.safetensors" for name in "abc"]
    train_structure(library.path, output=paths[0], **options)
    train_structure(library.path, output=paths[1], **options)
    train_structure(library.path, output=paths[2], start=paths[0], learning_rate=1e-9, **options)
    first, second, going_on = (load_weights(path)[1] for path in paths)
    assert first.digest == second.digest
    assert going_on.extra["tuning_loss"][0] == pytest.approx(first.extra["tuning_loss"][0], rel=0.02)  # 8 bits a number
    assert set(first.ids) <= set(library.select("train"))


def test_a_deeper_network_goes_on_from_a_shallower_one(library, archives, prepared, tmp_path):
    options = {"kind": "force-constants", "width": 16, "batch_size": 2, "archives": archives}
    shallow, deep = (tmp_path / f"{name}.safetensors" for name in ("shallow", "deep"))
    train_structure(library.path, output=shallow, depth=1, epochs=1, **options)
    train_structure(library.path, output=deep, depth=3, epochs=1, start=shallow, learning_rate=1e-9, **options)
    before, after = (load_weights(path)[1] for path in (shallow, deep))
    assert after.parameters["depth"] == 3
    assert after.extra["tuning_loss"][0] == pytest.approx(before.extra["tuning_loss"][0], rel=0.02)  # 8 bits a number
    with pytest.raises(DataError, match="those of another network"):
        train_structure(library.path, output=tmp_path / "x", depth=1, epochs=1, start=deep, **options)


def test_an_ensemble_grows_by_networks_trained_alike(library, archives, prepared, tmp_path):
    options = {"kind": "force-constants", "depth": 1, "epochs": 1, "batch_size": 2, "archives": archives}
    one, two = (tmp_path / f"{name}.safetensors" for name in ("one", "two"))
    train_structure(library.path, output=one, width=16, **options)
    train_structure(library.path, output=two, width=16, beside=one, random_state=1, **options)
    (before, _), (both, header) = (load_weights(path) for path in (one, two))
    assert header.parameters["members"] == len(header.extra["tuning_loss"]) == 2
    for name, value in before.items():
        torch.testing.assert_close(both[name], value)
    assert any((both[name] != both["1" + name[1:]]).any() for name in before)
    with pytest.raises(DataError, match="train both alike"):
        train_structure(library.path, output=two, width=8, beside=one, **options)


def test_unstable_crystals_are_learned_from_only_if_asked(library, archives, prepared, tmp_path, monkeypatch):
    entries = library.entries
    one, other = (library.select("train", tuning=tuning)[0] for tuning in (False, True))
    flags = {name: replace(entry, clean=name != one) for name, entry in entries.items()}
    monkeypatch.setattr(Library, "entries", flags)
    options = {"kind": "force-constants", "width": 8, "depth": 1, "epochs": 1, "archives": archives}
    paths = {unstable: tmp_path / f"{unstable}.safetensors" for unstable in (False, True)}
    for unstable, path in paths.items():
        train_structure(library.path, output=path, unstable=unstable, **options)
    found = {unstable: set(load_weights(path)[1].ids) for unstable, path in paths.items()}
    assert found[True] - found[False] == {one}
    train_structure(library.path, output=tmp_path / "later", start=paths[True], **options)
    assert set(load_weights(tmp_path / "later")[1].ids) == found[True]
    train_structure(library.path, output=tmp_path / "both", beside=paths[True], **options)
    assert set(load_weights(tmp_path / "both")[1].ids) == found[True]
    with pytest.raises(DataError, match="train both alike"):
        train_structure(library.path, output=tmp_path / "x", beside=paths[False], unstable=True, **options)
    monkeypatch.setattr(Library, "entries", flags | {other: replace(entries[other], clean=False)})
    with pytest.raises(DataError, match="and 0 to tune on"):  # there is one, now unstable
        training_ids(Library(library.path), 40, unstable=True)
    for kind in ("dos", "charges"):
        with pytest.raises(DataError, match="no spectra to learn from"):
            train_structure(library.path, kind=kind, unstable=True, output=tmp_path / "x")


def test_energies_count_as_much_as_asked(library, archives, prepared, tmp_path):
    options = {"kind": "force-constants", "width": 8, "depth": 1, "epochs": 1, "archives": archives}
    paths = {weight: tmp_path / f"{weight}.safetensors" for weight in (1.0, 4.0)}
    for weight, path in paths.items():
        train_structure(library.path, output=path, energies=weight, **options)
    usual, heavier = (load_weights(path)[1] for path in paths.values())
    assert heavier.extra["tuning_loss"][0] > usual.extra["tuning_loss"][0]
    sample = next(sample for sample in prepared if not sample.is_polar)
    source, reverse = sample.images.source, sample.pairs.reverse
    few = torch.unique(torch.cat([source, reverse[source]]))

    def network(_, __, pairs, ___):
        torch.testing.assert_close(pairs.ways, sample.pairs.ways[few])
        return 1.1 * sample.targets[few]

    def loss(weight):
        torch.manual_seed(0)
        return float(force_constants_loss(network, [sample], weight))

    torch.manual_seed(0)
    of_energies = float(energy_errors(sample, mode_elements(sample, 1.1 * sample.targets)))
    assert loss(4.0) - loss(1.0) == pytest.approx(3 * of_energies, rel=1e-4)
    with pytest.raises(DataError, match="'force-constants'"):
        train_structure(library.path, kind="dos", energies=2.0, output=tmp_path / "x")


def test_a_loss_of_few_pairs_and_atoms_is_that_of_all(prepared):
    """What symmetry makes alike is computed once, and counts as often as it is there."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ForceConstantNetwork(N_FEATURES, width=16, depth=2, heads=2).eval()

    def loss(sample):
        torch.manual_seed(0)
        network.zero_grad()
        found = force_constants_loss(network, [sample])
        found.backward()
        return found.item(), network.trunk.features.weight.grad.clone()

    for sample in prepared:
        assert len(sample.images.few) < len(sample.pairs)
        each = replace(sample.geometry, sources=torch.arange(len(sample.geometry.masses)))
        whole = replace(sample, images=one_by_one(sample.pairs), geometry=each)
        (found, slope), (expected, other) = loss(sample), loss(whole)
        assert found == pytest.approx(expected, rel=1e-4)
        torch.testing.assert_close(slope, other, rtol=1e-2, atol=1e-3 * float(other.abs().max()))


def test_charges_are_learned(prepared):
    polar = [sample for sample in prepared if sample.is_polar]
    assert polar
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ChargeNetwork(N_FEATURES, width=16, depth=1, dropout=0.0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = dynamics.charges_loss(network, polar)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_library_without_archives_is_refused(library, tmp_path):
    other = Library(library.path)
    with pytest.raises(LibraryError, match="no archive"):
        dynamics.find_archives(tmp_path)
    with pytest.raises(LibraryError, match="name the folder of archives"):
        prepare(other, ["mp-0"], None)


# ------------------------------------------------------------------------------------------------------------- the road


def test_the_road_of_force_constants_gives_all_kinds_and_says_what_it_is():
    found = predict(CRYSTAL, road="force-constants", de=2.0, dq=0.5)
    assert found.kinds == ("dos", "powder", "crystal")
    attributes = found.dataset.attrs
    assert attributes["engine"] == "direct (force constants)"
    assert attributes["born_charges"] == 1
    assert "force_constants" in attributes["weights"]
    heavy = predict(CRYSTAL, road="force-constants", kinds=["dos"], isotopes={"O": 18}, de=2.0)
    assert heavy.summary()["dos_mean_meV"] < found.summary()["dos_mean_meV"]


def test_another_road_is_refused(tmp_path):
    with pytest.raises(DataError, match="auto, force-constants, code"):
        predict(CRYSTAL, road="detour")
    done = CliRunner().invoke(app, ["predict", "examples/quartz.cif", "--road", "detour", "-o", str(tmp_path)])
    assert done.exit_code != 0


def test_targets_are_drawn_by_the_seed():
    material = FEW[0]
    constants = force_constants_of(material)
    pairs, ways = neighbours(constants.crystal, CUTOFF)
    draws = [DynamicsTargets.of(constants, pairs, ways, 4, seed=s) for s in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0].q, draws[1].q)
    assert not np.array_equal(draws[0].q, draws[2].q)
    np.testing.assert_array_equal(draws[0].q[0], 0)


def test_charges_of_a_metal_are_none():
    polar = force_constants_of(next(material for material in MATERIALS if material.charges))
    pairs, ways = neighbours(polar.crystal, CUTOFF)
    nac = polar.phonopy.nac_params
    metal = polar.with_charges({**nac, "dielectric": 14_000.0 * np.eye(3)})
    found = [DynamicsTargets.of(constants, pairs, ways, 4, seed=0) for constants in (polar, metal)]
    assert [len(targets.born) for targets in found] == [len(polar.crystal.numbers), 0]
    energies, modes = found[1].energies / MODE_ENERGY, found[1].modes
    whole = modes * (np.abs(energies) * energies)[:, None]  # what is learned is then all of the dynamics
    np.testing.assert_allclose(found[1].short @ modes, whole, atol=1e-3 * np.abs(whole).max())
