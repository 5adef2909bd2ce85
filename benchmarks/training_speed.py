"""Time of training: inscape, Pythae 0.1.2, skorch and a plain torch loop, turn by turn, each in a process of its own.

    python benchmarks/training_speed.py [--rows N] [--turns N] [--widths 784 128 32]

The same network (one hidden layer, ReLU), the same data, batch 128, AdamW or Adam at 1e-3, one thread, no validation.
Each turn trains every candidate for five epochs, from data in memory to a trained network, after a short first training
that is not counted; the table has the median of turns, an epoch's share, and the speed relative to the plain loop.
Processes are separate because training with inscape changes how its process holds freed memory.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import nn

from inscape.autoencoders import Autoencoder

EPOCHS = 5

warnings.filterwarnings("ignore")


def halves(size: int, width: int, k: int) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder."""
    return (
        nn.Sequential(nn.Linear(size, width), nn.ReLU(), nn.Linear(width, k)),
        nn.Sequential(nn.Linear(k, width), nn.ReLU(), nn.Linear(width, size)),
    )


def plain_loop(X: np.ndarray, width: int, k: int) -> None:
    """What one writes by hand."""
    network = nn.Sequential(*halves(X.shape[1], width, k))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    data = torch.from_numpy(X)
    for _ in range(EPOCHS):
        for indices in torch.randperm(len(X)).split(128):
            batch = data[indices]
            loss = nn.functional.mse_loss(network(batch), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def ours(X: np.ndarray, width: int, k: int) -> None:
    """The estimator."""
    Autoencoder(
        k, hidden=(width,), activation="relu", init="random", epochs=EPOCHS, batch_size=128, learning_rate=1e-3
    ).fit(X)


def by_skorch(X: np.ndarray, width: int, k: int) -> None:
    """skorch's regressor with the data as its own target."""
    from skorch import NeuralNetRegressor

    net = NeuralNetRegressor(
        nn.Sequential(*halves(X.shape[1], width, k)), max_epochs=EPOCHS, lr=1e-3, batch_size=128,
        optimizer=torch.optim.AdamW, train_split=None, iterator_train__shuffle=True, verbose=0,
    )  # fmt: skip
    net.fit(X, X)


def by_pythae(X: np.ndarray, width: int, k: int) -> None:
    """Pythae's AE and trainer."""
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig

    logging.disable(logging.CRITICAL)
    parts = halves(X.shape[1], width, k)

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = parts[0]

        def forward(self, x: torch.Tensor) -> Any:
            return ModelOutput(embedding=self.net(x))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = parts[1]

        def forward(self, z: torch.Tensor) -> Any:
            return ModelOutput(reconstruction=self.net(z))

    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(
            output_dir=folder, num_epochs=EPOCHS, learning_rate=1e-3, per_device_train_batch_size=128, no_cuda=True,
            optimizer_cls="AdamW", steps_saving=None, train_dataloader_num_workers=0,
        )  # fmt: skip
        model = AE(AEConfig(input_dim=(X.shape[1],), latent_dim=k), encoder=Encoder(), decoder=Decoder())
        TrainingPipeline(training_config=settings, model=model)(train_data=X)


CANDIDATES: dict[str, Callable[[np.ndarray, int, int], None]] = {
    "plain torch loop": plain_loop,
    "inscape": ours,
    "skorch": by_skorch,
    "Pythae 0.1.2": by_pythae,
}


def measure(name: str, rows: int, size: int, width: int, k: int) -> float:
    """Seconds of processor time that a candidate takes for an epoch."""
    torch.set_num_threads(1)
    X = np.random.default_rng(0).random((rows, size), dtype=np.float32)
    CANDIDATES[name](X[:256], width, k)  # imports, first calls
    start = time.process_time()
    CANDIDATES[name](X, width, k)
    return (time.process_time() - start) / EPOCHS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--widths", type=int, nargs=3, default=[784, 128, 32])
    parser.add_argument("--without", nargs="*", default=[], help="candidates to leave out")
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in CANDIDATES if name not in options.without}
    with ExitStack() as stack:
        pools = {name: ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) for name in times}
        for pool in pools.values():
            stack.enter_context(pool)
        for _ in range(options.turns):
            for name, seconds in times.items():
                seconds.append(pools[name].submit(measure, name, options.rows, *options.widths).result())
    plain = statistics.median(times["plain torch loop"])
    shape = "-".join(map(str, options.widths))
    sys.stdout.write(
        f"{options.rows} rows, {shape}, batch 128, CPU time of one thread, median of {options.turns} turns\n"
        "\n| what | s an epoch | speed, plain loop = 1 |\n|---|---|---|\n"
    )
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        sys.stdout.write(f"| {name} | {middle:.3f} | {plain / middle:.2f} |\n")


if __name__ == "__main__":
    main()
