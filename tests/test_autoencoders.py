"""Autoencoders: laws (PCA is the linear optimum, gaps never count), one list of contracts for all, refusals, files."""

import pickle

import numpy as np
import pytest
import sklearn.decomposition
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator
from torch import nn

from inscape.autoencoders import (
    FAMILIES,
    NMF,
    PCA,
    Autoencoder,
    ContractiveAutoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    SparsePCA,
    VariationalAutoencoder,
    load,
)
from inscape.autoencoders.corruptions import (
    Background,
    Deformation,
    Gaussian,
    Masking,
    MissingBands,
    Poisson,
    ResolutionBlur,
)
from inscape.autoencoders.losses import GaussianLikelihood, Huber
from inscape.autoencoders.networks import Bottleneck, build
from inscape.autoencoders.pca import centred_blocks, principal_axes
from inscape.autoencoders.penalties import (
    L1,
    Activity,
    BatchTopK,
    Contractive,
    JumpReLU,
    Lifetime,
    Matryoshka,
    Orthogonal,
    Tied,
    TopK,
    UnitNorm,
    Variational,
)
from inscape.autoencoders.rows import as_rows, statistics
from inscape.errors import DataError, WeightsError

torch.set_num_threads(1)


def table(n=60, shape=(20,), rank=4, noise=0.02, seed=0, dtype=np.float32):
    """Samples near a subspace of ``rank`` dimensions, away from the origin."""
    rng = np.random.default_rng(seed)
    axes = rng.standard_normal((rank, *shape)) * np.arange(rank, 0, -1).reshape(-1, *[1] * len(shape))
    values = np.tensordot(rng.standard_normal((n, rank)), axes, 1) + noise * rng.standard_normal((n, *shape)) + 2.0
    return values.astype(dtype)


def with_gaps(values, share=0.15, seed=0):
    values = values.copy()
    values[np.random.default_rng(seed).random(values.shape) < share] = np.nan
    return values


def small(**options):
    return Autoencoder(
        **{"n_components": 3, "hidden": (8,), "epochs": 3, "batch_size": 16, "random_state": 0} | options
    )


def named(kind, **options):
    return kind(n_components=3, hidden=(8,), epochs=3, batch_size=16, random_state=0, **options)


def convolutional(**options):
    return small(architecture="convolutional", hidden=(3, 4), **options)


ESTIMATORS = {
    "pca": (PCA(3, random_state=0), (20,)),
    "pca randomised": (PCA(3, solver="randomised", random_state=0), (20,)),
    "pca images": (PCA(3), (2, 5, 4)),
    "dense": (small(), (20,)),
    "dense random": (small(init="random", standardise=True), (20,)),
    "dense images": (small(loss="huber"), (2, 5, 4)),
    "convolutional table": (convolutional(), (20,)),
    "convolutional 1-D": (convolutional(init="random"), (2, 9)),
    "convolutional 2-D": (convolutional(), (1, 7, 6)),
    "convolutional 3-D": (convolutional(loss="absolute"), (1, 5, 4, 3)),
    "modules": (small(architecture=(nn.Sequential(nn.Flatten(), nn.Linear(40, 3)), nn.Linear(3, 40))), (2, 5, 4)),
    "nmf": (NMF(3, random_state=0), (20,)),
    "sparse pca": (SparsePCA(3, max_iter=10, random_state=0), (2, 3, 4)),
    "sparse": (named(SparseAutoencoder, active=2), (20,)),
    "denoising": (named(DenoisingAutoencoder), (20,)),
    "denoising images": (
        convolutional(corruption=(Gaussian(0.1), ResolutionBlur(0.7), MissingBands(1, 2), Background(0.1, 0.1))),
        (1, 7, 6),
    ),
    "contractive": (named(ContractiveAutoencoder, weight=0.01), (20,)),
    "variational": (named(VariationalAutoencoder, loss=GaussianLikelihood(0.5)), (2, 5, 4)),
    "variational images": (convolutional(penalty=Variational(0.01, warm_up=0.3)), (1, 7, 6)),
    "poisson": (small(loss="poisson", corruption=Poisson(1e3)), (20,)),
    "bernoulli": (small(loss="bernoulli", corruption=Masking(0.2, 0.0)), (20,)),
    "wasserstein": (small(loss="wasserstein", hidden=(16,)), (20,)),
    "cosine": (small(loss="cosine", output="nonnegative"), (20,)),
    "topk and corruption": (small(penalty=TopK(2), corruption=Gaussian(0.1)), (20,)),
    "batch topk": (small(penalty=(BatchTopK(2), Orthogonal())), (20,)),
    "lifetime": (small(penalty=(Lifetime(0.3), UnitNorm()), hidden=()), (20,)),
    "deformed images": (convolutional(corruption=Deformation(), penalty=Lifetime(0.3)), (1, 7, 6)),
    "l1": (small(penalty=[L1(1e-3), UnitNorm()], loss=Huber(2.0)), (20,)),
    "activity": (small(penalty=Activity(0.01, 0.3)), (20,)),
    "jump relu": (small(penalty=JumpReLU(1e-3)), (20,)),
    "matryoshka tied": (small(penalty=(Matryoshka((1, 2)), Tied(), Contractive(1e-3))), (20,)),
}
POSITIVE = {"nmf", "poisson", "bernoulli", "wasserstein"}


