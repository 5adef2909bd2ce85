"""Variational autoencoders as models of probability: new samples, and a bound for the probability of given ones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from inscape.autoencoders.autoencoder import Autoencoder
from inscape.autoencoders.losses import BernoulliLikelihood, GaussianLikelihood, PoissonLikelihood, as_loss
from inscape.autoencoders.penalties.variational import NormalBottleneck, divergence
from inscape.autoencoders.rows import Floats, check_values
from inscape.errors import DataError


def sample(model: Autoencoder, n: int, *, random_state: int = 0) -> Floats:
    """``n`` new samples, shape (n, *shape): the means that random codes decode to.

    Raises
    ------
    DataError
        The codes of this autoencoder are no random variables.
    """
    _check(model)
    codes = np.random.default_rng(random_state).standard_normal((n, model._n_features_out))
    return model.inverse_transform(codes)


def elbo(model: Autoencoder, X: ArrayLike, *, draws: int = 1, random_state: int = 0) -> Floats:
    """Evidence lower bound of each sample, shape (n,), nats: E log p(x|code) − KL(q(code|x) ‖ N(0, 1)).

    It never exceeds log p(x), in expectation over the ``draws`` of a code. Unmeasured values are left out.

    References
    ----------
    D. P. Kingma and M. Welling, arXiv:1312.6114 (2013), equation 3.

    Raises
    ------
    DataError
        The codes are no random variables, or the loss is no likelihood.
    """
    _check(model)
    loss = as_loss(model.loss)
    if not isinstance(loss, GaussianLikelihood | BernoulliLikelihood | PoissonLikelihood):
        raise DataError(f"loss = {model.loss!r} is no likelihood: take 'gaussian', 'bernoulli' or 'poisson'")
    rows, network = model._rows(X), model.network_
    found = np.empty(len(rows))
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state)
        for block in rows.slices():
            values = torch.from_numpy(rows.take(block))
            mask = torch.from_numpy(check_values(values.numpy(), first=block.start))
            numbers = network.numbers(network.standardise(values))
            true = torch.nan_to_num(values, nan=0.0)
            cost = torch.zeros(len(values), dtype=torch.float64)
            for _ in range(draws):
                decoded = network.restore(network.decode(network.bottleneck.draw(numbers)))
                cost += (loss(decoded, true, mask, model.shape_) * mask).sum(dim=1) / draws
            found[block] = -(cost + divergence(numbers).sum(dim=1)).numpy()
    return found


def _check(model: Autoencoder) -> None:
    check_is_fitted(model)
    if not isinstance(model.network_.bottleneck, NormalBottleneck):
        raise DataError(f"{model!r} has plain codes, with no probability: fit one with penalty = Variational()")
