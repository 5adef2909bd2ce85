"""Penalties: each against its definition, finite differences or the exact Jacobian; sparse codes are sparse."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from inscape.autoencoders import Autoencoder, ContractiveAutoencoder, SparseAutoencoder, elbo, sample
from inscape.autoencoders.criterion import Criterion
from inscape.autoencoders.losses import GaussianLikelihood, Squared
from inscape.autoencoders.networks import Bottleneck, build
from inscape.autoencoders.penalties import (
    L1,
    Activity,
    BatchTopK,
    Contractive,
    JumpReLU,
    Lifetime,
    Matryoshka,
    Orthogonal,
    Penalty,
    Tied,
    TopK,
    UnitNorm,
    Variational,
    sparsity,
)
from inscape.autoencoders.penalties.base import bottleneck_of
from inscape.autoencoders.penalties.contractive import jacobian_norm
from inscape.autoencoders.penalties.decoders import atoms_of
from inscape.autoencoders.penalties.variational import divergence
from inscape.errors import DataError

torch.set_num_threads(1)

SIZE, K = 7, 4


def network_of(*penalties, hidden=(5,), activation="tanh", k=K, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build("dense", (SIZE,), bottleneck_of(penalties, k), hidden, activation, linear=False)
        for penalty in penalties:
            penalty.constrain(network)
    return network.double()


def rows(m=6, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((m, SIZE)))


def added(penalty, network, values, weights=None):
    """What a penalty adds to the loss."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole = Criterion(Squared(), (penalty,), (), (SIZE,))(network, (values, None, weights))
        torch.manual_seed(0)
        return whole - Criterion(Squared(), (), (), (SIZE,))(network, (values, None, weights))


SMOOTH = [
    Activity(0.3, 0.2),
    Contractive(0.5, None),
    Contractive(0.5, 2),
    Matryoshka((1, 3), 0.7),
    Orthogonal(0.4),
    Variational(0.8),
    Tied(),
    UnitNorm(),
]


