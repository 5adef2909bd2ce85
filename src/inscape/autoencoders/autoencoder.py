"""The autoencoder: a code from which the data can be decoded, found by making the error of reconstruction small."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from inscape.autoencoders.base import BaseAutoencoder
from inscape.autoencoders.corruptions import Corruption, check_counts
from inscape.autoencoders.criterion import Criterion
from inscape.autoencoders.losses import Loss, as_loss
from inscape.autoencoders.networks import Network, build
from inscape.autoencoders.parts import as_parts
from inscape.autoencoders.pca import centred_blocks, principal_axes
from inscape.autoencoders.penalties.base import Penalty, bottleneck_of
from inscape.autoencoders.rows import Floats, Indices, Rows, Statistics, as_rows, check_values
from inscape.errors import DataError
from inscape.training import Batches, Epoch, fit_network

ENCODE_ROWS = 1024
"""Rows that go through the network at once outside training."""


class Autoencoder(BaseAutoencoder):
    """``decode(encode(x))`` close to ``x`` through ``n_components`` numbers; what else is asked of them is a parameter.

    Without penalty and corruption it is the undercomplete autoencoder. Penalties make codes sparse, variational,
    contractive; a corruption makes it a denoising one; they combine freely.

    Parameters
    ----------
    n_components
        Length of the code; more than a sample has values only with a penalty or a corruption.
    architecture
        "dense": perceptrons on all values of a sample; "convolutional": strided convolutions over the axes after the
        channels, one, two or three; data of shape (n, d) are one channel of length d. Or a pair of torch modules,
        (m, \\*shape) to (m, n_components) and back, of which copies are trained.
    hidden
        Widths of the encoder's layers (channels, if convolutional); the decoder mirrors them. None: (512, 128) dense,
        (16, 32, 64) convolutional.
    activation
        "gelu", "relu", "silu", "tanh"; with "linear" the best that can be found is PCA.
    loss
        A `Loss` of `inscape.autoencoders.losses`, or its name: "squared", "absolute", "huber", on standardised values;
        "wasserstein" and "cosine" along an axis; the likelihoods "gaussian", "bernoulli", "poisson".
    penalty
        A `Penalty` of `inscape.autoencoders.penalties`, or several in a tuple.
    corruption
        A `Corruption` of `inscape.autoencoders.corruptions`, or several in a tuple, applied in turn to what is encoded
        in training; what is to be decoded stays clean.
    output
        How decoded numbers become data: "linear"; "nonnegative"; "probability", between 0 and 1; "area", not negative
        and with the sum that all training samples have. None: what suits the loss.
    init
        "pca": the network begins as PCA of the same code length and learns what PCA misses, through a fixed linear
        path along the principal axes beside encoder and decoder (with ``validation`` it cannot end worse there than
        PCA); "random": no such path; "auto": "pca" unless a penalty or the code's length rules it out.
    standardise
        Divide each feature by its own standard deviation, so that all weigh the same; otherwise all by one number.
    weight_decay, learning_rate, batch_size, epochs
        Of the training: decoupled decay, peak rate, samples in a step, passes over the data.
    random_state
        Seed of initial weights, corruptions and order of samples: the same seed gives the same bits on one machine,
        thread count and torch version.

    Attributes
    ----------
    network_
        The trained `Network`.
    history_
        One `inscape.training.Epoch` an epoch.
    activity_
        Under a sparse penalty, the share of training samples for which each element of the code is active, shape
        (n_components,); 0 for dead ones. Otherwise None.

    References
    ----------
    G. E. Hinton and R. R. Salakhutdinov, Science 313, 504 (2006).
    I. Goodfellow, Y. Bengio and A. Courville, Deep Learning (MIT Press, 2016), chapter 14.
    """

    def __init__(
        self,
        n_components: int = 16,
        *,
        architecture: str | tuple[nn.Module, nn.Module] = "dense",
        hidden: Sequence[int] | None = None,
        activation: str = "gelu",
        loss: str | Loss = "squared",
        penalty: Penalty | Sequence[Penalty] | None = None,
        corruption: Corruption | Sequence[Corruption] | None = None,
        output: str | None = None,
        init: str = "auto",
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
        self.penalty = penalty
        self.corruption = corruption
        self.output = output
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
        precision: str = "float32",
        device: str | torch.device = "cpu",
        devices: int = 1,
        num_nodes: int = 1,
        strategy: str = "auto",
        report: Callable[[Epoch], None] | None = None,
    ) -> Self:
        """Train on ``X``, shape (n, d) or (n, channels, height[, width[, depth]]); ``y`` is ignored.

        Parameters
        ----------
        X
            Array or memory map, never copied whole; NaN = not measured.
        sample_weight
            What each sample counts in the error of reconstruction, shape (n,).
        validation
            Further samples; the weights of the epoch that does best on them are kept.
        patience
            Epochs without a better validation loss after which training stops.
        checkpoint, resume, progress, max_minutes, precision, devices, num_nodes, strategy, report
            As in `inscape.training.fit_network`.
        device
            Where to train; the fitted network is on the CPU.
        """
        rows, weights, found = self._begin(X, sample_weight)
        criterion = self._criterion(rows.shape)
        self._check_data(criterion, rows, found)
        held_out = None if validation is None else self._rows_like(validation, rows)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed_)
            network = self._new_network()
        self._prepare(network, rows, weights, found)
        self.history_ = fit_network(
            network.to(device),
            criterion,
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
            precision=precision,
            devices=devices,
            num_nodes=num_nodes,
            strategy=strategy,
            on_step=criterion.progress,
            report=report,
        )
        self.network_ = network.cpu()
        self.activity_ = self._activity(rows) if any(p.sparse for p in criterion.penalties) else None
        return self

    # ----------------------------------------------------------------- what the parameters mean; named kinds change it

    def _penalties(self) -> tuple[Penalty, ...]:
        return as_parts(self.penalty, Penalty, "penalty")

    def _corruptions(self) -> tuple[Corruption, ...]:
        return as_parts(self.corruption, Corruption, "corruption")

    def _criterion(self, shape: tuple[int, ...]) -> Criterion:
        return Criterion(as_loss(self.loss), self._penalties(), self._corruptions(), shape)

    def _limit(self, n_samples: int, size: int) -> int | None:
        return None if self._penalties() or self._corruptions() else min(n_samples, size)

    def _linear(self) -> bool:
        """Whether the network begins as PCA."""
        if self.init not in ("auto", "pca", "random"):
            raise DataError(f"init = {self.init!r}; expected 'auto', 'pca' or 'random'")
        against = [type(p).__name__ for p in self._penalties() if not p.from_pca]
        if self._n_features_out > min(self.n_samples_, self.n_features_in_):
            against.append("a code longer than samples have values, or than there are samples,")
        if self.init == "pca" and against:
            raise DataError(f"init = 'pca', but {' and '.join(against)} cannot begin as PCA: take 'auto' or 'random'")
        return self.init != "random" and not against

    def _new_network(self) -> Network:
        penalties = self._penalties()
        network = build(
            self.architecture,
            self.shape_,
            bottleneck_of(penalties, self._n_features_out),
            self.hidden,
            self.activation,
            linear=self._linear(),
            output=self.output or as_loss(self.loss).output,
        )
        for penalty in penalties:
            penalty.constrain(network)
        return network.to(getattr(torch, self.dtype_.name))

    # ------------------------------------------------------------------------------------------------ before training

    def _check_data(self, criterion: Criterion, rows: Rows, found: Statistics) -> None:
        """Refuse data outside the range that loss, corruption or output are made for."""
        loss = criterion.loss
        if found.least < loss.least or found.most > loss.most:
            raise DataError(
                f"data reach from {found.least:.3g} to {found.most:.3g}; {type(loss).__name__} is for values from "
                f"{loss.least:g} to {loss.most:g}: rescale them or take another loss"
            )
        check_counts(criterion.corruptions, found.least)
        if self.output == "area":
            sums = np.concatenate([rows.take(block).sum(axis=1, dtype=np.float64) for block in rows.slices()])
            if not found.least >= 0 or not np.ptp(sums) <= 1e-3 * abs(sums.mean()):  # also if there are gaps
                raise DataError(
                    f"output = 'area' is for complete samples without negative values and with one sum; sums reach "
                    f"from {sums.min():.4g} to {sums.max():.4g}: divide each sample by its own"
                )

    def _rows_like(self, validation: ArrayLike, rows: Rows) -> Rows:
        held_out = as_rows(validation, name="validation", dtype=rows.dtype)
        if held_out.shape != rows.shape:
            raise DataError(f"validation samples have shape {held_out.shape}; expected that of X, {rows.shape}")
        for block in held_out.slices():
            check_values(held_out.take(block), first=block.start)
        return held_out

    def _prepare(self, network: Network, rows: Rows, weights: Floats | None, found: Statistics) -> None:
        """Fill in what is found without gradients: mean, scale, principal axes."""
        common = float(np.sqrt(found.variance[found.measured].mean()))
        scale = np.full(rows.size, common)
        if self.standardise:
            scale = np.sqrt(found.variance)
            scale[scale <= 1e-6 * common] = common  # a feature that hardly varies is not blown up
        network.mean.copy_(torch.from_numpy(found.mean))
        network.scale.copy_(torch.from_numpy(scale))
        if network.linear:
            n, k = len(rows), self._n_features_out
            blocks = centred_blocks(rows, found.mean, scale, weights)
            axes = principal_axes(blocks, n, rows.size, k, solver="auto", seed=self.seed_, dtype=rows.dtype)
            network.axes.copy_(torch.from_numpy(axes.components.copy()))
            network.code_scale.fill_(float(np.sqrt(axes.squares.mean() / n)))
            network.start_at_zero()

    # ------------------------------------------------------------------------------------------------- after training

    def _encode(self, rows: Floats) -> Floats:
        return self._through(rows, lambda values: self.network_.encode(self.network_.standardise(values)))

    def _decode(self, codes: Floats) -> Floats:
        return self._through(codes, lambda values: self.network_.restore(self.network_.decode(values)))

    def _through(self, values: Floats, function: Callable[[Tensor], Tensor]) -> Floats:
        with torch.inference_mode():
            parts = [
                function(torch.from_numpy(values[i : i + ENCODE_ROWS])).numpy()
                for i in range(0, len(values), ENCODE_ROWS)
            ]
        found: Floats = np.concatenate(parts)
        return found

    def _activity(self, rows: Rows) -> Floats:
        active = sum(np.count_nonzero(self._encode(rows.take(block)), axis=0) for block in rows.slices())
        return np.asarray(active / len(rows))

    def _state(self) -> Mapping[str, Tensor]:
        state: dict[str, Tensor] = self.network_.state_dict()
        return state if self.activity_ is None else state | {"activity_": torch.from_numpy(self.activity_)}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.history_ = []
        activity = tensors.pop("activity_", None)
        self.activity_ = None if activity is None else activity.numpy()
        self.network_ = self._new_network()
        self.network_.load_state_dict(tensors)
        self.network_.eval()


def batches(rows: Rows, weights: Floats | None, *, complete: bool, digest: str = "") -> Batches:
    """Batches of (values with NaN, mask or None, weights or None) as tensors; read in the order they lie on disk.

    Rows of weight 0 are left out, so that nothing depends on them.
    """
    in_memory = rows.in_memory()
    places = None if weights is None else np.flatnonzero(weights)
    n = len(rows) if places is None else len(places)
    scaled = None if weights is None else torch.from_numpy(weights * (n / len(rows)))

    def batch(indices: Indices) -> tuple[Tensor, Tensor | None, Tensor | None]:
        chosen = np.sort(indices if places is None else places[indices])
        if in_memory is None:
            values = torch.from_numpy(rows.take(chosen))
        else:
            values = in_memory.index_select(0, torch.from_numpy(chosen))
        mask = None if complete else ~torch.isnan(values)
        return values, mask, None if scaled is None else scaled[torch.from_numpy(chosen)]

    return Batches(n, batch, digest)
