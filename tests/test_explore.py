"""What a code means: against codes whose meaning is known."""

import json

import numpy as np
import pytest
import torch
from ase.build import bulk
from numpy.testing import assert_allclose
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression

from inscape.autoencoders import PCA, Autoencoder
from inscape.errors import DataError, GridError
from inscape.explore import (
    activity,
    atoms,
    chemiscope_page,
    code_map,
    crystal_observables,
    dos_observables,
    element_shares,
    label_curve,
    linear_probe,
    meaning,
    most_activating,
    rate_distortion,
    traversal,
)
from inscape.explore.meaning import rank_correlation
from inscape.plots import plot_code_map, plot_curves, plot_traversal
from inscape.structures import read_structure
from inscape.thermodynamics import heat_capacity

torch.set_num_threads(1)

RNG = np.random.default_rng(0)
CODES = RNG.standard_normal((200, 4))
CODES[:, 3] = 0.25
X = CODES[:, :3] @ RNG.standard_normal((3, 12)) + 0.05 * RNG.standard_normal((200, 12))


# ---- elements


def test_activity_finds_what_never_changes():
    sparse = CODES * (CODES > 0.5)
    found = activity(sparse)
    assert_allclose(found.share, [(CODES[:, i] > 0.5).mean() for i in range(4)])
    assert found.dead.tolist() == [3]
    assert found.dead_share == 0.25
    assert activity(CODES).share[3] == 1
    assert activity(CODES).dead.tolist() == [3]


def test_atoms_of_a_linear_decoder_are_its_columns():
    model = PCA(3).fit(X)
    assert_allclose(atoms(model, model.transform(X)), model.components_, atol=1e-9)
    bent = Autoencoder(2, hidden=(6,), epochs=3, random_state=0).fit(X.astype(np.float64))
    codes = bent.transform(X)
    centre = torch.from_numpy(codes.mean(0))
    network = bent.network_
    tangent = torch.autograd.functional.jacobian(lambda z: network.restore(network.decode(z[None]))[0], centre).T
    assert_allclose(atoms(bent, codes), tangent, rtol=1e-3, atol=1e-5)


def test_traversal_moves_one_element():
    model = PCA(3).fit(X)
    codes = model.transform(X)
    values, decoded = traversal(model, codes, 1, steps=5)
    assert_allclose([values[0], values[-1]], np.percentile(codes[:, 1], [1, 99]))
    again = model.transform(decoded)
    assert_allclose(again[:, 1], values, atol=1e-9)
    assert_allclose(again[:, [0, 2]], np.tile(codes.mean(0)[[0, 2]], (5, 1)), atol=1e-9)
    start = codes[7]
    assert_allclose(
        model.transform(traversal(model, codes, 0, start=start)[1])[:, 1:], np.tile(start[1:], (7, 1)), atol=1e-9
    )


def test_most_activating():
    found = most_activating(CODES, 2, 5)
    assert CODES[found, 2].tolist() == sorted(CODES[:, 2], reverse=True)[:5]


# ---- meaning


def test_words_say_what_was_put_in():
    observables = {
        "mass": np.exp(CODES[:, 1]),  # any rising function
        "gap": -CODES[:, 0] + 0.9 * RNG.standard_normal(200),
        "luck": RNG.standard_normal(200),
    }
    observables["gap"][:20] = np.nan
    found = meaning(CODES, observables, names=["a", "b", "c", "d"])
    assert found.correlation.loc["b", "mass"] == pytest.approx(1)
    assert found.information.loc["b", "mass"] > 1.5
    assert found.information.loc["c", "mass"] < 0.3
    assert found.dead == ["d"]
    words = found.words()
    assert words[0].startswith("b closely follows mass: it rises with it (rank correlation +1.00")
    assert words[1].startswith("a follows gap: it falls")
    assert any(s.startswith("c follows none") for s in words)
    assert "luck cannot be read off the code by a linear map." in words
    assert words[-1] == "1 elements never change: d."
    known = slice(20, None)
    expected = [spearmanr(CODES[known, i], observables["gap"][known])[0] for i in range(3)]
    assert_allclose(found.correlation["gap"].iloc[:3], expected)


def test_rank_correlation_of_ties():
    codes, values = np.round(CODES[:, :3]), np.round(2 * CODES[:, 1])
    assert_allclose(rank_correlation(codes, values), [spearmanr(codes[:, i], values)[0] for i in range(3)])


def test_linear_probe_is_judged_on_what_it_has_not_seen():
    assert linear_probe(CODES, CODES @ [1, 2, 3, 0]) > 0.999
    many = RNG.standard_normal((60, 50))
    assert linear_probe(many, RNG.standard_normal(60)) < 0.2


# ---- curves


def test_distortion_falls_with_rate_and_a_linear_network_meets_pca():
    flat = {"hidden": (), "activation": "linear", "epochs": 2, "random_state": 0}
    table = rate_distortion({"PCA": PCA(), "network": Autoencoder(**flat)}, X[:150], X[150:], [1, 2, 3])
    assert (np.diff(table["PCA"]) < 0).all()
    assert table.loc[3, "PCA"] < 0.01
    assert_allclose(table["network"], table["PCA"], rtol=0.05)
    assert list(table.index) == [1, 2, 3]


