"""The structure model: its representation, the invariances of its networks, its training from end to end."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import make_supercell
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

import inscape.structure_model.dataset as dataset
from crystals import BRUCITE, FEW, MATERIALS, QUARTZ, SILICON, ZINC_OXIDE, ElementFeatures
from inscape.autoencoders import load
from inscape.errors import DataError, LibraryError, WeightsError
from inscape.potentials import N_FEATURES
from inscape.scattering import to_scattering
from inscape.spectra import centres, native_energy_edges, native_q_edges, rebin, smooth, uniform_edges
from inscape.structure_model import StructureModel, train_autoencoder, train_structure
from inscape.structure_model.dataset import Samples, prepare
from inscape.structure_model.e3nn import E3nnNetwork
from inscape.structure_model.field import FieldNetwork, spring_moments
from inscape.structure_model.geometry import (
    Geometry,
    fixed_features,
    gaussians,
    geometry,
    interference,
    nearest_lattice_vectors,
    structure_factors,
)
from inscape.structure_model.model import networks_in
from inscape.structure_model.network import DosNetwork, gather
from inscape.structure_model.novelty import FOREIGN_ELEMENT, Novelty
from inscape.structure_model.objectives import (
    HEAT_CAPACITY_WEIGHTS,
    cut_cosine,
    cut_kernel,
    dos_loss,
    heat_capacity_matrix,
    smoothing_matrix,
)
from inscape.structure_model.powder import PowderNetwork
from inscape.structure_model.representation import (
    N_LEVELS,
    cumulative_dos,
    from_cumulative_dos,
    from_relative_density,
    relative_density,
)
from inscape.structure_model.train import spectra_rows, training_ids
from inscape.structures import Crystal, read_structure
from inscape.thermodynamics import heat_capacity
from inscape.training import load_weights, read_tensors

torch.set_num_threads(1)

EDGES = native_energy_edges()
WIDTHS = np.diff(EDGES)
CRYSTALS = [read_structure(m.atoms) for m in (QUARTZ, ZINC_OXIDE, BRUCITE)]
features = ElementFeatures()


def cell(crystal, *, permutation=None, repeat=(1, 1, 1), turn=None, origin=0.0):
    """Geometry and atoms of a crystal: reordered, repeated, rotated, moved, never reduced to a primitive cell again."""
    atoms = crystal.to_ase()
    if permutation is not None:
        atoms = atoms[permutation]
    atoms = make_supercell(atoms, np.diag(repeat))
    atoms.set_scaled_positions((atoms.get_scaled_positions() + origin) % 1)
    if turn is not None:
        atoms.set_cell(atoms.cell.array @ turn.T, scale_atoms=True)
    one = Crystal(
        atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers, atoms.get_masses(), (0,) * len(atoms),
        atoms.cell.array, np.eye(3), "P1", 1, np.eye(3, dtype=int)[None], np.zeros((1, 3)),
    )  # fmt: skip
    return geometry(one), features([one])[0].invariants


def atoms_in(*cells):
    return gather([f for _, f in cells], [g for g, _ in cells])


def wave_vectors(count=12, change=None):
    q = np.random.default_rng(1).normal(size=(count, 3))
    q *= (np.linspace(0.6, 7, count) / np.linalg.norm(q, axis=1))[:, None]
    return torch.tensor(q @ (change or {}).get("turn", np.eye(3)).T, dtype=torch.float32)


def network(kind, *arguments, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(*arguments, **options).eval()


TURN = Rotation.from_rotvec([0.3, -0.5, 0.8]).as_matrix()
CHANGES = [{"permutation": "reverse"}, {"repeat": (2, 1, 1)}, {"repeat": (1, 2, 2)}, {"turn": TURN}]
each_crystal = pytest.mark.parametrize("crystal", CRYSTALS, ids=lambda c: c.formula)
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda c: next(iter(c)))


def changed(crystal, change):
    if change.get("permutation"):
        change = {"permutation": np.arange(crystal.n_atoms)[::-1]}
    return cell(crystal, **change)


@each_crystal
def test_atoms_that_symmetry_makes_alike_are_computed_once(crystal):
    atoms = gather([features([crystal])[0].invariants], [geometry(crystal)])
    assert len(atoms.distinct.copies) < len(atoms.masses)
    assert int(atoms.distinct.copies.sum()) == len(atoms.masses)
    dos = network(DosNetwork, atoms.features.shape[1], 20, width=16, depth=2, heads=2)
    each = replace(atoms, sources=torch.arange(len(atoms.masses)))
    torch.testing.assert_close(dos(atoms), dos(each), rtol=1e-4, atol=1e-5)


# ---- representation


def test_a_relative_density_has_mean_one_and_comes_back():
    rng = np.random.default_rng(0)
    own = rng.random((5, 300)) * (EDGES[1:] < 60)
    coherent = own * (1 + 0.5 * np.sin(EDGES[1:] / 8 + np.arange(5)[:, None]))
    coherent *= (own @ WIDTHS / (coherent @ WIDTHS))[:, None]
    rho = relative_density(coherent, own, EDGES)
    np.testing.assert_allclose(rho.mean(axis=1), 1.0)
    assert rho.min() >= 0
    back = from_relative_density(rho, own, EDGES)
    np.testing.assert_allclose(back @ WIDTHS, own @ WIDTHS)
    np.testing.assert_allclose(relative_density(back, own, EDGES), rho, atol=0.02)


def test_a_density_of_states_comes_back_from_its_cumulative_curve():
    total = np.random.default_rng(0).random((3, 300)) * (EDGES[1:] < 80)
    curve = cumulative_dos(total, EDGES)
    assert np.all(np.diff(curve) >= 0)
    np.testing.assert_allclose(curve[:, -1], 1.0)
    np.testing.assert_allclose(from_cumulative_dos(curve, EDGES), total / (total @ WIDTHS)[:, None], atol=1e-12)
    wavy = from_cumulative_dos(curve + 0.02 * np.sin(EDGES[1:]), EDGES)
    assert wavy.min() >= 0
    np.testing.assert_allclose(wavy @ WIDTHS, 1.0)


@given(arrays(float, (2, 16), elements=st.floats(0.05, 5)), arrays(float, (2, 40), elements=st.floats(0.05, 5)))
def test_any_density_comes_back(rho, own):
    """Where a grid is fine enough that each level holds whole bins; here the self part is constant in each."""
    rho = rho / rho.mean(axis=1, keepdims=True)
    edges = np.linspace(0, 20, 161)
    fine = np.repeat(own, 4, axis=1)
    u = np.concatenate([np.zeros((2, 1)), np.cumsum(fine, axis=1)], axis=1) / fine.sum(axis=1, keepdims=True)
    reduced = from_relative_density(rho, fine, edges)
    np.testing.assert_allclose(reduced.sum(axis=1), fine.sum(axis=1))
    levels = np.linspace(0, 1, 17)
    for row in range(2):
        expected = np.interp(u[row], levels, np.concatenate([[0], np.cumsum(rho[row])]) / 16)
        found = np.concatenate([[0], np.cumsum(reduced[row])]) / fine[row].sum()
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_self_part_itself_has_density_one():
    own = np.random.default_rng(0).random((3, 300))
    np.testing.assert_allclose(relative_density(2 * own, own, EDGES), 1.0)
    np.testing.assert_allclose(from_relative_density(np.full((3, 64), 7.0), own, EDGES), own)


def test_intensity_where_the_self_part_has_none_is_kept():
    own = np.ones((1, 300)) * (EDGES[1:] > 5) * (EDGES[1:] < 50)
    coherent = np.ones((1, 300)) * (EDGES[1:] < 60)
    rho = relative_density(coherent, own, EDGES)
    assert rho.mean() == pytest.approx(1)
    assert rho[0, 0] > 2
    assert rho[0, -1] > 2


def test_rows_without_intensity_and_negative_densities():
    own = np.random.default_rng(0).random((2, 300))
    own[0] = 0
    np.testing.assert_array_equal(relative_density(own, own, EDGES)[0], 1.0)
    rho = np.ones((2, 64))
    rho[:, :32] = -1
    back = from_relative_density(rho, own, EDGES)
    assert back.min() >= 0
    np.testing.assert_array_equal(back[0], 0)
    assert back[1] @ WIDTHS == pytest.approx(own[1] @ WIDTHS)


# ---- objectives


def test_the_kernel_gives_the_cosine_of_cuts():
    """Against spectra made explicitly: from ρ to S at 10 K, smoothed by 1 meV, above 1 meV."""
    rng = np.random.default_rng(2)
    partial = rng.random((2, 300)) * (EDGES[:-1] < 40)
    partial[:, np.flatnonzero(partial[0])[-1]] *= 30  # all of it lies below the top of the grid
    weights = np.array([0.3, 0.7])
    own = weights @ partial
    kernel = cut_kernel(partial, weights, EDGES, N_LEVELS)
    fine = uniform_edges(EDGES[np.flatnonzero(own)[-1] + 1] + 5, 0.5)
    p, t = rng.random((2, 6, N_LEVELS)) ** 3 + 0.01
    explicit = []
    for rho in (p, t):
        rho = rho / rho.mean(axis=1, keepdims=True)
        reduced = from_relative_density(rho, np.repeat(rebin(own, EDGES, fine)[None], 6, axis=0), fine)
        explicit.append(smooth(to_scattering(reduced, centres(fine), 10.0), 1.0, 0.5)[:, centres(fine) > 1])
    dot = (explicit[0] * explicit[1]).sum(axis=1)
    cosine = dot / np.linalg.norm(explicit[0], axis=1) / np.linalg.norm(explicit[1], axis=1)
    found = cut_cosine(torch.tensor(p), torch.tensor(t), torch.tensor(kernel).double())
    np.testing.assert_allclose(found, cosine, atol=1e-5)


def test_the_loss_of_a_perfect_density_of_states_is_zero():
    atoms = atoms_in(cell(CRYSTALS[0]), cell(CRYSTALS[1]))
    t = torch.rand(13, 300)
    t /= t.sum(dim=1, keepdim=True)
    fixed = torch.tensor(WIDTHS, dtype=torch.float32), smoothing_matrix(EDGES, 1.0), heat_capacity_matrix(EDGES)
    assert dos_loss(t, t, atoms, *fixed) == 0
    assert dos_loss(t.roll(3, dims=1), t, atoms, *fixed) > 0.1


def test_the_heat_capacity_is_linear_in_the_shares():
    shares = torch.rand(300)
    shares /= shares.sum()
    weights = np.array(list(HEAT_CAPACITY_WEIGHTS.values()))
    exact = weights * heat_capacity(shares.double().numpy() / WIDTHS, EDGES, list(HEAT_CAPACITY_WEIGHTS))
    np.testing.assert_allclose(shares @ heat_capacity_matrix(EDGES), exact, rtol=1e-4)


def test_the_smoothing_matrix_keeps_a_constant():
    inner = smoothing_matrix(EDGES, 2.0).sum(dim=1)[40:200]
    np.testing.assert_allclose(inner, 1.0, atol=2e-3)


# ---- invariances of networks with random weights


BACKBONES = {
    "features": (
        lambda: network(DosNetwork, N_FEATURES, 300, width=32, depth=2),
        lambda net, atoms: atoms.sum(net(atoms)) / atoms.counts[:, None],
    ),
    "e3nn": (lambda: network(E3nnNetwork, 300, width=8), lambda net, atoms: net(atoms)),
}
"""A network that predicts densities of states, and how to get the total of each crystal from it."""


@each_crystal
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(
    "change", [*CHANGES, {"turn": -TURN}, {"origin": 0.37}], ids=[*map(" ".join, CHANGES), "inversion", "origin"]
)
def test_densities_of_states_do_not_depend_on_the_description(crystal, change, backbone):
    make, total = BACKBONES[backbone]
    net, one, other = make(), cell(crystal), changed(crystal, change)
    with torch.inference_mode():
        (a,), (b,) = (total(net, atoms_in(c)) for c in (one, other))
        together = total(net, atoms_in(cell(CRYSTALS[0]), one, cell(CRYSTALS[1])))[1]
    np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(a, together, atol=1e-6)
    assert a.min() >= 0
    assert a.sum() == pytest.approx(1, abs=1e-5)


@each_crystal
def test_the_reference_model_reads_directions_and_masses_but_no_features(crystal):
    net, (g, f) = network(E3nnNetwork, 300, width=8), cell(crystal)
    bent = torch.where(torch.arange(len(g.vectors))[:, None] % 2 == 0, g.vectors, g.vectors.roll(1, dims=1))
    with torch.inference_mode():
        shares = net(atoms_in((g, f)))
        np.testing.assert_array_equal(net(atoms_in((g, f * torch.nan))), shares)
        for other in (replace(g, vectors=bent), replace(g, masses=1.1 * g.masses)):
            assert (net(atoms_in((other, f))) - shares).abs().sum() > 1e-3


def test_neighbours_of_the_reference_model_come_and_go_smoothly():
    crystal = CRYSTALS[0]
    net, (g, f) = network(E3nnNetwork, 300, width=8), cell(crystal)
    length = g.vectors.norm(dim=1, keepdim=True)
    crossing = (length > 3.5) & (length < 4.5)
    assert crossing.any()
    found = []
    for distance in (3.0, 4 - 1e-4, 4 + 1e-4):
        moved = torch.where(crossing, g.vectors / length * distance, g.vectors)
        with torch.inference_mode():
            found.append(net(atoms_in((replace(g, vectors=moved), f))))
    np.testing.assert_allclose(found[1], found[2], atol=1e-6)
    assert (found[0] - found[2]).abs().sum() > 1e-2


def test_the_reference_model_divides_by_the_neighbours_of_the_training_crystals():
    net, (g, _) = network(E3nnNetwork, 300, width=8), cell(read_structure(SILICON.atoms))
    net.standardise([g, g])
    assert net.neighbours == 16  # 4 at 2.35 Å and 12 at 3.84 Å


@each_crystal
@each_change
def test_powder_codes_do_not_depend_on_the_description(crystal, change):
    net = network(PowderNetwork, N_FEATURES, N_LEVELS, 5, np.linspace(0.1, 8, 20).tolist(), width=32, atom_width=32)
    kernel = torch.eye(N_LEVELS)[None]
    with torch.inference_mode():
        a, b = (net(atoms_in(c), [c[0]], kernel) for c in (cell(crystal), changed(crystal, change)))
    np.testing.assert_allclose(a, b, atol=2e-5)


@each_crystal
@each_change
def test_interference_does_not_depend_on_the_description(crystal, change):
    q = torch.linspace(0.1, 8, 12)
    np.testing.assert_allclose(
        interference(cell(crystal)[0], q), interference(changed(crystal, change)[0], q), atol=1e-4
    )


@each_crystal
@pytest.mark.parametrize("change", CHANGES, ids=lambda c: next(iter(c)))
def test_spring_moments_do_not_depend_on_the_description(crystal, change):
    net = network(FieldNetwork, N_FEATURES, N_LEVELS, 4, width=16, depth=1, atom_width=32)
    found = []
    for (g, f), q in ((cell(crystal), wave_vectors()), (changed(crystal, change), wave_vectors(change=change))):
        with torch.inference_mode():
            (springs,) = net.springs(atoms_in((g, f)), [g])
            found.append(spring_moments(g, springs.stiffness[:, :2], q))
    np.testing.assert_allclose(*found, atol=1e-4)


@each_crystal
@pytest.mark.parametrize(
    "change",
    [CHANGES[0], CHANGES[3], {"origin": 0.37}],
    ids=lambda c: next(iter(c)),
)
def test_fields_turn_with_the_crystal(crystal, change):
    net = network(FieldNetwork, N_FEATURES, N_LEVELS, 4, width=32, depth=2, atom_width=32)
    found = []
    for (g, f), q in ((cell(crystal), wave_vectors()), (changed(crystal, change), wave_vectors(change=change))):
        with torch.inference_mode():
            (springs,) = net.springs(atoms_in((g, f)), [g])
            local = net.local_features(g, springs, q)
            code = net.predict_code(springs)
            again = net.encode(local, torch.ones(len(q), N_LEVELS))
            found.append((local, code, again, net.decode(local, springs, code).exp()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, atol=3e-4)
    np.testing.assert_allclose(found[0][-1].sum(dim=1), 1.0, atol=1e-5)


def test_codes_do_not_depend_on_the_order_of_wave_vectors():
    net = network(FieldNetwork, N_FEATURES, N_LEVELS, 4, width=16, depth=1, atom_width=32)
    local = torch.randn(10, net.local.in_features)
    density = torch.rand(10, N_LEVELS)
    order = torch.randperm(10)
    with torch.inference_mode():
        np.testing.assert_allclose(net.encode(local, density), net.encode(local[order], density[order]), atol=1e-5)


@each_crystal
def test_spring_moments_are_those_of_the_dynamical_matrix(crystal):
    """Against its eigenvectors: Σ_ν |v·e_ν|² T_n(x_ν) with x scaled by the bound."""
    g, f = cell(crystal)
    net = network(FieldNetwork, N_FEATURES, N_LEVELS, 4, width=16, depth=1, atom_width=32)
    with torch.inference_mode():
        stiffness = net.springs(atoms_in((g, f)), [g])[0].stiffness[:, :2]
    q = wave_vectors(4)
    found = spring_moments(g, stiffness, q)
    root, n = g.masses.double().rsqrt().numpy(), len(g.masses)
    for row, vector in zip(found, q.double().numpy(), strict=True):
        matrix = np.zeros((n, 3, n, 3), dtype=complex)
        for (i, j), r, (along, across) in zip(
            g.pairs.T.tolist(), g.vectors.double().numpy(), stiffness.double().numpy(), strict=True
        ):
            projector = np.outer(r, r) / (r @ r)
            spring = along * projector + across * (np.eye(3) - projector)
            matrix[i, :, i] += spring * root[i] ** 2
            matrix[i, :, j] -= spring * root[i] * root[j] * np.exp(1j * vector @ r)
        values, vectors = np.linalg.eigh(matrix.reshape(3 * n, 3 * n))
        start = np.outer(g.lengths.double().numpy() * root, vector / np.linalg.norm(vector)).ravel()
        weight = np.abs(vectors.conj().T @ start / np.linalg.norm(start)) ** 2
        own = _bound(g, stiffness)
        x = 2 * values / own - 1
        assert values.max() <= own
        expected = [weight @ np.cos(order * np.arccos(x.clip(-1, 1))) for order in range(1, len(row) + 1)]
        np.testing.assert_allclose(row, expected, atol=2e-3)


def _bound(g, stiffness):
    """Twice the largest norm of the atoms' own blocks, as no eigenvalue exceeds it."""
    unit = g.vectors / g.vectors.norm(dim=1, keepdim=True)
    projector = unit[:, :, None] * unit[:, None, :]
    blocks = stiffness[:, 0, None, None] * projector + stiffness[:, 1, None, None] * (torch.eye(3) - projector)
    own = torch.zeros(len(g.masses), 3, 3).index_add(0, g.pairs[0], blocks) / g.masses[:, None, None]
    return float(2 * own.flatten(1).norm(dim=1).max())


