"""The torch modules: encoders, decoders, and the two joined, with a bottleneck and a linear path between them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from inscape.autoencoders.outputs import OUTPUTS
from inscape.errors import DataError

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "linear": nn.Identity,
}
CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}


class Bottleneck(nn.Module):
    """What makes a code of the numbers that an encoder gives; this one leaves them as they are.

    Parameters
    ----------
    n_components
        Length of the code.
    """

    per_component = 1
    """Numbers that the encoder gives for each element of the code."""

    elementwise = True
    """Whether each element of the code depends on its own number only."""

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.n_components = n_components

    def forward(self, numbers: Tensor) -> Tensor:
        """Code, shape (m, n_components), of numbers, shape (m, n_components · per_component)."""
        return numbers

    def draw(self, numbers: Tensor) -> Tensor:
        """Code to train with, where that differs."""
        code: Tensor = self(numbers)
        return code


class Network(nn.Module):
    """Encoder, bottleneck and decoder of standardised rows, with a fixed linear path beside them.

    With s = (x − mean)/scale, 0 where x was not measured, and A the axes (rows orthonormal, or all 0):

        code = bottleneck(s Aᵀ/c + encoder(s)),    decoded s = c · code A + decoder(code)

    so that a network whose encoder and decoder begin at 0 begins as PCA, and learns only what PCA misses. The axes
    are not trained: one matrix serves both directions.

    Parameters
    ----------
    encoder, decoder
        (m, size) -> (m, n_components · per_component) and (m, n_components) -> (m, size).
    bottleneck
        What makes the code of what the encoder gives.
    size
        Numbers in a row.
    linear
        Whether there is a linear path.
    output
        How decoded rows become data: a name in `inscape.autoencoders.outputs.OUTPUTS`.
    """

    mean: Tensor
    scale: Tensor
    axes: Tensor
    code_scale: Tensor
    bottleneck: Bottleneck

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        bottleneck: Bottleneck,
        size: int,
        *,
        linear: bool,
        output: str = "linear",
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.bottleneck = bottleneck
        self.linear = linear
        self.output = output
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("axes", torch.zeros(bottleneck.n_components if linear else 0, size))
        self.register_buffer("code_scale", torch.ones(1))

    def standardise(self, x: Tensor, *, complete: bool = False) -> Tensor:
        """Rows with NaN (none, if they are complete), shape (m, size), to standardised rows with 0 in its place."""
        s = (x - self.mean).div_(self.scale)
        return s if complete else torch.nan_to_num(s, nan=0.0)

    def restore(self, s: Tensor) -> Tensor:
        """Decoded rows to rows in the unit of the data."""
        return OUTPUTS[self.output](s, self.mean, self.scale)

    def numbers(self, s: Tensor) -> Tensor:
        """What enters the bottleneck, of standardised rows, shape (m, size)."""
        found: Tensor = self.encoder(s)
        return found + s @ self.axes.T / self.code_scale if self.linear else found

    def encode(self, s: Tensor) -> Tensor:
        """Standardised rows, shape (m, size), to codes, shape (m, n_components)."""
        code: Tensor = self.bottleneck(self.numbers(s))
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Codes to standardised rows."""
        s: Tensor = self.decoder(code)
        return s + (code * self.code_scale) @ self.axes if self.linear else s

    def forward(self, s: Tensor) -> Tensor:
        """Standardised rows to code and back."""
        return self.decode(self.encode(s))

    def start_at_zero(self) -> None:
        """Make the last layers of encoder and decoder give 0, so that the linear path alone is left."""
        for part in (self.encoder, self.decoder):
            last = [m for m in part.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)][-1]
            nn.init.zeros_(last.weight)
            if last.bias is not None:
                nn.init.zeros_(last.bias)


def dense(size: int, bottleneck: Bottleneck, hidden: Sequence[int], activation: str) -> tuple[nn.Module, nn.Module]:
    """Perceptron from rows to codes through ``hidden`` layers, and its mirror image."""
    k = bottleneck.n_components
    encoder = _perceptron([size, *hidden, k * bottleneck.per_component], activation)
    return encoder, _perceptron([k, *hidden[::-1], size], activation)


def _perceptron(widths: Sequence[int], activation: str) -> nn.Module:
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise(widths)):
        layers += [nn.Linear(before, after)]
        if i < len(widths) - 2:
            layers += [ACTIVATIONS[activation]()]
    return nn.Sequential(*layers)