def test_fewer_labels_on_codes():
    codes = RNG.standard_normal((200, 2))
    raw = np.hstack([codes, 3 * RNG.standard_normal((200, 60))])
    table = label_curve(LogisticRegression(), {"codes": codes, "raw": raw}, codes[:, 0] > 0, [10, 40])
    assert (table["codes"] > table["raw"] + 0.1).all()
    with pytest.raises(DataError, match="leave none"):
        label_curve(LogisticRegression(), {"codes": codes}, codes[:, 0] > 0, [200])


# ---- observables


def test_dos_observables_of_two_boxes():
    edges = np.linspace(0, 50, 101)
    dos = np.zeros((1, 100))
    dos[0, 20:40] = dos[0, 60:80] = 0.15  # 10–20 and 30–40 meV
    found = dos_observables(dos, edges)
    assert found["mean energy"][0] == pytest.approx(25)
    assert found["cut-off"][0] == pytest.approx(40, abs=0.5)
    assert found["widest gap"][0] == pytest.approx(10)
    assert found["width"][0] == pytest.approx(np.sqrt(10**2 + 10**2 / 12), rel=1e-3)
    assert found["C_V(300 K)"][0] == pytest.approx(float(heat_capacity(dos[0], edges, 300.0)))
    assert found["stiffness"][0] == pytest.approx(25**2 + found["width"][0] ** 2)


def test_crystal_observables():
    crystals = [read_structure(bulk("NaCl", "rocksalt", a=5.6)), read_structure(bulk("MgO", "rocksalt", a=4.2))]
    partial = [np.eye(2, 11), np.eye(2, 11)[::-1]]
    found = crystal_observables(crystals, partial)
    assert_allclose(found["mean mass"], [29.22, 20.15], atol=0.01)
    assert found["oxygen share"].tolist() == [0, 0.5]
    assert found["atoms in cell"].tolist() == [2, 2]
    assert set(found["lightest atom's mean bin"]) <= {0.0, 0.1}


def test_element_shares_of_two_boxes():
    """Na moves from 0 to 20 meV, Cl from 10 to 30: of the slower half of the modes, below 15 meV, Na's are 3/4."""
    crystal = read_structure(bulk("NaCl", "rocksalt", a=5.6))
    edges = np.linspace(0, 40, 81)
    boxes = {"Na": (edges[:-1] < 20) * 0.15, "Cl": ((edges[:-1] >= 10) & (edges[:-1] < 30)) * 0.15}
    found = element_shares([crystal], [np.stack([boxes[s] for s in crystal.symbols])], edges, ("Na", "Cl", "O"))
    assert found["Na in slow modes"][0] == pytest.approx(0.75)
    assert found["Cl in fast modes"][0] == pytest.approx(0.75)
    assert found["O in fast modes"][0] == 0
    for half in ("slow", "fast"):
        assert found[f"Na in {half} modes"] + found[f"Cl in {half} modes"] == pytest.approx(1)
    with pytest.raises(DataError, match="give one for each"):
        element_shares([crystal], [], edges)


# ---- maps


def test_maps_keep_clusters_apart(tmp_path):
    labels = np.arange(200) % 2
    codes = CODES + 20 * labels[:, None]
    found = code_map(codes)
    assert found.shape == (200, 2)
    sides = found[:, 0] > 0
    assert (sides == labels.astype(bool)).all() or (sides != labels.astype(bool)).all()
    with pytest.raises(DataError, match="'pca' or 'umap'"):
        code_map(codes, method="tsne")
    ax = plot_code_map(found, labels, label="class")
    assert len(ax.collections[0].get_offsets()) == 200
    values, decoded = np.arange(3.0), np.arange(36.0).reshape(3, 12)
    assert len(plot_traversal(np.arange(12), decoded, values).lines) == 3
    table = rate_distortion({"PCA": PCA()}, X, X, [1, 2])
    assert_allclose(plot_curves(table).lines[0].get_ydata(), table["PCA"])


def test_a_page_of_chemiscope(tmp_path):
    pytest.importorskip("chemiscope")
    structures = [bulk("Si") for _ in range(20)]
    path = chemiscope_page(tmp_path / "page.json", structures, CODES[:20], {"mass": np.arange(20)})
    page = json.loads(path.read_text())
    assert len(page["structures"]) == 20
    assert page["properties"]["mass"]["values"] == list(range(20))
    with pytest.raises(DataError, match="structures for 20 codes"):
        chemiscope_page(tmp_path / "page.json", structures[1:], CODES[:20], {})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: activity(np.ones(3)), r"expected \(n, k\)"),
        (lambda: most_activating(CODES, 4), "element = 4"),
        (lambda: meaning(CODES, {"m": np.ones(3)}), r"expected \(200,\)"),
        (lambda: meaning(CODES, {"m": np.ones(200)}), "constant"),
        (lambda: dos_observables(np.ones((1, 3)), np.linspace(0, 1, 3)), "bin"),
    ],
)
def test_refused(call, message):
    with pytest.raises((DataError, GridError), match=message):
        call()