@pytest.fixture(params=ESTIMATORS)
def case(request):
    """An estimator and data for it; between 0 and 1 where it wants them not negative."""
    estimator, shape = ESTIMATORS[request.param]
    X = table(shape=shape)
    return clone(estimator), (X - X.min()) / np.ptp(X) if request.param in POSITIVE else X


# ---- contracts: every estimator


def test_shapes_and_types(case):
    estimator, X = case
    for dtype, found in [(np.float32, np.float32), (np.float64, np.float64), (np.float16, np.float32)]:
        codes = estimator.fit(X.astype(dtype)).transform(X.astype(dtype))
        decoded = estimator.inverse_transform(codes)
        assert codes.shape == (60, 3)
        assert decoded.shape == X.shape
        assert codes.dtype == decoded.dtype == found
        assert np.isfinite(decoded).all()
    assert estimator.n_features_in_ == X[0].size


def test_better_than_the_mean(case):
    estimator, X = case
    if getattr(estimator, "loss", "") == "cosine":
        pytest.skip("the cosine leaves the scale of a sample open")
    longer = {"epochs": 20, "learning_rate": 0.02} if isinstance(estimator, Autoencoder) else {}
    score = estimator.set_params(**longer).fit(X).score(X)
    decoded = estimator.inverse_transform(estimator.transform(X))
    expected = 1 - np.square(decoded - X, dtype=float).sum() / np.square(X - X.mean(0), dtype=float).sum()
    assert score == pytest.approx(expected, abs=1e-5)
    assert 0.1 < score < 1


def test_same_seed_same_bits(case):
    estimator, X = case
    state = torch.get_rng_state()
    one, other = (clone(estimator).fit(X).transform(X) for _ in range(2))
    assert_array_equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


def test_fit_leaves_data_and_parameters_alone(case):
    estimator, X = case
    X = with_gaps(X)
    before, parameters = X.copy(), estimator.get_params()
    estimator.fit(X).transform(X)
    assert_array_equal(X, before)
    assert estimator.get_params() == parameters
    assert repr(clone(estimator).get_params()) == repr(parameters)  # torch modules are copied


def test_fit_transform_and_names(case):
    estimator, X = case
    assert_array_equal(estimator.fit_transform(X), estimator.transform(X))
    assert list(estimator.get_feature_names_out()) == [f"{type(estimator).__name__.lower()}{i}" for i in range(3)]


def modules_of(estimator):
    """The torch modules that a file cannot hold, to be given again."""
    architecture = getattr(estimator, "architecture", "")
    return {} if isinstance(architecture, str) else {"architecture": architecture}


def test_file_round_trip(case, tmp_path):
    estimator, X = case
    codes = estimator.fit(X).transform(X)
    edges = np.linspace(0, 10, 21)
    digest = estimator.save(tmp_path / "m.safetensors", grids={"energy_edges": (edges, "meV")}, ids=["a", "b"])
    given = modules_of(estimator)
    for found in (load(tmp_path / "m.safetensors", **given), type(estimator).load(tmp_path / "m.safetensors", **given)):
        assert type(found) is type(estimator)
        assert_array_equal(found.transform(X), codes)
        assert_array_equal(found.inverse_transform(codes), estimator.inverse_transform(codes))
        assert found.grids_["energy_edges"] == {"values": edges.tolist(), "unit": "meV"}
        assert found.ids_ == ["a", "b"]
        assert (found.digest_, found.seed_) == (estimator.digest_, estimator.seed_)
        assert found.save(tmp_path / "again") == digest
        assert load(tmp_path / "again", **given).grids_ == found.grids_
        if isinstance(estimator, Autoencoder) and estimator.activity_ is not None:
            assert_array_equal(found.activity_, estimator.activity_)


