"""Crystals made up from training crystals, what force constants say of them, and learning from that."""

import shutil

import numpy as np
import pytest
from ase.data import atomic_numbers

import inscape.pseudo_labels as pseudo_labels
import inscape.structure_model.dataset as dataset
from crystals import FEW, QUARTZ, ElementFeatures
from inscape.errors import DataError
from inscape.library import Library
from inscape.pseudo_labels import atomic_volumes, labelled, make_up, replacements, substituted, volumes_in
from inscape.spectra import native_energy_edges
from inscape.structure_model import train_structure
from inscape.structure_model.dataset import Samples, all_made_up
from inscape.structure_model.train import training_ids
from inscape.structures import Crystal, read_structure
from inscape.training import load_weights

NONE = np.zeros(119)


def volumes(**of):
    """Volumes of elements, Å³."""
    found = NONE.copy()
    for symbol, volume in of.items():
        found[atomic_numbers[symbol]] = volume
    return found


VOLUMES = volumes(Li=4, F=12, Mg=5, O=13, K=27, Cl=35, Ca=16, S=30)


@pytest.fixture(scope="module")
def with_made_up(library, thread, tmp_path_factory):
    """A copy of the library with two made-up crystals."""
    path = tmp_path_factory.mktemp("made-up") / "few.zarr"
    shutil.copytree(library.path, path)
    with pytest.MonkeyPatch.context() as patch:  # so few crystals do not tell the volumes of atoms
        patch.setattr(pseudo_labels, "volumes_in", lambda library, names: VOLUMES)
        assert make_up(path, 2, cluster=thread) == 2
        yield Library(path)


def test_replacements_go_both_ways_and_stay_in_the_group():
    found = replacements()
    assert all(z in found[near] for z, own in found.items() for near in own)
    assert found[atomic_numbers["Li"]] == (atomic_numbers["Na"],)
    assert 1 not in found


def test_volumes_of_atoms_add_up_to_those_of_cells():
    true = volumes(Na=20.0, Cl=30.0, K=35.0)
    cells = [np.array([11, 17]), np.array([19, 17, 17]), np.array([11, 11, 17])]
    np.testing.assert_allclose(atomic_volumes(cells, np.array([true[c].sum() for c in cells])), true, atol=1e-6)


def test_volumes_of_library_crystals_are_those_of_their_cells(library):
    names = [m.id for m in FEW[:5]]
    found = volumes_in(library, names)
    for crystal in map(library.crystal, names):
        assert found[crystal.numbers].sum() == pytest.approx(crystal.volume)


def test_a_substituted_crystal_is_scaled_by_the_volumes():
    crystal = read_structure(QUARTZ.atoms)
    found = substituted(crystal, volumes(Si=10.0, Ge=15.0, O=10.0), np.random.default_rng(0))
    assert found.formula == "GeO2"
    assert found.volume / crystal.volume == pytest.approx(35 / 30)
    np.testing.assert_allclose(found.positions, crystal.positions)


@pytest.mark.parametrize(
    "known",
    [volumes(Si=10.0, O=10.0), volumes(Si=10.0, Ge=100.0, O=10.0)],
    ids=["no neighbour is known", "lengths would change too much"],
)
def test_there_may_be_no_substituted_crystal(known):
    assert substituted(read_structure(QUARTZ.atoms), known, np.random.default_rng(0)) is None


def test_a_foreign_crystal_gets_no_label():
    iron = Crystal.from_cell(2.87 * (0.5 - np.eye(3)), [[0, 0, 0]], [26])
    assert labelled(iron) is None


def test_cubic_barium_titanate_which_has_imaginary_modes_gets_no_label():
    assert labelled(read_structure(QUARTZ.atoms)) is not None
    corners = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    assert labelled(Crystal.from_cell(4.0 * np.eye(3), corners, [56, 22, 8, 8, 8])) is None


def test_made_up_crystals_are_new_and_have_what_is_learned_from(with_made_up, library):
    names = all_made_up(with_made_up)
    assert names == ["made-up-000000", "made-up-000001"]
    assert not all_made_up(library)
    known = {frozenset(library.crystal(name).numbers.tolist()) for name in library.entries}
    for sample in Samples(with_made_up, names, "dos"):
        assert frozenset(sample.geometry.numbers.tolist()) not in known
        assert sample.partial_dos.shape == (2, len(native_energy_edges()) - 1)
        np.testing.assert_allclose(sample.partial_dos.numpy() @ np.diff(native_energy_edges()), 3.0, rtol=1e-3)


def test_making_up_goes_on_where_it_stopped_with_the_same_crystals(with_made_up, thread):
    places = [dataset.place_of(with_made_up, name) for name in all_made_up(with_made_up)]
    before, stays = dict(np.load(places[0])), places[1].stat().st_mtime_ns
    places[0].unlink()
    seen = []
    assert make_up(with_made_up.path, 2, cluster=thread, progress=lambda *event: seen.append(event)) == 2
    assert seen == [(1, 1, "made-up-000000")]
    assert places[1].stat().st_mtime_ns == stays
    assert all(np.array_equal(before[key], value) for key, value in np.load(places[0]).items())


def test_a_model_learns_from_them_and_says_how_many(with_made_up, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "NequixFeatures", ElementFeatures)
    path, settings = tmp_path / "dos.safetensors", {"width": 16, "depth": 1, "epochs": 1}
    train_structure(with_made_up.path, made_up=True, output=path, **settings)
    tensors, header = load_weights(path)
    learn, tune = training_ids(with_made_up, 40)
    assert header.ids == learn + tune
    assert header.extra["made_up"] == 2
    assert len(tensors["novelty.known"]) == len(learn)


def test_what_cannot_be_learned_from_them_is_refused(with_made_up, library, tmp_path):
    with pytest.raises(DataError, match="densities of states alone"):
        train_structure(with_made_up.path, kind="powder", made_up=True)
    with pytest.raises(DataError, match="inscape train pseudo-labels"):
        train_structure(library.path, made_up=True)
    with pytest.raises(DataError, match="how many crystals"):
        make_up(library.path, 0)
