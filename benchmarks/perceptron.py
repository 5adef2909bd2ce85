"""What a plain perceptron reaches: the features of each atom alone, without its neighbours or the cell.

    LIBRARY=phonondb.zarr python benchmarks/perceptron.py [EPOCHS]

Four layers from the features, element and mass of an atom to its density of states, trained on the crystals and with
the loss of the shipped model; the figures of `inscape evaluate` on validation crystals, mean / median.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import torch
from torch import Tensor, nn

from inscape.evaluation import dos_record, read_truth
from inscape.library import Library
from inscape.structure_model.dataset import Samples, atoms_of, prepare
from inscape.structure_model.network import MAX_NUMBER, Atoms
from inscape.structure_model.train import WEIGHTS, DosTask, training_ids
from inscape.training import Batches, fit_network

WIDTH = 512


class Perceptron(nn.Module):
    """Shares of energy bins, from each atom by itself."""

    def __init__(self, features: Tensor, n_energy: int) -> None:
        super().__init__()
        self.register_buffer("mean", features.mean(dim=0))
        self.register_buffer("scale", features.std(dim=0).clamp_min(1e-3))
        self.element = nn.Embedding(MAX_NUMBER, WIDTH)
        self.first = nn.Linear(features.shape[1] + 1, WIDTH)
        hidden = [layer for _ in range(2) for layer in (nn.GELU(), nn.Dropout(0.1), nn.Linear(WIDTH, WIDTH))]
        self.rest = nn.Sequential(*hidden, nn.GELU(), nn.Linear(WIDTH, n_energy))

    def forward(self, atoms: Atoms) -> Tensor:
        x = ((atoms.features - self.mean) / self.scale).clamp(-8, 8)
        x = torch.cat([x, atoms.masses.log()[:, None] - 3.5], dim=1)
        return torch.softmax(self.rest(self.first(x) + self.element(atoms.numbers)), dim=-1)


def main() -> None:
    """Train, evaluate, print."""
    if not os.environ.get("LIBRARY"):
        sys.exit("this benchmark needs a library: set LIBRARY to its path (make bench LIBRARY=phonondb.zarr)")
    library = Library(os.environ["LIBRARY"])
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    learn, tune = training_ids(library, 40)
    val = library.select("val", max_atoms=40)
    prepare(library, learn + tune + val)
    training, tuning, held_out = (Samples(library, ids, "dos") for ids in (learn, tune, val))
    task = DosTask(WIDTH, 0, 0, WEIGHTS)
    torch.manual_seed(0)
    network = Perceptron(torch.cat([s.features for s in training]), len(task.widths))

    def batches(samples: list) -> Batches:
        return Batches(len(samples), lambda indices: [samples[i] for i in indices])

    fit_network(
        network, task.loss, batches(training), validation=batches(tuning), epochs=epochs, batch_size=32,
        weight_decay=0.05, average=0.998, progress=True,
    )  # fmt: skip
    records = []
    for sample in held_out:
        with torch.inference_mode():
            partial = 3 * network(atoms_of([sample])) / task.widths
        records.append(dos_record(read_truth(library, sample.id), partial.double().numpy()))
    for name in records[0]:
        values = [record[name] for record in records]
        sys.stdout.write(f"| {name} | {np.mean(values):.3f} / {np.median(values):.3f} |\n")


if __name__ == "__main__":
    main()
