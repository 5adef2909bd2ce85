"""Powder maps by the architecture of INSPIRED, trained on the same crystals as ours: e3nn, fifty numbers, dense layers.

    LIBRARY=phonondb.zarr python benchmarks/inspired_e3nn.py [--epochs N] [--code-epochs N]

B. Han et al. (2024) encode maps S(|Q|,E) in fifty numbers, which a network like that of Chen et al. predicts from the
structure, and decode them by layers of 500 and 2500. Here the maps are those of `powder_noise.py`, 38 × 100 bins, each
of mean 1; the e3nn network is ours (`inscape.structure_model.e3nn`), trained on squared errors of the standardised
codes, the best epoch chosen on the tuning crystals. Beside it, on the same bins and the same crystals of `val`: the
code road and the road of force constants, as they ship. Cosine of constant-|Q| cuts, all and below 4 1/Å, median and
mean, and the squared error of the map over its square.
"""

from __future__ import annotations

import argparse
import os
import sys

import numpy as np
import torch
from powder_codes import KINDS, N_COMPONENTS
from powder_noise import SHAPE, maps, on_bins

from inscape.autoencoders import Autoencoder
from inscape.evaluation import powder_of, read_truth
from inscape.evaluation.rendered import Foretold
from inscape.library import Library
from inscape.metrics import NEAR
from inscape.spectra import centres, native_q_edges
from inscape.structure_model import shipped_model
from inscape.structure_model.dataset import Samples, atoms_of, prepare
from inscape.structure_model.e3nn import E3nnNetwork
from inscape.structure_model.force_constants import shipped_force_constant_model
from inscape.structure_model.train import training_ids
from inscape.threads import numpy_alone
from inscape.training import Batches, fit_network


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12, help="of the e3nn network")
    parser.add_argument("--code-epochs", type=int, default=60, help="of the autoencoder")
    parser.add_argument("--max-atoms", type=int, default=40, help="of training crystals; those of val up to 40")
    options = parser.parse_args()
    if not os.environ.get("LIBRARY"):
        sys.exit("this benchmark needs a library: set LIBRARY to its path (make bench LIBRARY=phonondb.zarr)")
    torch.set_num_threads(1)
    library = Library(os.environ["LIBRARY"])
    learn, tune = training_ids(library, options.max_atoms)
    val = library.select("val", max_atoms=40)
    prepare(library, learn + tune + val)
    rows = {key: maps(library, names) for key, names in (("learn", learn), ("tune", tune), ("val", val))}
    coder = Autoencoder(
        N_COMPONENTS, output="nonnegative", epochs=options.code_epochs, weight_decay=0.01, random_state=0,
        **KINDS["INSPIRED's layers"],
    ).fit(rows["learn"], validation=rows["tune"], sample_weight=1 / np.sum(rows["learn"] ** 2, axis=1))  # fmt: skip
    print(f"{len(learn)} crystals to learn from, {len(tune)} to tune on, {len(val)} of val\n", flush=True)
    print("| | cut cosine, median / mean | near | squared error |\n|---|---|---|---|")
    show("true map, encoded and decoded", decoded(coder, coder.transform(rows["val"])), rows["val"])
    codes = predicted_codes(library, learn, tune, val, coder, rows, options.epochs)
    show("e3nn, fifty numbers, dense layers", decoded(coder, codes), rows["val"])
    ours, sharp = [], []
    for name in val:
        truth = read_truth(library, name)
        (structure,) = shipped_model()([truth.crystal], ("dos", "powder"))
        ours.append(on_bins(powder_of(truth, structure)))
        sharp.append(on_bins(Foretold.of(truth, shipped_force_constant_model(), shipped_model()).spectra.powder))
    show("code road", np.stack(ours), rows["val"])
    show("force constants", np.stack(sharp), rows["val"])


def decoded(coder: Autoencoder, codes: np.ndarray) -> np.ndarray:
    return np.clip(coder.inverse_transform(codes), 0, None)


def predicted_codes(library, learn, tune, val, coder, rows, epochs: int) -> np.ndarray:
    """Codes of the crystals of `val` by an e3nn network that learned those of the others."""
    samples = {k: Samples(library, some, "dos") for k, some in (("learn", learn), ("tune", tune), ("val", val))}
    codes = {key: torch.from_numpy(np.asarray(coder.transform(rows[key]), np.float32)) for key in ("learn", "tune")}
    mean, scale = codes["learn"].mean(dim=0), codes["learn"].std(dim=0).clamp_min(1e-6)
    torch.manual_seed(0)
    network = E3nnNetwork(N_COMPONENTS)
    network.standardise(sample.geometry for sample in samples["learn"])

    def loss(network, batch):
        some, true = batch
        return (network.pooled(atoms_of(some)) - (true - mean) / scale).square().mean()

    def batches(key: str) -> Batches:
        return Batches(len(codes[key]), lambda indices: ([samples[key][i] for i in indices], codes[key][indices]))

    fit_network(
        network, loss, batches("learn"), validation=batches("tune"), epochs=epochs, batch_size=16, learning_rate=5e-3,
        weight_decay=0.05, average=0.998,
    )  # fmt: skip
    network.eval()
    with torch.inference_mode():
        return np.concatenate([(network.pooled(atoms_of([s])) * scale + mean).numpy() for s in samples["val"]])


def show(name: str, found: np.ndarray, true: np.ndarray) -> None:
    """One line of the table; maps (n, 3800)."""
    p, t = (x.reshape(-1, *SHAPE).astype(float) for x in (found, true))
    norms = np.linalg.norm(p, axis=2) * np.linalg.norm(t, axis=2)
    cut = np.sum(p * t, axis=2) / np.maximum(norms, 1e-12)
    q = centres(native_q_edges())[5:81].reshape(SHAPE[0], 2).mean(axis=1)
    every, near = cut.mean(axis=1), cut[:, q < NEAR].mean(axis=1)
    scale = np.sum(p * t, axis=(1, 2)) / np.maximum(np.sum(p * p, axis=(1, 2)), 1e-12)
    errors = np.sum((scale[:, None, None] * p - t) ** 2, axis=(1, 2)) / np.sum(t**2, axis=(1, 2))
    cells = (f"{np.median(x):.3f} / {x.mean():.3f}" for x in (every, near, errors))
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
