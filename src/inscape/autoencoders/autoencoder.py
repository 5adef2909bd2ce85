"""The undercomplete autoencoder: a code shorter than the data, found by minimising the error of reconstruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from inscape.autoencoders.base import BaseAutoencoder
from inscape.autoencoders.losses import LOSSES, masked_mean
from inscape.autoencoders.networks import Network, build
from inscape.autoencoders.pca import centred_blocks, principal_axes
from inscape.autoencoders.rows import Floats, Indices, Rows, Statistics, as_rows, check_values
from inscape.errors import DataError
from inscape.training import Batches, fit_network

ENCODE_ROWS = 1024
"""Rows that go through the network at once outside training."""


class Autoencoder(BaseAutoencoder):
    """Undercomplete autoencoder: ``decode(encode(x))`` close to ``x`` through ``n_components`` numbers.

    Parameters
    ----------
    n_components
        Length of the code.
    architecture
        "dense": perceptrons on all values of a sample; "convolutional": strided convolutions over the axes after the
        channels, one, two or three; data of shape (n, d) are one channel of length d.
    hidden
        Widths of the encoder's layers (channels, if convolutional); the decoder mirrors them. None: (512, 128) dense,
        (16, 32, 64) convolutional.
    activation
        "gelu", "relu", "silu", "tanh"; with "linear" the best that can be found is PCA.
    loss
        "squared", "absolute" or "huber", on standardised values.
    init
        "pca": the network begins as PCA of the same code length and learns what PCA misses, through a fixed linear
        path along the principal axes beside encoder and decoder (with ``validation`` it cannot end worse there than
        PCA); "random": no such path.
    standardise
        Divide each feature by its own standard deviation, so that all weigh the same; otherwise all by one number.
    weight_decay, learning_rate, batch_size, epochs
        Of the training: decoupled decay, peak rate, samples in a step, passes over the data.
    random_state
        Seed of initial weights and order of samples: the same seed gives the same bits on one machine, thread count
        and torch version.

    Attributes
    ----------
    network_
        The trained `Network`.
    history_
        One `inscape.training.Epoch` an epoch.

    References
    ----------
    G. E. Hinton and R. R. Salakhutdinov, Science 313, 504 (2006).
    """

    def __init__(
        self,
        n_components: int = 16,
        *,
        architecture: str = "dense",
        hidden: Sequence[int] | None = None,
        activation: str = "gelu",
        loss: str = "squared",
        init: str = "pca",
        standardise: bool = False,
        weight_decay: float = 1e-4,
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        epochs: int = 100,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.architecture = architecture
        self.hidden = hidden
        self.activation = activation
        self.loss = loss
        self.init = init
        self.standardise = standardise
        self.weight_decay = weight_decay
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        validation: ArrayLike | None = None,
        patience: int | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        progress: bool = False,
        max_minutes: float | None = None,
        device: str | torch.device = "cpu",
    ) -> Self:
        """Train on ``X``, shape (n, d) or (n, channels, height[, width[, depth]]); ``y`` is ignored.

        Parameters
        ----------
        X
            Array or memory map, never copied whole; NaN = not measured.
        sample_weight
            What each sample counts in the loss, shape (n,).
        validation
            Further samples; the weights of the epoch that does best on them are kept.
        patience
            Epochs without a better validation loss after which training stops.
        checkpoint, resume, progress, max_minutes
            As in `inscape.training.fit_network`.
        device
            Where to train; the fitted network is on the CPU.
        """
        self._check_names()
        rows, weights, found = self._begin(X, sample_weight)
        held_out = None if validation is None else self._rows_like(validation, rows)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed_)
            network = self._new_network()
        self._prepare(network, rows, weights, found)
        self.history_ = fit_network(
            network.to(device),
            self._loss(),
            batches(rows, weights, complete=found.complete, digest=found.digest),
            validation=None if held_out is None else batches(held_out, None, complete=False),
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=patience,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
            random_state=self.seed_,
            max_minutes=max_minutes,
        )
        self.network_ = network.cpu()
        return self

    def _check_names(self) -> None:
        if self.loss not in LOSSES:
            raise DataError(f"loss = {self.loss!r}; expected one of {', '.join(LOSSES)}")
        if self.init not in ("pca", "random"):
            raise DataError(f"init = {self.init!r}; expected 'pca' or 'random'")

    def _rows_like(self, validation: ArrayLike, rows: Rows) -> Rows:
        held_out = as_rows(validation, name="validation", dtype=rows.dtype)
        if held_out.shape != rows.shape:
            raise DataError(f"validation samples have shape {held_out.shape}; expected that of X, {rows.shape}")
        for block in held_out.slices():
            check_values(held_out.take(block), first=block.start)
        return held_out

    def _new_network(self) -> Network:
        network = build(
            self.architecture,
            self.shape_,
            self._n_features_out,
            self.hidden,
            self.activation,
            linear=self.init == "pca",
        )
        return network.to(getattr(torch, self.dtype_.name))

    def _prepare(self, network: Network, rows: Rows, weights: Floats | None, found: Statistics) -> None:
        """Fill in what is found without gradients: mean, scale, principal axes."""
        common = float(np.sqrt(found.variance[found.measured].mean()))
        scale = np.full(rows.size, common)
        if self.standardise:
            scale = np.sqrt(found.variance)
            scale[scale <= 1e-6 * common] = common  # a feature that hardly varies is not blown up
        network.mean.copy_(torch.from_numpy(found.mean))
        network.scale.copy_(torch.from_numpy(scale))
        if self.init == "pca":
            n, k = len(rows), self._n_features_out
            blocks = centred_blocks(rows, found.mean, scale, weights)
            axes = principal_axes(blocks, n, rows.size, k, solver="auto", seed=self.seed_, dtype=rows.dtype)
            network.axes.copy_(torch.from_numpy(axes.components.copy()))
            network.code_scale.fill_(float(np.sqrt(axes.squares.mean() / n)))
            network.start_at_zero()

    def _loss(self) -> Any:
        cost = LOSSES[self.loss]

        def loss(network: nn.Module, batch: tuple[Tensor, Tensor | None, Tensor | None]) -> Tensor:
            values, mask, weights = batch
            assert isinstance(network, Network)
            true = network.standardise(values)
            return masked_mean(cost(network(true), true), mask, weights)

        return loss

    def _encode(self, rows: Floats) -> Floats:
        return self._through(rows, lambda values: self.network_.encode(self.network_.standardise(values)))

    def _decode(self, codes: Floats) -> Floats:
        return self._through(codes, lambda values: self.network_.restore(self.network_.decode(values)))

    def _through(self, values: Floats, function: Any) -> Floats:
        with torch.inference_mode():
            parts = [
                function(torch.from_numpy(values[i : i + ENCODE_ROWS])).numpy()
                for i in range(0, len(values), ENCODE_ROWS)
            ]
        found: Floats = np.concatenate(parts)
        return found

    def _state(self) -> Mapping[str, Tensor]:
        state: dict[str, Tensor] = self.network_.state_dict()
        return state

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.history_ = []
        self.network_ = self._new_network()
        self.network_.load_state_dict(tensors)
        self.network_.eval()


def batches(rows: Rows, weights: Floats | None, *, complete: bool, digest: str = "") -> Batches:
    """Batches of (values with NaN, mask or None, weights or None) as tensors; read in the order they lie on disk."""

    def batch(indices: Indices) -> tuple[Tensor, Tensor | None, Tensor | None]:
        indices = np.sort(indices)
        values = torch.from_numpy(rows.take(indices))
        mask = None if complete else ~torch.isnan(values)
        return values, mask, None if weights is None else torch.from_numpy(weights[indices])

    return Batches(len(rows), batch, digest)