def test_half_precision_file(case, tmp_path):
    estimator, X = case
    estimator.fit(X).save(tmp_path / "whole")
    estimator.save(tmp_path / "half", half=True)
    assert load(tmp_path / "half", **modules_of(estimator)).score(X) == pytest.approx(estimator.score(X), abs=0.01)


def test_pickles_in_memory(case):
    estimator, X = case
    estimator.fit(X)
    assert_array_equal(pickle.loads(pickle.dumps(estimator)).transform(X), estimator.transform(X))


def test_gaps_never_count(case):
    """Weight 0 and NaN are the two ways to say that a value is not there: neither may influence anything."""
    estimator, X = case
    gaps = with_gaps(X)
    fitted = clone(estimator).fit(gaps)
    assert np.isfinite(fitted.transform(gaps)).all()
    assert np.isfinite(fitted.score(gaps))

    weights = np.ones(len(X))
    weights[-9:] = 0
    other = X.copy()
    other[-9:] = 100 * other[-9:]
    one, two = (clone(estimator).fit(values, sample_weight=weights) for values in (X, other))
    assert_allclose(one.transform(X), two.transform(X), rtol=1e-4, atol=1e-4)


def test_weight_two_is_the_sample_twice():
    X = table()
    weights = np.ones(60)
    weights[:20] = 2
    one, two = PCA(3).fit(X, sample_weight=weights), PCA(3).fit(np.concatenate([X, X[:20]]))
    assert_allclose(one.components_, two.components_, atol=1e-4)
    assert one.score(X, sample_weight=weights) == pytest.approx(two.score(np.concatenate([X, X[:20]])), abs=1e-5)


def test_memory_map_equals_array(case, tmp_path):
    estimator, X = case
    np.save(tmp_path / "x.npy", X.astype(np.float16))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    one, two = clone(estimator).fit(mapped), clone(estimator).fit(X.astype(np.float16))
    assert_array_equal(one.transform(mapped), two.transform(X.astype(np.float16)))
    assert one.digest_ == two.digest_


def test_what_was_never_measured_stays_unknown(case):
    estimator, X = case
    X = X.reshape(60, -1)
    X[:, 3] = np.nan
    X = X.reshape(60, *case[1].shape[1:])
    decoded = estimator.fit(X).inverse_transform(estimator.transform(X)).reshape(60, -1)
    assert np.isnan(decoded[:, 3]).all()
    assert np.isfinite(np.delete(decoded, 3, axis=1)).all()


BATCHES = "a sample given twice is drawn into two batches, one of weight 2 into one: only the expectation is the same"
SOLVER = "start and end of scikit-learn's solver depend on the number of rows"
EXCUSED = "check_sample_weight_equivalence_on_dense_data"
SCIKIT_LEARN = {
    "pca": (PCA(1), {}),
    "nmf": (NMF(1), {EXCUSED: SOLVER}),
    "sparse pca": (SparsePCA(1, max_iter=20), {EXCUSED: SOLVER}),
    "autoencoder": (small(n_components=1, epochs=2), {EXCUSED: BATCHES}),
    **{
        kind.__name__: (kind(n_components=1, hidden=(8,), epochs=2, batch_size=16, random_state=0), {EXCUSED: BATCHES})
        for kind in (SparseAutoencoder, DenoisingAutoencoder, ContractiveAutoencoder, VariationalAutoencoder)
    },
}


@pytest.mark.parametrize(("estimator", "excused"), SCIKIT_LEARN.values(), ids=SCIKIT_LEARN)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks(estimator, excused):
    results = check_estimator(estimator, on_fail=None, expected_failed_checks=excused)
    assert [r["check_name"] for r in results if r["status"] == "failed"] == []


def test_every_family_is_checked():
    assert {type(estimator) for estimator, _ in SCIKIT_LEARN.values()} == set(FAMILIES.values())
    assert {type(estimator) for estimator, _ in ESTIMATORS.values()} == set(FAMILIES.values())