def test_fixed_features_at_a_reciprocal_lattice_vector():
    """There the step is zero and all atoms of silicon scatter in or out of phase."""
    g = geometry(read_structure(SILICON.atoms))
    q = torch.tensor([[1.0, 1, 1], [2, 0, 0], [2, 2, 0]]) * 2 * torch.pi / 5.431
    near = nearest_lattice_vectors(g, q)
    in_phase = structure_factors(g, g.lengths[:, None], near, torch.cos(q @ g.vectors.T))[..., 0]
    found = fixed_features(g, q, near, in_phase)
    np.testing.assert_allclose(found[:, 2], 0.0, atol=1e-3)
    np.testing.assert_allclose(found[:, 6], [0.5, 0, 1], atol=1e-4)
    assert found[1, 5] < found[0, 5] < found[2, 5]


def test_reciprocal_lattice_vectors_equally_near_share_a_wave_vector():
    g = geometry(read_structure(SILICON.atoms))
    middle = torch.tensor([[1.0, 1, 0], [0.5, 0.5, 0.5]]) * 2 * torch.pi / 5.431  # (111) and (11-1); Γ and (111)
    near = nearest_lattice_vectors(g, middle)
    np.testing.assert_allclose(near.share[:, :2], 0.5, atol=1e-3)
    distances = (middle[:, None] - near.vectors[:, :2]).norm(dim=-1)
    np.testing.assert_allclose(distances, near.distance[:, None].expand(-1, 2), rtol=1e-4)


