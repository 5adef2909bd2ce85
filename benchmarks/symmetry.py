"""What symmetry spares a step of training, by one network of each kind, with and without it turn by turn.

    OMP_NUM_THREADS=1 python benchmarks/symmetry.py LIBRARY ARCHIVES [--number N]

Without it every atom and every pair of atoms is an image of itself alone. Training crystals of at most 40 atoms, evenly
taken; their features and targets are derived first where they are not there. The settings are those of ``configs/``.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import torch
from torch import nn

from inscape.library import Library
from inscape.structure_model.dynamics import Dynamics
from inscape.structure_model.pair_images import PairImages
from inscape.structure_model.tasks import TASKS, Task
from inscape.structure_model.train import training_ids
from inscape.training import WEIGHTS

SETTINGS = {"dos": (32, False), "force-constants": (12, True)}
"""Crystals in a step, and whether matrices are multiplied in bfloat16."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("archives")
    parser.add_argument("--number", type=int, default=192)
    options = parser.parse_args()
    torch.set_num_threads(1)
    library = Library(options.library)
    names = training_ids(library, 40)[0]
    names = names[:: len(names) // options.number][: options.number]
    print("| network | with symmetry, ms a crystal | without | ratio |\n|---|---|---|---|")
    for kind, (batch, short) in SETTINGS.items():
        task = TASKS[kind](256, 2, 0, WEIGHTS)
        task.prepare(library, names, options.archives, None)
        samples = task.samples(library, names)
        network = task.network()
        times = {True: 0.0, False: 0.0}
        for start in range(0, len(names), batch):
            few = [samples[i] for i in range(start, min(start + batch, len(names)))]
            for alike, some in ((True, few), (False, [each_alone(s) for s in few])):
                times[alike] += step(task, network, some, short)
        with_it, without = (1000 * times[alike] / len(names) for alike in (True, False))
        print(f"| {kind} | {with_it:.1f} | {without:.1f} | {with_it / without:.2f} |", flush=True)


def each_alone(sample):
    """A sample in which nothing is an image of anything else."""
    each = torch.arange(len(sample.geometry.masses))
    alone = replace(sample, geometry=replace(sample.geometry, sources=each))
    if not isinstance(sample, Dynamics):
        return alone
    pairs = torch.arange(len(sample.pairs))
    return replace(alone, images=PairImages(sample.pairs, pairs, torch.zeros_like(pairs), torch.eye(3)[None]))


def step(task: Task, network: nn.Module, samples: list, short: bool) -> float:
    """Seconds of a loss and its gradient."""
    began = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=short):
        loss = task.loss(network, samples)
    loss.backward()
    network.zero_grad()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