def test_in_a_pipeline_with_names():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(table(), columns=[f"bin{i}" for i in range(20)])
    model = make_pipeline(PCA(4), LinearRegression()).fit(X, X["bin0"])
    assert model.score(X, X["bin0"]) > 0.99
    assert list(PCA(2).set_output(transform="pandas").fit_transform(X)) == ["pca0", "pca1"]


def test_a_grid_is_searched_through_an_autoencoder():
    """Codes feed a classifier and a regressor; length of the code and a penalty's weight are parameters like others."""
    X = table(rank=2)
    above = X[:, 0] > np.median(X[:, 0])
    for last, target in ((LogisticRegression(), above), (LinearRegression(), X[:, 0])):
        pipeline = make_pipeline(small(learning_rate=0.01), last)
        search = GridSearchCV(pipeline, {"autoencoder__n_components": [1, 2]}, cv=2).fit(X, target)
        assert search.best_params_ == {"autoencoder__n_components": 2}
        assert cross_val_score(clone(search.best_estimator_), X, target, cv=2).min() > 0.6


# ---- laws: PCA


@pytest.mark.parametrize("solver", ["exact", "randomised"])
@pytest.mark.parametrize("shape", [(60, 20), (15, 40)], ids=["long", "wide"])
def test_pca_agrees_with_scikit_learn(solver, shape):
    X = table(n=shape[0], shape=shape[1:], dtype=np.float64)
    ours, theirs = PCA(4, solver=solver, random_state=0).fit(X), sklearn.decomposition.PCA(4).fit(X)
    assert_allclose(ours.explained_variance_, theirs.explained_variance_, rtol=1e-6)
    assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-6)
    assert_allclose(np.abs(ours.components_ @ theirs.components_.T), np.eye(4), atol=1e-6)
    assert_allclose(ours.inverse_transform(ours.transform(X)), theirs.inverse_transform(theirs.transform(X)), atol=1e-5)


def test_randomised_solver_on_a_slowly_falling_spectrum():
    X = np.random.default_rng(0).standard_normal((300, 200)) / np.sqrt(1 + np.arange(200))
    exact, random = PCA(10, solver="exact").fit(X), PCA(10, solver="randomised", random_state=0).fit(X)
    assert random.explained_variance_ratio_.sum() == pytest.approx(exact.explained_variance_ratio_.sum(), rel=2e-3)


def test_blocks_make_no_difference(monkeypatch):
    X = with_gaps(table(dtype=np.float64))
    whole = PCA(3).fit(X)
    monkeypatch.setattr("inscape.autoencoders.rows.BLOCK_VALUES", 7 * 20)
    monkeypatch.setattr("inscape.autoencoders.rows.BLOCK_ROWS", 1)
    pieces = PCA(3).fit(X)
    assert_allclose(pieces.mean_, whole.mean_)
    assert_allclose(pieces.components_, whole.components_, atol=1e-10)
    assert_allclose(pieces.transform(X), whole.transform(X), atol=1e-10)
    assert pieces.score(X) == pytest.approx(whole.score(X))
    found = statistics(as_rows(X))
    assert_allclose(found.mean, np.nanmean(X, axis=0))
    assert_allclose(found.variance, np.nanvar(X, axis=0))


@pytest.mark.parametrize("estimator", [PCA(4), small(n_components=4, epochs=1)], ids=["pca", "autoencoder"])
def test_data_in_the_span_come_back(estimator):
    X = table(noise=0.0, dtype=np.float64)
    estimator = clone(estimator).set_params(**({"learning_rate": 1e-12} if isinstance(estimator, Autoencoder) else {}))
    estimator.fit(X)
    assert_allclose(estimator.inverse_transform(estimator.transform(X)), X, atol=1e-8)


def test_pca_fills_gaps_of_data_in_the_span():
    X = table(noise=0.0, dtype=np.float64)
    model = PCA(4).fit(X)
    assert_allclose(model.inverse_transform(model.transform(with_gaps(X, share=0.3))), X, atol=1e-6)


# ---- laws: autoencoders


def explained(model, X):
    return 1 - model.score(X)