# ---- novelty


def test_a_crystal_of_unseen_elements_is_foreign():
    known = atoms_in(*(cell(read_structure(m.atoms)) for m in FEW), cell(CRYSTALS[0]))
    novelty = Novelty.fit(known, known)
    inside = novelty(known)
    assert inside.max() <= 1.1
    one, big = atoms_in(cell(CRYSTALS[0])), atoms_in(cell(CRYSTALS[0], repeat=(2, 1, 1)))
    foreign = atoms_in(cell(CRYSTALS[1]))
    np.testing.assert_allclose(novelty(one), novelty(big), rtol=1e-3, atol=1e-4)
    assert novelty(foreign)[0] > FOREIGN_ELEMENT  # zinc


def test_distances_count_more_where_atoms_are_light():
    """Energies go as 1/√M, novelty as the square root of that; a cell taken twice is as light as once."""
    known = atoms_in(*(cell(read_structure(m.atoms)) for m in FEW), cell(CRYSTALS[0]))
    novelty = Novelty.fit(known, known)
    once, twice = atoms_in(cell(CRYSTALS[0])), atoms_in(cell(CRYSTALS[0], repeat=(2, 1, 1)))
    lighter = replace(once, masses=once.masses / 16)
    np.testing.assert_allclose(novelty(lighter), 2 * novelty(once), rtol=1e-4)
    np.testing.assert_allclose(novelty(twice), novelty(once), rtol=1e-3)