def convolutional(
    shape: tuple[int, ...], bottleneck: Bottleneck, hidden: Sequence[int], activation: str
) -> tuple[nn.Module, nn.Module]:
    """Strided convolutions with ``hidden`` channels, each halving the grid, then a linear layer; and the way back.

    Parameters
    ----------
    shape
        Of one sample, (channels, height[, width[, depth]]); (d,) is one channel.
    """
    channels, grid = (1, shape) if len(shape) == 1 else (shape[0], shape[1:])
    convolution = CONVOLUTIONS[len(grid)]
    act = ACTIVATIONS[activation]
    grids = [grid]
    for _ in hidden:
        grids.append(tuple((length + 1) // 2 for length in grids[-1]))
    widths = [channels, *hidden]
    flat = widths[-1] * int(torch.Size(grids[-1]).numel())

    down: list[nn.Module] = [nn.Unflatten(1, (channels, *grid))]
    for before, after in pairwise(widths):
        down += [convolution(before, after, 3, stride=2, padding=1), act()]
    down += [nn.Flatten(), nn.Linear(flat, bottleneck.n_components * bottleneck.per_component)]

    up: list[nn.Module] = [nn.Linear(bottleneck.n_components, flat), nn.Unflatten(1, (widths[-1], *grids[-1])), act()]
    for i in range(len(hidden) - 1, 0, -1):
        up += [nn.Upsample(size=grids[i]), convolution(widths[i + 1], widths[i], 3, padding=1), act()]
    up += [nn.Upsample(size=grids[0]), convolution(widths[1], channels, 3, padding=1), nn.Flatten()]
    return nn.Sequential(*down), nn.Sequential(*up)


def given(
    shape: tuple[int, ...], bottleneck: Bottleneck, pair: tuple[nn.Module, nn.Module]
) -> tuple[nn.Module, nn.Module]:
    """Copies of a user's modules, samples (m, *shape) to numbers (m, ...) and codes to samples, as modules of rows.

    Raises
    ------
    DataError
        They do not give as many numbers as a code, or a sample, has.
    """
    encoder = nn.Sequential(nn.Unflatten(1, shape), copy.deepcopy(pair[0]), nn.Flatten())
    decoder = nn.Sequential(copy.deepcopy(pair[1]), nn.Flatten())
    size, k, width = int(torch.Size(shape).numel()), bottleneck.n_components, bottleneck.per_component
    for name, module, entering, leaving in (("encoder", encoder, size, k * width), ("decoder", decoder, k, size)):
        module.eval()
        with torch.no_grad():
            found = tuple(module(torch.zeros(2, entering)).shape)
        module.train()
        if found != (2, leaving):
            raise DataError(f"the {name} given makes {found[1:]} of {entering} numbers; expected {leaving}")
    return encoder, decoder


def build(
    architecture: str | tuple[nn.Module, nn.Module],
    shape: tuple[int, ...],
    bottleneck: Bottleneck,
    hidden: Sequence[int] | None,
    activation: str,
    *,
    linear: bool,
    output: str = "linear",
) -> Network:
    """The network that an autoencoder's parameters describe; `DataError` if they describe none."""
    if activation not in ACTIVATIONS:
        raise DataError(f"activation = {activation!r}; expected one of {', '.join(ACTIVATIONS)}")
    if hidden is not None and any(width < 1 for width in hidden):
        raise DataError(f"hidden = {tuple(hidden)}; every layer needs a width of at least 1")
    if output not in OUTPUTS:
        raise DataError(f"output = {output!r}; expected one of {', '.join(OUTPUTS)}")
    size = int(torch.Size(shape).numel())
    if architecture == "dense":
        pair = dense(size, bottleneck, (512, 128) if hidden is None else hidden, activation)
    elif architecture == "convolutional":
        if hidden is not None and not hidden:
            raise DataError("a convolutional autoencoder needs at least one layer; hidden = () came")
        pair = convolutional(shape, bottleneck, (16, 32, 64) if hidden is None else hidden, activation)
    elif isinstance(architecture, tuple | list) and len(architecture) == 2:
        pair = given(shape, bottleneck, (architecture[0], architecture[1]))
    else:
        raise DataError(
            f"architecture = {architecture!r}; expected 'dense' or 'convolutional', or a pair of torch modules"
        )
    return Network(*pair, bottleneck, size, linear=linear, output=output)
