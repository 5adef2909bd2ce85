"""Autoencoders by their textbook names: `Autoencoder` with a penalty or corruption of few parameters.

Each is `Autoencoder` under another signature, so that a table, a search or a reader meets the usual words. Whatever is
missing here is a parameter there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from inscape.autoencoders.autoencoder import Autoencoder
from inscape.autoencoders.corruptions import Corruption, Masking
from inscape.autoencoders.generation import elbo, sample
from inscape.autoencoders.losses import Loss
from inscape.autoencoders.penalties import Contractive, Penalty, Tied, TopK, UnitNorm, Variational
from inscape.autoencoders.rows import Floats

Seed = int | np.random.RandomState | None


class SparseAutoencoder(Autoencoder):
    """Many elements, of which at most ``active`` are not 0 for a sample: `TopK` with `UnitNorm` atoms.

    Parameters
    ----------
    n_components, active
        Elements in all, and at most active at a time. ``active`` is cut to ``n_components``.
    hidden
        Widths of the encoder's hidden layers; none, as a dictionary has it, unless given.
    learning_rate, batch_size, epochs, random_state
        As in `Autoencoder`.
    """

    def __init__(
        self,
        n_components: int = 128,
        *,
        active: int = 8,
        hidden: Sequence[int] = (),
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        epochs: int = 100,
        random_state: Seed = None,
    ) -> None:
        super().__init__(
            n_components, hidden=hidden, learning_rate=learning_rate, batch_size=batch_size, epochs=epochs,
            random_state=random_state,
        )  # fmt: skip
        self.active = active

    def _penalties(self) -> tuple[Penalty, ...]:
        return TopK(min(self.active, int(self.n_components or 1))), UnitNorm()


class DenoisingAutoencoder(Autoencoder):
    """Sees corrupted samples and learns to give back clean ones; half of the values masked unless told otherwise.

    Parameters
    ----------
    corruption
        A `Corruption` or several; None: ``Masking(0.5)``.
    n_components, architecture, hidden, loss, learning_rate, batch_size, epochs, random_state
        As in `Autoencoder`.
    """

    def __init__(
        self,
        n_components: int = 64,
        *,
        corruption: Corruption | Sequence[Corruption] | None = None,
        architecture: str = "dense",
        hidden: Sequence[int] | None = None,
        loss: str | Loss = "squared",
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        epochs: int = 100,
        random_state: Seed = None,
    ) -> None:
        super().__init__(
            n_components, corruption=corruption, architecture=architecture, hidden=hidden, loss=loss,
            learning_rate=learning_rate, batch_size=batch_size, epochs=epochs, random_state=random_state,
        )  # fmt: skip

    def _corruptions(self) -> tuple[Corruption, ...]:
        return super()._corruptions() or (Masking(0.5),)


class ContractiveAutoencoder(Autoencoder):
    """Its code hardly moves when a sample does: `Contractive` of a weight, with `Tied` matrices.

    Parameters
    ----------
    weight
        Of the squared norm of the encoder's derivatives.
    n_components, hidden, activation, learning_rate, batch_size, epochs, random_state
        As in `Autoencoder`.
    """

    def __init__(
        self,
        n_components: int = 16,
        *,
        weight: float = 0.1,
        hidden: Sequence[int] | None = None,
        activation: str = "gelu",
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        epochs: int = 100,
        random_state: Seed = None,
    ) -> None:
        super().__init__(
            n_components, hidden=hidden, activation=activation, learning_rate=learning_rate, batch_size=batch_size,
            epochs=epochs, random_state=random_state,
        )  # fmt: skip
        self.weight = weight

    def _penalties(self) -> tuple[Penalty, ...]:
        return Contractive(self.weight), Tied()


class VariationalAutoencoder(Autoencoder):
    """A code is a normal distribution near the standard one, so that random codes decode to new samples.

    Parameters
    ----------
    beta, warm_up
        Weight of the divergence, and the share of the training over which it rises from 0.
    loss
        A likelihood: "gaussian", "bernoulli", "poisson" or a `Loss`. Note that the standard deviation of
        ``GaussianLikelihood`` is in the unit of the data.
    n_components, architecture, hidden, learning_rate, batch_size, epochs, random_state
        As in `Autoencoder`.
    """

    def __init__(
        self,
        n_components: int = 16,
        *,
        beta: float = 1.0,
        warm_up: float = 0.1,
        loss: str | Loss = "gaussian",
        architecture: str = "dense",
        hidden: Sequence[int] | None = None,
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        epochs: int = 100,
        random_state: Seed = None,
    ) -> None:
        super().__init__(
            n_components, loss=loss, architecture=architecture, hidden=hidden, learning_rate=learning_rate,
            batch_size=batch_size, epochs=epochs, random_state=random_state,
        )  # fmt: skip
        self.beta = beta
        self.warm_up = warm_up

    def _penalties(self) -> tuple[Penalty, ...]:
        return (Variational(self.beta, self.warm_up),)

    def sample(self, n: int, *, random_state: int = 0) -> Floats:
        """New samples, as `inscape.autoencoders.sample` draws them."""
        return sample(self, n, random_state=random_state)

    def elbo(self, X: ArrayLike, *, draws: int = 1, random_state: int = 0) -> Floats:
        """Lower bound of the log-probability of each sample, as `inscape.autoencoders.elbo` gives it."""
        return elbo(self, X, draws=draws, random_state=random_state)
