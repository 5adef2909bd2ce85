"""How good the networks of a file are at densities of states or powder maps of `val`, whatever their backbone.

    python benchmarks/reference_model.py LIBRARY WEIGHTS

WEIGHTS: the shipped ``structure-dos.safetensors`` or ``structure-powder.safetensors``, or a reference model that
``configs/structure-dos-e3nn.toml`` or ``configs/structure-powder-e3nn.toml`` trains. Maps are made of the decoded code
and the density of states that ships. Figures are those of ``inscape evaluate``, of the mean of the networks in the file
or, with ``--member``, of one of them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import torch

from inscape.evaluation import Truth, dos_record, powder_of, powder_record, read_truth
from inscape.library import Library
from inscape.potentials import NequixFeatures
from inscape.spectra import native_energy_edges
from inscape.structure_model import shipped_model
from inscape.structure_model.e3nn import E3nnNetwork
from inscape.structure_model.geometry import geometry
from inscape.structure_model.model import bin_noise_filter, networks_in
from inscape.structure_model.network import DosNetwork, gather
from inscape.structures import Crystal
from inscape.threads import numpy_alone
from inscape.training import Header, load_weights

Judge = Callable[[Truth], dict[str, float]]

DOS_FIGURES = ("W1", "R2", "R2 to top", "mean energy", "C_V(100 K)", "C_V(300 K)")
POWDER_FIGURES = ("cut cosine", "cut cosine, near", "distinct skill", "ratio")


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("weights")
    parser.add_argument("--max-atoms", type=int, default=40)
    parser.add_argument("--member", type=int, help="one network of the file, counted from 1, instead of their mean")
    options = parser.parse_args()
    torch.set_num_threads(1)
    library = Library(options.library)
    names = library.select("val", max_atoms=options.max_atoms)
    tensors, header = load_weights(options.weights)
    if options.member is not None:
        tensors, header = one_of(tensors, header, options.member)
    kind = "powder" if header.class_name.startswith("structure-powder") else "dos"
    record, keys = (of_powder, POWDER_FIGURES) if kind == "powder" else (of_dos, DOS_FIGURES)
    judge = record(tensors, header)
    figures: dict[str, list[float]] = defaultdict(list)
    for name in names:
        for key, value in judge(read_truth(library, name)).items():
            figures[key].append(value)
    print(f"{len(names)} crystals, mean / median\n\n| " + " | ".join(keys) + " |\n" + "|---" * len(keys) + "|")
    print("| " + " | ".join(f"{np.mean(figures[key]):.3f} / {np.median(figures[key]):.3f}" for key in keys) + " |")


def one_of(tensors: dict[str, torch.Tensor], header: Header, member: int) -> tuple[dict[str, torch.Tensor], Header]:
    """A file with one of its networks, counted from 1."""
    before = f"{member - 1}."
    own = {f"0.{name.removeprefix(before)}": value for name, value in tensors.items() if name.startswith(before)}
    return own, replace(header, parameters={**header.parameters, "members": 1})


def of_dos(tensors: dict[str, torch.Tensor], header: Header) -> Judge:
    """Figures of the density of states."""
    density = density_by(tensors, header)
    return lambda truth: dos_record(truth, density(truth.crystal))


def of_powder(tensors: dict[str, torch.Tensor], header: Header) -> Judge:
    """Figures of the powder map."""
    model = shipped_model()
    reference = [] if header.class_name == "structure-powder" else networks_in(tensors, header, E3nnNetwork)

    def judge(truth: Truth) -> dict[str, float]:
        (found,) = model([truth.crystal], ("powder",))
        if reference:
            atoms = gather([torch.empty(0)], [geometry(truth.crystal)])
            code = mean(network.pooled(atoms)[0] for network in reference)
            found = replace(found, powder=model.decode_powder(code.astype(np.float32)[None])[0])
        return powder_record(truth, powder_of(truth, found))

    return judge


def density_by(tensors: dict[str, torch.Tensor], header: Header) -> Callable[[Crystal], np.ndarray]:
    """From a crystal to its total density of states, area 1, on the native grid, the mean of the networks in a file."""
    shares = shares_by(tensors, header)
    return lambda crystal: shares(crystal) @ bin_noise_filter() / np.diff(native_energy_edges())


def shares_by(tensors: dict[str, torch.Tensor], header: Header) -> Callable[[Crystal], np.ndarray]:
    """From a crystal to the shares of its total density of states in each bin, the mean of the networks in a file."""
    if header.class_name == "structure-dos-e3nn":
        reference = networks_in(tensors, header, E3nnNetwork)
        return lambda crystal: mean(network(gather([torch.empty(0)], [geometry(crystal)]))[0] for network in reference)
    if header.class_name == "structure-dos":
        networks, potential = networks_in(tensors, header, DosNetwork), NequixFeatures()

        def shares(crystal: Crystal) -> np.ndarray:
            atoms = gather([potential([crystal])[0].invariants], [geometry(crystal)])
            return mean(network(atoms).mean(dim=0) for network in networks)

        return shares
    raise SystemExit(f"the file holds a {header.class_name}; expected structure-dos or -powder, or one with -e3nn")


def mean(members: Iterable[torch.Tensor]) -> np.ndarray:
    """Mean of what the members say."""
    with torch.inference_mode():
        return torch.stack(list(members)).mean(dim=0).double().numpy()


if __name__ == "__main__":
    main()
