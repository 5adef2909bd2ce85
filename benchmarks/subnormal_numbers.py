"""What it costs a step of training that Gaussians of distances, where they are next to nothing, were subnormal numbers.

    OMP_NUM_THREADS=1 python benchmarks/subnormal_numbers.py LIBRARY [--number N]

Loss and gradient of the network of densities of states, 32 crystals at a time, with Gaussians as they come and as
`inscape.structure_model.geometry.gaussians` has them, in turn, five times: medians, and the two losses.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import inscape.structure_model.network as network
from inscape.library import Library
from inscape.structure_model.dataset import Samples, prepare
from inscape.structure_model.geometry import gaussians
from inscape.structure_model.tasks import DosTask
from inscape.structure_model.train import training_ids
from inscape.training.memory import keep_freed_memory

BATCH, TURNS = 32, 5


def as_they_come(distance: torch.Tensor, centres: torch.Tensor, width: float) -> torch.Tensor:
    """The same Gaussians, down to the smallest numbers that there are."""
    return torch.exp(-(((distance[:, None] - centres) / width) ** 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--number", type=int, default=128)
    options = parser.parse_args()
    keep_freed_memory()
    library = Library(options.library)
    names = training_ids(library, 40)[0][: options.number]
    prepare(library, names)
    samples = Samples(library, names, "dos")
    task = DosTask(256, 2, 32, Path())
    torch.manual_seed(0)
    model = task.network().eval()
    ways = {"as they come": as_they_come, "next to nothing is 0": gaussians}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, float] = {}
    for turn in range(TURNS + 1):
        for name, function in ways.items():
            network.gaussians = function
            began = time.perf_counter()
            total = 0.0
            for start in range(0, len(names), BATCH):
                batch = samples[start : start + BATCH]
                loss = task.loss(model, batch)
                loss.backward()
                total += float(loss.detach()) * len(batch)
            losses[name] = total / len(names)
            if turn:  # the first one reads files
                seconds[name].append(1e3 * (time.perf_counter() - began) / len(names))
    for name in ways:
        print(f"{name}: {np.median(seconds[name]):.1f} ms a crystal, loss {losses[name]:.6f}")


if __name__ == "__main__":
    main()
