"""How good the networks of a file are at densities of states of `val`, whatever their backbone.

    python benchmarks/reference_model.py LIBRARY WEIGHTS

WEIGHTS: the shipped ``structure-dos.safetensors``, or the reference model that ``configs/structure-dos-e3nn.toml``
trains. Figures are those of ``inscape evaluate``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np
import torch

from inscape.evaluation import dos_record, read_truth
from inscape.library import Library
from inscape.potentials import NequixFeatures
from inscape.spectra import native_energy_edges
from inscape.structure_model.e3nn import E3nnNetwork
from inscape.structure_model.geometry import geometry
from inscape.structure_model.model import bin_noise_filter, networks_in
from inscape.structure_model.network import DosNetwork, gather
from inscape.structures import Crystal
from inscape.threads import numpy_alone
from inscape.training import load_weights

FIGURES = ("W1", "R2", "R2 to top", "mean energy", "C_V(100 K)", "C_V(300 K)")


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("weights")
    parser.add_argument("--max-atoms", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    library = Library(options.library)
    names = library.select("val", max_atoms=options.max_atoms)
    shares = predictor(options.weights)
    figures: dict[str, list[float]] = defaultdict(list)
    for name in names:
        truth = read_truth(library, name)
        total = shares(truth.crystal) @ bin_noise_filter() / np.diff(native_energy_edges())
        for key, value in dos_record(truth, total).items():
            figures[key].append(value)
    print(f"{len(names)} crystals, mean / median\n\n| " + " | ".join(FIGURES) + " |\n" + "|---" * len(FIGURES) + "|")
    print("| " + " | ".join(f"{np.mean(figures[key]):.3f} / {np.median(figures[key]):.3f}" for key in FIGURES) + " |")


def predictor(path: str) -> Callable[[Crystal], np.ndarray]:
    """From a crystal to the shares of its total density of states in each bin, the mean of the networks in a file."""
    tensors, header = load_weights(path)
    if header.class_name == "structure-dos-e3nn":
        reference = networks_in(tensors, header, E3nnNetwork)
        return lambda crystal: mean(network(gather([torch.empty(0)], [geometry(crystal)]))[0] for network in reference)
    if header.class_name == "structure-dos":
        networks, potential = networks_in(tensors, header, DosNetwork), NequixFeatures()

        def shares(crystal: Crystal) -> np.ndarray:
            atoms = gather([potential([crystal])[0].invariants], [geometry(crystal)])
            return mean(network(atoms).mean(dim=0) for network in networks)

        return shares
    raise SystemExit(f"{path} holds a {header.class_name}; expected structure-dos or structure-dos-e3nn")


def mean(members: Iterable[torch.Tensor]) -> np.ndarray:
    """Mean of what the members say."""
    with torch.inference_mode():
        return torch.stack(list(members)).mean(dim=0).double().numpy()


if __name__ == "__main__":
    main()