def test_gaussians_of_distances_are_never_subnormal_numbers():
    distance, centres = torch.linspace(0.5, 6, 300), torch.linspace(0.8, 5, 24)
    found = gaussians(distance, centres, 0.25)
    plain = torch.exp(-(((distance[:, None] - centres) / 0.25) ** 2))
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-30)
    smallest = torch.finfo(torch.float32).tiny
    assert 0 < plain[plain > 0].min() < smallest < found[found > 0].min()


# ---- data and training


def test_samples_hold_what_the_library_holds(library, weights):
    learn, tune = training_ids(library, 40)
    assert tune == [FEW[-1].id]
    for kind in ("dos", "powder", "crystal"):
        for sample in Samples(library, learn, kind):
            crystal = library.crystal(sample.id)
            assert isinstance(sample.geometry, Geometry)
            assert sample.features.shape == (crystal.n_atoms, N_FEATURES)
            if kind == "powder":
                np.testing.assert_allclose(sample.powder.float().mean(dim=1), 1.0, atol=1e-3)
            if kind == "crystal":
                np.testing.assert_allclose(sample.plane.float().mean(dim=1), 1.0, atol=1e-3)
                np.testing.assert_allclose(sample.points.float().mean(dim=1), 1.0, atol=1e-3)
                assert (sample.powder.numel(), sample.point_vectors.shape) == (0, (60, 3))


