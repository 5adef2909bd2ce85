"""What should a powder code carry: the whole map, or only the distinct part beside a computed self part?

    LIBRARY=phonondb.zarr python benchmarks/whole_map.py [EPOCHS]

Trains the shipped network's twin on principal components (64) of the whole map, each |Q| normalised to area 1, on the
same crystals with the same inputs, and compares both on validation crystals: median cut cosine, all |Q| and below
4 1/Å, of the decoded true code and of the prediction.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import torch
from torch import Tensor, nn

from inscape.autoencoders import PCA
from inscape.evaluation import Truth, powder_record, read_truth
from inscape.library import Library
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model import shipped_model
from inscape.structure_model.dataset import Sample, Samples, atoms_of
from inscape.structure_model.powder import PowderNetwork
from inscape.structure_model.train import WEIGHTS, PowderTask, training_ids
from inscape.training import Batches, fit_network

N_COMPONENTS = 64
WIDTHS = np.diff(native_energy_edges())


def normalised(powder: np.ndarray) -> np.ndarray:
    """Share of each energy bin in each |Q| of a reduced map, flattened."""
    share = np.asarray(powder, dtype=np.float32) * WIDTHS.astype(np.float32)
    return (share / share.sum(axis=1, keepdims=True).clip(1e-12)).ravel()


def decoded_map(rows: np.ndarray, truth: Truth, partial_dos: np.ndarray) -> np.ndarray:
    """Reduced map from shares: the area at each |Q| is that of the self part."""
    q = centres(native_q_edges())
    share = rows.reshape(len(q), -1).clip(0)
    area = truth.self_part(partial_dos, q) @ WIDTHS
    return share / share.sum(axis=1, keepdims=True) * area[:, None] / WIDTHS


def main() -> None:
    """Train, compare, print."""
    if not os.environ.get("LIBRARY"):
        sys.exit("this benchmark needs a library: set LIBRARY to its path (make bench LIBRARY=phonondb.zarr)")
    library = Library(os.environ["LIBRARY"])
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    learn, tune = training_ids(library, 40)
    rows = np.stack([normalised(library.arrays(i, "powder")["powder"]) for i in learn])
    held_out = np.stack([normalised(library.arrays(i, "powder")["powder"]) for i in tune])
    pca = PCA(N_COMPONENTS, solver="randomised", random_state=0).fit(rows)
    found_codes = np.concatenate([pca.transform(rows), pca.transform(held_out)])
    codes = {name: torch.from_numpy(code) for name, code in zip(learn + tune, found_codes, strict=True)}
    parameters = PowderTask(512, 2, N_COMPONENTS, WEIGHTS).parameters | {"n_components": N_COMPONENTS}
    network = PowderNetwork(**parameters)
    training, tuning = (Samples(library, ids, "powder") for ids in (learn, tune))
    network.trunk.standardise(s.features for s in training)
    network.scale.copy_(torch.stack([codes[i] for i in learn]).std(dim=0))

    def loss(net: nn.Module, samples: list[Sample]) -> Tensor:
        kernels = torch.stack([s.kernel for s in samples])
        guess = net(atoms_of(samples), [s.geometry for s in samples], kernels)
        return ((guess - torch.stack([codes[s.id] for s in samples])) ** 2).sum(dim=1).mean()

    def batches(samples: list[Sample]) -> Batches:
        return Batches(len(samples), lambda indices: [samples[i] for i in indices])

    fit_network(
        network, loss, batches(training), validation=batches(tuning), epochs=epochs, batch_size=32, weight_decay=0.05,
        average=0.998, progress=True,
    )  # fmt: skip
    model = shipped_model()
    model.powder = [network]
    model.decode_powder = lambda code: pca.inverse_transform(code)  # type: ignore[method-assign]
    found: dict[str, list[tuple[float, float]]] = {"whole map, true code": [], "whole map, predicted": []}
    for name in library.select("val", max_atoms=40):
        truth = read_truth(library, name)
        (structure,) = model([truth.crystal], ("powder",))
        true_code = pca.inverse_transform(pca.transform(normalised(truth.powder)[None]))[0]
        assert structure.powder is not None
        for row, shares, dos in (
            ("whole map, true code", true_code, truth.partial_dos),
            ("whole map, predicted", np.asarray(structure.powder), structure.partial_dos),
        ):
            record = powder_record(truth, decoded_map(shares, truth, dos))
            found[row].append((record["cut cosine"], record["cut cosine, near"]))
    for row, values in found.items():
        sys.stdout.write(f"| {row} | " + " | ".join(f"{v:.3f}" for v in np.median(values, axis=0)) + " |\n")


if __name__ == "__main__":
    main()
