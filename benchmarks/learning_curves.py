"""How the error of predicted densities of states falls with the number of training crystals.

    python benchmarks/learning_curves.py LIBRARY [--sizes 250,500,1000] [--max-atoms N] [--epochs N] [--plot FILE]

For each size one network, as `inscape train structure` trains it, learns from so many training crystals of the library,
drawn at random, the smaller sets parts of the larger; the last one learns from all. The best epoch is chosen on the
tuning crystals. Figures are those of `inscape evaluate` on the crystals of `val` with at most ``--max-atoms`` atoms.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from inscape.evaluation import dos_record, read_truth
from inscape.library import Library
from inscape.plots import write_figure
from inscape.spectra import native_energy_edges
from inscape.structure_model.dataset import Samples, atoms_of, prepare
from inscape.structure_model.model import bin_noise_filter
from inscape.structure_model.network import DosNetwork
from inscape.structure_model.tasks import DosTask
from inscape.structure_model.train import training_ids
from inscape.threads import numpy_alone
from inscape.training import Batches, fit_network

FIGURES = ("W1", "R2", "mean energy", "C_V(100 K)", "C_V(300 K)")


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--sizes", default="250,500,1000,2000,4000")
    parser.add_argument("--max-atoms", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--plot")
    options = parser.parse_args()
    torch.set_num_threads(1)
    library = Library(options.library)
    learn, tune = training_ids(library, options.max_atoms)
    val = library.select("val", max_atoms=options.max_atoms)
    prepare(library, learn + tune + val)
    order = np.random.default_rng(0).permutation(learn)
    sizes = [size for size in map(int, options.sizes.split(",")) if size < len(learn)] + [len(learn)]
    print(f"{len(val)} crystals of val (mean / median)\n\n| training crystals | " + " | ".join(FIGURES) + " |")
    print("|---" * (1 + len(FIGURES)) + "|", flush=True)
    found = {}
    for size in sizes:
        network = trained(library, order[:size].tolist(), tune, options.epochs)
        records = [dos_record(truth, total) for truth, total in predicted(network, library, val)]
        found[size] = {key: np.array([record[key] for record in records]) for key in FIGURES}
        cells = (f"{values.mean():.3f} / {np.median(values):.3f}" for values in found[size].values())
        print(f"| {size} | " + " | ".join(cells) + " |", flush=True)
    if options.plot:
        draw(found, options.plot)


def trained(library: Library, names: list[str], tune: list[str], epochs: int) -> DosNetwork:
    """A network that learned from these crystals."""
    task = DosTask(256, 2, 0, Path())
    training, tuning = (task.samples(library, some) for some in (names, tune))
    torch.manual_seed(0)
    network = task.network()
    task.standardise(network, training)
    parts = [Batches(len(some), lambda indices, some=some: [some[i] for i in indices]) for some in (training, tuning)]
    fit_network(
        network, task.loss, parts[0], validation=parts[1], epochs=epochs, batch_size=32, learning_rate=1e-3,
        weight_decay=0.05, average=0.998,
    )  # fmt: skip
    return network.eval()


@torch.inference_mode()
def predicted(network: DosNetwork, library: Library, names: list[str]):
    """The truth and the predicted density of states of each crystal."""
    widths = np.diff(native_energy_edges())
    for name, sample in zip(names, Samples(library, names, "dos"), strict=True):
        shares = network(atoms_of([sample])).double().numpy()
        yield read_truth(library, name), 3 * shares @ bin_noise_filter() / widths


def draw(found: dict[int, dict[str, np.ndarray]], path: str) -> None:
    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    ax = figure.subplots()
    sizes = list(found)
    for number, (label, of) in enumerate((("mean", np.mean), ("median", np.median))):
        errors = [of(found[size]["W1"]) for size in sizes]
        slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
        ax.plot(sizes, errors, "o-", color=f"C{number}", label=f"{label}, falls as N$^{{{slope:.2f}}}$")
    ax.set(xscale="log", yscale="log", xticks=sizes, xlabel="training crystals N", ylim=(0.5, None))
    ax.set_xticklabels([str(size) for size in sizes])
    ax.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    ax.minorticks_off()
    ax.set_ylabel("Wasserstein-1 of the density of states (meV)")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    write_figure(figure, path)


if __name__ == "__main__":
    main()