@pytest.mark.parametrize("k", [1, 3])
def test_linear_autoencoder_finds_principal_components(k):
    """From random weights by gradient alone; PCA is the optimum, so it must be met and cannot be beaten."""
    X = table(n=80, shape=(12,), noise=0.3, dtype=np.float64)
    pca = PCA(k).fit(X)
    model = Autoencoder(
        k, hidden=(), activation="linear", init="random", weight_decay=0.0, learning_rate=0.1, batch_size=80,
        epochs=700, random_state=0,
    ).fit(X)  # fmt: skip
    assert explained(pca, X) * (1 - 1e-9) <= explained(model, X) <= explained(pca, X) * 1.001
    decoder = model.network_.decoder[0].weight.detach().numpy() * model.network_.scale.numpy()[:, None]
    angles = np.linalg.svd(np.linalg.qr(decoder)[0].T @ pca.components_.T)[1]
    assert np.degrees(np.arccos(np.clip(angles.min(), -1, 1))) < 1


@pytest.mark.parametrize("architecture", ["dense", "convolutional"])
def test_it_starts_as_pca_and_ends_no_worse(architecture):
    X = table(n=80, shape=(16,), noise=0.3)
    pca = PCA(3).fit(X[:60])
    options = {"architecture": architecture, "hidden": (8, 8), "learning_rate": 0.01}
    start = small(**options | {"learning_rate": 1e-12, "epochs": 1}).fit(X[:60])
    assert start.score(X) == pytest.approx(pca.score(X), abs=1e-5)
    trained = small(**options).set_params(epochs=20).fit(X[:60], validation=X[60:])
    assert trained.score(X[60:]) >= pca.score(X[60:]) - 1e-6
    assert trained.history_[0].epoch == 0


def test_a_curve_fits_in_fewer_numbers_than_pca_needs():
    t = np.linspace(0, 1, 200)[:, None]
    X = np.exp(-0.5 * ((np.linspace(0, 1, 24) - 0.2 - 0.6 * t) / 0.08) ** 2).astype(np.float32)
    model = Autoencoder(2, hidden=(32, 16), learning_rate=5e-3, batch_size=25, epochs=60, random_state=0).fit(X)
    assert explained(model, X) < 0.2 * explained(PCA(2).fit(X), X)


def test_values_under_the_mask_have_no_gradient():
    """Whatever a decoder says where nothing was measured, loss and gradient are the same."""
    X = with_gaps(table(dtype=np.float64))
    model = small(init="random").fit(X)
    loss, network = model._criterion((20,)), model.network_
    values = torch.from_numpy(X[:8])
    mask = ~torch.isnan(values)
    target = torch.where(mask, values, 1e6)
    decoded = network(network.standardise(values))
    for cost in (lambda d, t: (d - t).square(), lambda d, t: (d - t).abs()):
        one = (cost(decoded, network.standardise(values)) * mask).sum()
        two = (cost(decoded, network.standardise(target)) * mask).sum()
        assert one.item() == two.item()
    assert loss(network, (values, mask, None)).item() > 0
    # the decoder's bias of a feature that no sample of the batch measured gets no gradient
    values[:, 5] = torch.nan
    network.zero_grad()
    loss(network, (values, ~torch.isnan(values), None)).backward()
    gradient = network.decoder[-1].bias.grad
    assert gradient[5] == 0
    assert (gradient != 0).sum() == 19


def test_standardise_gives_small_features_a_say():
    X = table()
    X[:, 0] *= 1e-3

    def loss_of_first(standardise):
        decoded = (model := small(standardise=standardise).fit(X)).inverse_transform(model.transform(X))
        return np.square(decoded - X)[:, 0].mean()

    assert loss_of_first(True) < 0.1 * loss_of_first(False)


@pytest.mark.parametrize("shape", [(9,), (2, 9), (1, 7, 6), (3, 1, 5), (1, 5, 4, 3)])
def test_convolutions_fit_any_grid(shape):
    network = build("convolutional", shape, Bottleneck(2), (3, 4, 5), "relu", linear=False)
    x = torch.zeros(4, int(np.prod(shape)))
    assert network.encode(x).shape == (4, 2)
    assert network(x).shape == x.shape


def test_resume_and_early_stopping(tmp_path):
    X = table()
    options = {"validation": X[:10], "checkpoint": tmp_path / "run"}
    whole = small(epochs=6).fit(X[10:], validation=X[:10])
    small(epochs=6).fit(X[10:], max_minutes=0.0, **options)
    resumed = small(epochs=6).fit(X[10:], resume=True, **options)
    assert_array_equal(resumed.transform(X), whole.transform(X))
    assert [e.validation for e in resumed.history_] == [e.validation for e in whole.history_]
    stopped = small(epochs=300, learning_rate=0.5).fit(X[10:], validation=X[:10], patience=2)
    assert len(stopped.history_) < 300
    with pytest.raises(WeightsError, match="data"):
        small(epochs=6).fit(X[10:] + 1, resume=True, **options)


