"""Losses and outputs: against their definitions and other libraries; what lies under the mask never matters."""

import numpy as np
import pytest
import scipy.stats
import torch
from numpy.testing import assert_allclose

from inscape.autoencoders import Autoencoder
from inscape.autoencoders.losses import LOSSES, Cosine, GaussianLikelihood, Huber, Wasserstein, as_loss
from inscape.autoencoders.outputs import OUTPUTS
from inscape.autoencoders.parts import from_plain, to_plain
from inscape.autoencoders.penalties import L1, TopK
from inscape.errors import DataError, WeightsError
from inscape.metrics import wasserstein

torch.set_num_threads(1)

RNG = np.random.default_rng(0)
P, T = (torch.from_numpy(RNG.uniform(0.1, 0.9, (5, 12))) for _ in range(2))


def cost(loss, p=P, t=T, mask=None, shape=(12,)):
    return as_loss(loss)(p, t, mask, shape).numpy()


def test_likelihoods_are_probabilities():
    p, t = P.numpy(), T.numpy()
    assert_allclose(cost(GaussianLikelihood(0.3)), -scipy.stats.norm.logpdf(t, p, 0.3))
    counts = torch.from_numpy(RNG.poisson(3.0, (5, 12)).astype(float))
    assert_allclose(cost("poisson", 4 * P, counts), -scipy.stats.poisson.logpmf(counts.numpy(), 4 * p))
    assert_allclose(cost("bernoulli", P, (T > 0.5).double()), -scipy.stats.bernoulli.logpmf(t > 0.5, p), rtol=1e-6)


def test_huber_between_squared_and_absolute():
    assert_allclose(cost(Huber(10.0)), 0.5 * cost("squared"))
    far = cost(Huber(1e-3)) / 1e-3
    assert_allclose(far, cost("absolute"), atol=1e-3)


def test_wasserstein_is_that_distance():
    expected = wasserstein(P.numpy(), T.numpy(), np.arange(13.0))
    assert_allclose(cost("wasserstein").sum(axis=1), expected)
    maps = cost(Wasserstein(-2), P, T, shape=(1, 4, 3)).reshape(5, 4, 3).sum(axis=1)
    p, t = (x.numpy().reshape(5, 4, 3).transpose(0, 2, 1) for x in (P, T))
    assert_allclose(maps, wasserstein(p, t, np.arange(5.0)))


def test_cosine():
    p, t = P.numpy(), T.numpy()
    expected = 1 - (p * t).sum(1) / np.linalg.norm(p, axis=1) / np.linalg.norm(t, axis=1)
    assert_allclose(cost("cosine"), np.repeat(expected[:, None], 12, axis=1))
    assert_allclose(cost(Cosine(-1), 3 * P, P, shape=(2, 6)), 0, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_under_the_mask_matters(name):
    """Neither what was decoded nor what stands for the unmeasured value: no cost, no gradient."""
    mask = torch.from_numpy(RNG.random((5, 12)) < 0.7)
    true = T * mask
    found = []
    for fill in (0.2, 0.8):
        p = torch.where(mask, P, fill).requires_grad_()
        value = (as_loss(name)(p, true, mask, (12,)) * mask).sum()
        gradient = torch.autograd.grad(value, p)[0]
        assert torch.all(gradient[~mask] == 0)
        found.append((value.item(), gradient))
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])


def test_outputs_keep_their_promises():
    mean, scale = torch.from_numpy(RNG.uniform(0.2, 0.8, 12)), torch.full((12,), 0.3).double()
    s = 5 * torch.from_numpy(RNG.standard_normal((6, 12)))
    for name, output in OUTPUTS.items():
        assert_allclose(output(torch.zeros(1, 12).double(), mean, scale)[0], mean, rtol=1e-6, err_msg=name)
    assert (OUTPUTS["nonnegative"](s, mean, scale) >= 0).all()
    probability = OUTPUTS["probability"](s, mean, scale)
    assert ((probability >= 0) & (probability <= 1)).all()
    area = OUTPUTS["area"](s, mean, scale)
    assert (area >= 0).all()
    assert_allclose(area.sum(1), mean.sum().expand(6))


def spectra(n=80, d=24):
    rng = np.random.default_rng(0)
    centres = rng.uniform(5, 18, n)[:, None]
    X = np.exp(-0.5 * ((np.arange(d) - centres) / 1.5) ** 2)
    return (X / X.sum(1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("loss", ["squared", "wasserstein", "cosine"])
def test_decoded_spectra_keep_their_area(loss):
    X = spectra()
    model = Autoencoder(2, hidden=(16,), loss=loss, output="area", epochs=30, learning_rate=0.01, random_state=0).fit(X)
    decoded = model.inverse_transform(model.transform(X))
    assert_allclose(decoded.sum(1), 1, rtol=1e-4)
    assert decoded.min() >= 0
    assert wasserstein(decoded, X, np.arange(25.0)).mean() < wasserstein(
        np.broadcast_to(X.mean(0), X.shape), X, np.arange(25.0)
    ).mean()  # fmt: skip


def test_counts_are_decoded_as_rates():
    X = np.random.default_rng(0).poisson(200 * spectra())
    model = Autoencoder(3, hidden=(32,), loss="poisson", epochs=60, learning_rate=0.01, random_state=0).fit(X)
    decoded = model.inverse_transform(model.transform(X))
    assert decoded.min() >= 0
    assert np.abs(decoded - 200 * spectra()).mean() < np.abs(X.mean(0) - 200 * spectra()).mean()


def test_parts_through_a_file():
    parts = (TopK(3), L1(0.5), Huber(2.0))
    assert from_plain(to_plain(parts)) == list(parts)
    assert from_plain(to_plain("squared")) == "squared"
    with pytest.raises(WeightsError, match="import the module"):
        from_plain({"class": "Mine", "k": 3})


@pytest.mark.parametrize(
    ("options", "X", "message"),
    [
        ({"loss": "poisson"}, spectra() - 0.1, "values from 0"),
        ({"loss": "bernoulli"}, 20 * spectra(), "values from 0 to 1"),
        ({"loss": "wasserstein"}, spectra() - 0.1, "rescale"),
        ({"loss": Wasserstein(2)}, spectra(), "axis = 2"),
        ({"output": "area"}, spectra() * np.linspace(1, 2, 80, dtype=np.float32)[:, None], "divide each sample"),
        ({"output": "area"}, np.where(spectra() > 0.2, np.nan, spectra()), "complete"),
        ({"output": "positive"}, spectra(), "expected one of linear"),
    ],
)
def test_refused(options, X, message):
    with pytest.raises(DataError, match=message):
        Autoencoder(2, hidden=(4,), epochs=1, **options).fit(X)