@pytest.mark.parametrize("kind", ["dos", "powder"])
def test_samples_beyond_what_may_stay_in_memory_are_read_again(library, weights, monkeypatch, kind):
    learn, _ = training_ids(library, 40)
    kept = Samples(library, learn, kind)
    rows = spectra_rows(kept, kind)
    assert kept[0] is kept[0]
    monkeypatch.setattr(dataset, "KEPT_BYTES", kept[0].n_bytes)
    read = Samples(library, learn, kind)
    again = spectra_rows(read, kind)
    assert [read[i] is read[i] for i in range(len(learn))] == [True] + [False] * (len(learn) - 1)
    for one, other in zip(read[1:], kept[1:], strict=True):
        assert one.id == other.id
        torch.testing.assert_close(one.features, other.features, rtol=0, atol=0)
    np.testing.assert_array_equal(rows, again)


def test_preparation_goes_on_where_it_stopped(library, weights, monkeypatch):
    monkeypatch.setattr(dataset, "NequixFeatures", ElementFeatures)
    learn, _ = training_ids(library, 40)
    file = library.path / dataset.DERIVED / f"{learn[1]}.npz"
    others = {p: p.stat().st_mtime_ns for p in file.parent.iterdir() if p != file}
    before = dict(np.load(file))
    file.unlink()
    with pytest.raises(LibraryError, match="has not been prepared"):
        Samples(library, [learn[1]], "dos")[0]
    seen = []
    prepare(library, learn, lambda *event: seen.append(event))
    assert seen == [(1, 1, learn[1])]
    assert all(p.stat().st_mtime_ns == t for p, t in others.items())
    assert all(np.array_equal(before[k], v) for k, v in np.load(file).items())