# ---- refusals

TABLE = table()


def changed(index, value):
    X = TABLE.copy()
    X[index] = value
    return X


@pytest.mark.parametrize("estimator", [PCA(3), small()], ids=["pca", "autoencoder"])
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (TABLE[0], r"shape \(20,\); expected \(n, d\)"),
        (np.zeros((4, 1, 2, 2, 2, 2)), "expected"),
        (TABLE[:1], "at least 2 samples"),
        (TABLE[:0], "0 sample"),
        (TABLE[:2], "n_components = 3; expected a whole number from 1 to 2"),
        (TABLE[:, :2], "lesser of 60 samples and 2 features"),
        (np.full((5, 4), np.nan), "no measured value"),
        (changed(7, np.nan), "sample 7 holds no measured value"),
        (changed((7, 2), np.inf), "sample 7, value 2 is infinity"),
        (np.full((5, 4), 3.7), "constant"),
        (TABLE.astype(complex), "Complex"),
        (np.array([["a", "b"]] * 5), "numbers are needed"),
    ],
)
def test_fit_refuses(estimator, X, message):
    with pytest.raises(DataError, match=message):
        clone(estimator).fit(X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components = 0"),
        ({"n_components": 2.5}, "whole number"),
        ({"architecture": "recurrent"}, "'dense' or 'convolutional'"),
        ({"architecture": "convolutional", "hidden": ()}, "at least one layer"),
        ({"hidden": (8, 0)}, "width of at least 1"),
        ({"activation": "sine"}, "expected one of gelu"),
        ({"loss": "l1"}, "or one of squared"),
        ({"init": "zeros"}, "'pca' or 'random'"),
        ({"epochs": 0}, "epochs = 0"),
    ],
)
def test_parameters_refused(options, message):
    with pytest.raises(DataError, match=message):
        small(**options).fit(TABLE)


@pytest.mark.parametrize("weights", [np.ones(3), -np.ones(60), np.zeros(60), np.full(60, np.nan)])
def test_weights_refused(weights):
    with pytest.raises(DataError, match="sample_weight"):
        PCA(2).fit(TABLE, sample_weight=weights)


def test_use_refused(case):
    estimator, X = case
    with pytest.raises(ValueError, match="not fitted"):
        estimator.transform(X)
    estimator.fit(X)
    with pytest.raises(DataError, match="bring the data on the grid"):
        estimator.transform(X[..., :-1])
    with pytest.raises(DataError, match=r"expected \(n, 3\)"):
        estimator.inverse_transform(np.zeros((2, 4)))
    with pytest.raises(DataError, match="NaN"):
        estimator.inverse_transform(np.full((2, 3), np.nan))


def test_validation_and_solver_refused():
    with pytest.raises(DataError, match="validation samples have shape"):
        small().fit(TABLE, validation=TABLE[:, 1:])
    with pytest.raises(DataError, match="solver"):
        PCA(2, solver="magic").fit(TABLE)
    with pytest.raises(DataError, match="no validation data"):
        small().fit(TABLE, patience=2)


def test_files_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    PCA(2).fit(TABLE).save(path)
    with pytest.raises(WeightsError, match="holds a PCA, not a Autoencoder"):
        Autoencoder.load(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(WeightsError, match="cut short"):
        load(path)
    save_file({"components": torch.ones(2, 2)}, path)
    with pytest.raises(WeightsError, match="did not write it"):
        load(path)
    with pytest.raises(WeightsError, match="no weights file"):
        load(tmp_path / "none")


def test_principal_axes_of_missing_rank():
    """Data of rank 2 asked for 4 axes: the further ones are orthonormal and explain nothing."""
    X = table(rank=2, noise=0.0, dtype=np.float64)
    rows = as_rows(X)
    blocks = centred_blocks(rows, X.mean(0), np.ones(1), None)
    for solver in ("exact", "randomised"):
        axes = principal_axes(blocks, 60, 20, 4, solver=solver, seed=0, dtype=rows.dtype)
        assert_allclose(axes.components @ axes.components.T, np.eye(4), atol=1e-8)
        assert_allclose(axes.squares[2:], 0, atol=1e-8)