@pytest.mark.parametrize("penalty", SMOOTH, ids=repr)
def test_gradient_against_finite_differences(penalty):
    network, values = network_of(penalty), rows()
    criterion = Criterion(Squared(), (penalty,), (), (SIZE,))

    def loss():
        torch.manual_seed(3)
        return criterion(network, (values, None, None))

    with torch.random.fork_rng():
        loss().backward()
        for parameter in network.parameters():
            place = tuple(int(i) for i in np.unravel_index(parameter.numel() // 2, parameter.shape))
            pair = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    parameter[place] += step
                    pair.append(loss().item())
                    parameter[place] -= step
            assert parameter.grad[place].item() == pytest.approx((pair[0] - pair[1]) / 2e-5, rel=1e-4, abs=1e-8)


# ---- contractive


@pytest.mark.parametrize(
    ("hidden", "penalty"), [((), Activity()), ((), L1()), ((5,), Activity()), ((6, 5), Penalty())], ids=str
)
def test_contractive_against_the_jacobian(hidden, penalty):
    """In one layer in closed form, in more with unit vectors: both equal the Jacobian's norm."""
    network, values = network_of(penalty, hidden=hidden), rows(3)
    jacobians = [torch.autograd.functional.jacobian(lambda x: network.encode(x[None])[0], row) for row in values]
    exact = [jacobian.square().sum() for jacobian in jacobians]
    for probes in (None, 1) if not hidden else (None,):
        assert_allclose(jacobian_norm(network, values, probes).detach(), torch.stack(exact), rtol=1e-10)


def test_contractive_estimate_is_right_in_the_mean():
    network, values = network_of(hidden=(6, 5)), rows(3)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        estimate = jacobian_norm(network, values, 3000)
        exact = jacobian_norm(network, values, None)
    assert_allclose(estimate, exact, rtol=0.05)
    assert not torch.equal(estimate, exact)


def test_contractive_with_a_linear_path():
    network = build("dense", (SIZE,), Bottleneck(K), (), "tanh", linear=True).double()
    network.axes.copy_(torch.linalg.qr(torch.randn(SIZE, K, dtype=torch.float64))[0].T)
    network.code_scale.fill_(2.0)
    matrix = network.encoder[0].weight + network.axes / 2
    assert_allclose(jacobian_norm(network, rows(2), 1).detach(), matrix.square().sum().detach().repeat(2), rtol=1e-10)


def test_contraction_contracts():
    X = rows(80).numpy()
    options = {"hidden": (6,), "epochs": 15, "learning_rate": 0.02, "batch_size": 20, "random_state": 0}
    loose, tight = (ContractiveAutoencoder(2, weight=weight, **options).fit(X) for weight in (1e-6, 1.0))
    s = loose.network_.standardise(torch.from_numpy(X))
    assert jacobian_norm(tight.network_, s, None).mean() < 0.5 * jacobian_norm(loose.network_, s, None).mean()


# ---- sparsity


def test_definitions():
    numbers = torch.tensor([[3.0, -1.0, 2.0, 0.5], [-1.0, -2.0, -3.0, 0.1]], dtype=torch.float64)
    assert TopK(2).bottleneck(4)(numbers).tolist() == [[3, 0, 2, 0], [0, 0, 0, 0.1]]
    assert L1().bottleneck(4)(numbers).tolist() == [[3, 0, 2, 0.5], [0, 0, 0, 0.1]]
    jump = JumpReLU(threshold=0.3, width=0.5).bottleneck(4).double()
    assert jump(numbers).tolist() == [[3, 0, 2, 0.5], [0, 0, 0, 0]]
    assert jump.count(numbers).tolist() == [3, 0]
    batch = BatchTopK(2).bottleneck(4)
    assert batch.draw(numbers).tolist() == [[3, 0, 2, 0.5], [0, 0, 0, 0.1]]  # 4 of the batch of 2
    assert batch.threshold == pytest.approx(0.1)
    assert batch.eval()(numbers).tolist() == [[3, 0, 2, 0.5], [0, 0, 0, 0]]
    life = Lifetime(0.5).bottleneck(4)
    assert life.draw(numbers).tolist() == [[3, 0, 2, 0.5], [0, 0, 0, 0]]  # one of the batch of 2 for each element
    assert life.threshold.tolist() == [3, 0, 2, 0.5]
    assert life.eval()(2 * numbers).tolist() == [[6, 0, 4, 1], [0, 0, 0, 0]]


def test_costs():
    values = rows()
    network = network_of(L1())
    code = network.encode(network.standardise(values))
    assert added(L1(0.5), network, values).item() == pytest.approx(0.5 * code.abs().sum(1).mean().item() / SIZE)
    network = network_of(Activity())
    mean = network.encode(network.standardise(values)).mean(0).detach().numpy()
    kl = (0.1 * np.log(0.1 / mean) + 0.9 * np.log(0.9 / (1 - mean))).sum()
    assert added(Activity(2.0, 0.1), network, values).item() == pytest.approx(2 * kl / SIZE)
    assert kl > 0
    network = network_of(JumpReLU())
    active = (network.encode(network.standardise(values)) > 0).sum(1).double().mean().item()
    assert added(JumpReLU(0.5), network, values).item() == pytest.approx(0.5 * active / SIZE)


def test_jump_relu_moves_its_thresholds_as_published():
    """Equations 11 and 12 of Rajamanoharan et al.: pseudo-derivatives from numbers within half a width."""
    jump = JumpReLU(threshold=0.5, width=0.2).bottleneck(1).double()
    z = torch.tensor([[0.55], [0.45], [0.7], [0.2]], dtype=torch.float64, requires_grad=True)
    jump(z).sum().backward()
    assert z.grad[:, 0].tolist() == [1, 0, 1, 0]
    by_code = -2 * 0.5 / 0.2  # two numbers near, θ/ε each
    assert jump.log_threshold.grad.item() == pytest.approx(by_code * 0.5)  # dθ/d log θ = θ
    jump.zero_grad()
    jump.count(z).sum().backward()
    assert jump.log_threshold.grad.item() == pytest.approx(-2 / 0.2 * 0.5)


def sparse_table(n=400, d=12, atoms=6, seed=0):
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((atoms, d))
    codes = rng.uniform(1, 2, (n, atoms)) * (rng.random((n, atoms)) < 1.5 / atoms)
    return (codes @ directions + 0.01 * rng.standard_normal((n, d))).astype(np.float32)


@pytest.mark.parametrize("penalty", [TopK(2), BatchTopK(2)], ids=repr)
def test_so_many_elements_are_active(penalty):
    X = sparse_table()
    model = Autoencoder(10, hidden=(), penalty=penalty, epochs=10, learning_rate=0.01, random_state=0).fit(X)
    active = (model.transform(X) != 0).sum(axis=1)
    assert (model.transform(X) >= 0).all()
    assert active.max() <= 2 if type(penalty) is TopK else 1 < active.mean() < 3
    assert_allclose(model.activity_, (model.transform(X) != 0).mean(axis=0))


def test_each_element_is_active_for_its_share_of_samples():
    X = sparse_table(n=1000)
    penalty = (Lifetime(0.2), UnitNorm())
    model = Autoencoder(10, hidden=(), penalty=penalty, epochs=20, learning_rate=0.01, random_state=0).fit(X)
    assert_allclose(model.activity_, 0.2, atol=0.06)
    assert (model.transform(X) >= 0).all()


def test_dead_elements_come_back(monkeypatch):
    monkeypatch.setattr(sparsity, "IDLE_SAMPLES", 400)
    X = sparse_table(atoms=30)

    def dead(revive):
        model = Autoencoder(
            40, hidden=(), penalty=(TopK(2, revive), UnitNorm()), epochs=40, batch_size=50, learning_rate=0.01,
            weight_decay=0.0, random_state=0,
        ).fit(X)  # fmt: skip
        return np.mean(model.activity_ == 0), model.score(X)

    (without, worse), (revived, better) = dead(0.0), dead(0.3)
    assert without > 0.3
    assert revived < 0.7 * without
    assert better > worse


def test_heavier_penalties_make_sparser_codes():
    X = sparse_table()
    options = {"hidden": (), "epochs": 20, "batch_size": 20, "learning_rate": 0.01, "random_state": 0}
    for pair in ((L1(1e-4), L1(1.0)), (JumpReLU(1e-4, width=0.5), JumpReLU(3.0, width=0.5))):
        light, heavy = (Autoencoder(10, penalty=(penalty, UnitNorm()), **options).fit(X) for penalty in pair)
        assert heavy.activity_.mean() < 0.8 * light.activity_.mean()


def test_matryoshka_orders_the_code():
    X = rows(200).numpy() * np.arange(SIZE, 0, -1)
    options = {"hidden": (), "init": "random", "epochs": 60, "learning_rate": 0.03, "random_state": 0}

    def first_two(penalty):
        model = Autoencoder(4, penalty=penalty, **options).fit(X)
        codes = model.transform(X)
        codes[:, 2:] = 0
        return np.square(model.inverse_transform(codes) - X).sum() / np.square(X - X.mean(0)).sum()

    squares = np.linalg.svd(X - X.mean(0))[1] ** 2
    by_pca = 1 - squares[:2].sum() / squares.sum()
    assert first_two(Matryoshka((2,))) < 1.1 * by_pca < first_two(None)


# ---- decoders


def test_tied_and_unit_norm():
    network = network_of(Tied(), hidden=(6, 5))
    for place, layer in ((0, 4), (2, 2), (4, 0)):
        assert torch.equal(network.decoder[place].columns(), network.encoder[layer].weight.T)
    assert not any("weight" in name for name, _ in network.decoder.named_parameters())
    network = network_of(UnitNorm())
    assert_allclose(atoms_of(network).detach().norm(dim=0), np.ones(K))
    X = sparse_table()
    model = SparseAutoencoder(10, active=2, epochs=3, random_state=0).fit(X)
    assert_allclose(atoms_of(model.network_).detach().norm(dim=0), np.ones(10), rtol=1e-5)
    tied = Autoencoder(3, penalty=Tied(), hidden=(4,), epochs=3, random_state=0).fit(X)
    assert torch.equal(tied.network_.decoder[2].columns(), tied.network_.encoder[0].weight.T)


def test_orthogonal_is_the_mean_squared_cosine():
    network = network_of(hidden=())
    atoms = network.decoder[0].weight.detach().numpy()
    cosines = (atoms / np.linalg.norm(atoms, axis=0)).T @ (atoms / np.linalg.norm(atoms, axis=0))
    expected = np.square(cosines[~np.eye(K, dtype=bool)]).mean()
    assert added(Orthogonal(0.5), network, rows()).item() == pytest.approx(0.5 * expected)


# ---- variational


def test_divergence_is_that_of_normal_distributions():
    numbers = torch.tensor([[0.5, -1.0, 0.2, -0.7]], dtype=torch.float64)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(numbers[:, :2], (0.5 * numbers[:, 2:]).exp()), normal(torch.zeros(2).double(), torch.ones(2).double())
    )
    assert_allclose(divergence(numbers), expected)
    network, values = network_of(Variational()), rows()
    kl = divergence(network.numbers(network.standardise(values))).sum(1).mean().item()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole, half = (
            Criterion(Squared(), (Variational(beta, warm_up),), (), (SIZE,))
            for beta, warm_up in ((2.0, 0.0), (2.0, 0.8))
        )
        half.progress(0.4)
        torch.manual_seed(0)
        difference = whole(network, (values, None, None))
        torch.manual_seed(0)
        difference = difference - half(network, (values, None, None))
    assert difference.item() == pytest.approx(1.0 * kl / SIZE)


def test_elbo_is_a_bound_that_a_linear_model_reaches():
    """Of a linear-Gaussian model log p(x) is known: the bound lies below, and close once it is trained."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 1)) @ np.array([[2.0, -1.0, 1.5]]) + 0.5 * rng.standard_normal((500, 3))
    model = Autoencoder(
        1, hidden=(), activation="linear", loss=GaussianLikelihood(0.5), penalty=Variational(), weight_decay=0.0,
        learning_rate=0.02, batch_size=100, epochs=120, random_state=0,
    ).fit(X)  # fmt: skip
    atoms = (model.network_.decoder[0].weight * model.network_.scale[:, None]).detach().numpy()
    centre = model.inverse_transform(np.zeros((1, 1)))[0]
    covariance = atoms @ atoms.T + 0.25 * np.eye(3)
    difference = X - centre
    exact = -0.5 * (
        np.einsum("ij,jk,ik->i", difference, np.linalg.inv(covariance), difference)
        + np.linalg.slogdet(2 * np.pi * covariance)[1]
    )
    bound = elbo(model, X, draws=50)
    assert bound.mean() < exact.mean()
    assert bound.mean() == pytest.approx(exact.mean(), abs=0.02)
    # half of the values unmeasured: they cost nothing
    gaps = X.copy()
    gaps[:, 2] = np.nan
    assert np.isfinite(elbo(model, gaps)).all()
    drawn = sample(model, 4000, random_state=1)
    assert_allclose(np.cov(drawn.T), atoms @ atoms.T, atol=0.25)
    assert_allclose(drawn[:5], sample(model, 5, random_state=1))


# ---- refusals

X = sparse_table(40)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": (TopK(2), L1())}, "TopK and L1 each decide"),
        ({"penalty": TopK(9)}, "k = 9 active elements of 4"),
        ({"penalty": "l1"}, "expected a Penalty"),
        ({"penalty": TopK(2), "init": "pca"}, "TopK cannot begin as PCA"),
        ({"penalty": (Tied(), UnitNorm())}, "not Tied"),
        ({"penalty": (Tied(), Variational())}, "no Variational"),
        ({"penalty": Tied(), "architecture": "convolutional"}, "'dense'"),
        ({"penalty": Matryoshka((5,))}, "sizes = "),
        ({"n_components": 13}, "whole number from 1 to 12"),
        ({"corruption": TopK(2)}, "expected a Corruption"),
    ],
)
def test_refused(options, message):
    with pytest.raises(DataError, match=message):
        Autoencoder(**{"n_components": 4, "hidden": (5,), "epochs": 1, "random_state": 0} | options).fit(X)


def test_generation_refused():
    plain = Autoencoder(2, hidden=(), epochs=1).fit(X)
    with pytest.raises(DataError, match="plain codes"):
        sample(plain, 3)
    with pytest.raises(DataError, match="no likelihood"):
        elbo(Autoencoder(2, hidden=(), epochs=1, penalty=Variational()).fit(X), X)


def test_more_elements_than_values_with_a_penalty():
    assert Autoencoder(30, hidden=(), penalty=TopK(3), epochs=1).fit(X).transform(X).shape == (40, 30)
    assert isinstance(Autoencoder(30, hidden=(), penalty=TopK(3), epochs=1).fit(X).network_.encoder[0], nn.Linear)