def test_weights_say_what_they_were_trained_on(library, weights):
    learn, tune = training_ids(library, 40)
    for path in weights.glob("*.safetensors"):
        _, header = load_weights(path)
        assert header.ids == learn + tune
        assert not set(header.ids) & set(library.select("val") + library.select("test"))
        assert header.grids
    assert not list(weights.glob("*.checkpoint"))


@pytest.mark.parametrize("kinds", [("dos",), ("dos", "powder"), ("dos", "powder", "crystal")])
def test_the_trained_model_predicts(model, kinds):
    crystals = [read_structure(m.atoms) for m in (FEW[0], QUARTZ)]
    for crystal, found in zip(crystals, model(crystals, kinds), strict=True):
        assert found.partial_dos.shape == (crystal.n_atoms, 300)
        np.testing.assert_allclose(found.partial_dos @ WIDTHS, 3.0)
        assert found.partial_dos.min() >= 0
        assert set(found.codes) == {"dos", *kinds}
        assert found.spread.shape == (300,)
        assert 0 < found.disagreement < 2
        if "powder" in kinds:
            assert found.powder.shape == (len(native_q_edges()) - 1, N_LEVELS)
            assert found.powder.min() >= 0
        if "crystal" in kinds:
            rho = found.density(np.ones((3, 3)) * [[1], [2], [3]])
            np.testing.assert_allclose(rho.mean(axis=1), 1.0, rtol=1e-5)
            code = found.encode(np.eye(3), np.ones((3, N_LEVELS)))
            assert code.shape == (3,)
            assert not np.allclose(found.density(np.eye(3), code), found.density(np.eye(3)))
        else:
            for call in (lambda f=found: f.density(np.eye(3)), lambda f=found: f.encode(np.eye(3), np.ones((3, 64)))):
                with pytest.raises(WeightsError, match="ask for the kind 'crystal'"):
                    call()


def test_a_batch_is_as_good_as_one_by_one(model):
    crystals = [read_structure(m.atoms) for m in (*MATERIALS, FEW[0])]
    together = model(crystals)
    for crystal, found in zip(crystals, together, strict=True):
        (alone,) = model([crystal])
        np.testing.assert_allclose(found.partial_dos, alone.partial_dos, atol=1e-5)
        for kind, code in alone.codes.items():
            np.testing.assert_allclose(found.codes[kind], code, atol=1e-4)
        assert found.novelty == pytest.approx(alone.novelty, rel=1e-3)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_training_that_was_stopped_goes_on(library, weights, tmp_path, monkeypatch, backbone):
    monkeypatch.setattr(dataset, "NequixFeatures", ElementFeatures)
    options = {"kind": "dos", "backbone": backbone, "width": 8, "depth": 1, "epochs": 3, "members": 1, "batch_size": 2}
    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    train_structure(library.path, output=whole, **options)
    for epochs in (1, 2, 3):
        train_structure(library.path, output=stopped, minutes=1e-9, **options)
        _, header = read_tensors(f"{stopped}.0.checkpoint")
        assert header["history"][-1]["epoch"] == epochs
    assert load_weights(stopped)[1].digest == load_weights(whole)[1].digest
    train_structure(library.path, output=stopped, **options)
    assert load_weights(stopped)[1].digest == load_weights(whole)[1].digest
    assert not list(tmp_path.glob("*.checkpoint"))


@pytest.mark.parametrize("kind", ["dos", "powder"])
def test_the_reference_model_is_trained_the_same_each_time(library, weights, tmp_path, kind):
    digests = []
    for number, random_state in enumerate((0, 0, 1)):
        path = tmp_path / f"{number}.safetensors"
        train_structure(
            library.path, kind=kind, backbone="e3nn", width=4, depth=1, epochs=2, random_state=random_state, output=path
        )
        tensors, header = load_weights(path, class_name=f"structure-{kind}-e3nn")
        digests.append(header.digest)
    assert digests[0] == digests[1] != digests[2]
    (net,) = networks_in(tensors, header, E3nnNetwork)
    assert net.neighbours > 1
    with pytest.raises(WeightsError, match=f"holds a structure-{kind}-e3nn, not a structure-dos"):
        train_structure(library.path, width=4, depth=1, beside=path, output=tmp_path / "x")


def test_principal_components_are_trained_too(library, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "NequixFeatures", ElementFeatures)
    path = train_autoencoder(library.path, kind="dos", family="pca", n_components=2, output=tmp_path / "p.safetensors")
    assert load(path).n_components == 2


def test_training_refuses_what_it_cannot_do(library, weights, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="kind = 'heat'"):
        train_structure(library.path, kind="heat", output=tmp_path / "x")
    for kind, backbone in (("crystal", "e3nn"), ("dos", "gnn")):
        with pytest.raises(DataError, match=f"'{kind}' with the backbone '{backbone}'; expected one of dos, dos-e3nn"):
            train_structure(library.path, kind=kind, backbone=backbone, output=tmp_path / "x")
    with pytest.raises(DataError, match="kind = 'crystal'; autoencoders are trained for"):
        train_autoencoder(library.path, kind="crystal", output=tmp_path / "x")
    with pytest.raises(DataError, match="0 crystals to learn from and 0 to tune on; both are needed"):
        train_structure(library.path, max_atoms=1, output=tmp_path / "x")
    with pytest.raises(WeightsError, match="no weights file"):
        train_structure(library.path, kind="powder", output=tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_a_folder_without_weights_is_refused(weights, tmp_path):
    with pytest.raises(WeightsError, match=r"no weights file at .*structure-dos"):
        StructureModel(tmp_path)
    (tmp_path / "structure-dos.safetensors").write_bytes((weights / "structure-powder.safetensors").read_bytes())
    with pytest.raises(WeightsError, match="holds a structure-powder, not a structure-dos"):
        StructureModel(tmp_path)
