"""Which code a structure model should predict: five kinds of autoencoder, of 4 to 256 numbers, as its targets.

    python benchmarks/which_code.py LIBRARY [--kinds dos,powder] [--families NAMES] [--sizes 4,8,…] [--max-atoms N]
        [--plot FILE]

For each kind of spectrum, code and size an autoencoder is trained on the training crystals of the library, and then a
perceptron that predicts its codes, through the frozen decoder, from the pooled features of the atoms. On `val`: what
the code itself loses (the true spectrum, encoded and decoded) and what the prediction loses. Densities of states:
Wasserstein-1 distance, meV. Powder maps: 1 − cut cosine at 10 K, 0.5 to 8 1/Å, on the cumulative scale of the true
density of states. The best epoch is chosen on the tuning crystals. Last, the same perceptron without a code, whose
outputs are the spectrum itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from inscape.autoencoders import (
    PCA,
    Autoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
)
from inscape.autoencoders.corruptions import Gaussian
from inscape.autoencoders.losses import GaussianLikelihood
from inscape.library import Library
from inscape.metrics import HIGH_Q, LOW_Q
from inscape.plots import write_figure
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model.dataset import Samples, prepare
from inscape.structure_model.geometry import interference
from inscape.structure_model.objectives import cut_cosine
from inscape.structure_model.train import spectra_rows, training_ids
from inscape.training import Batches, fit_network

FAMILIES = ("principal components", "undercomplete", "sparse", "denoising", "variational")
FROM_NOTHING = ("sparse", "variational")
"""They do not begin as principal components, and are given three times the epochs."""

TITLES = {"dos": "density of states: W1 (meV)", "powder": "powder map: 1 − cut cosine"}
NOISE = {"dos": 0.02, "powder": 0.2}
"""Standard deviation that the denoising autoencoder is given, and the variational one assumes, in the rows' unit."""

WIDTH = 256
HIDDEN = (256, 128)


@dataclass(frozen=True, eq=False)
class Part:
    """Crystals: what is known of their atoms, (n, n_inputs), their ``rows``, and ``kernels`` of powder cuts."""

    inputs: Tensor
    rows: np.ndarray
    kernels: Tensor

    @classmethod
    def of(cls, library: Library, names: list[str], kind: str) -> Part:
        samples = Samples(library, names, "powder")
        rows = spectra_rows(samples if kind == "powder" else Samples(library, names, kind), kind)
        return cls(torch.stack([pooled(sample) for sample in samples]), rows, torch.stack([s.kernel for s in samples]))


def pooled(sample) -> Tensor:
    """Features of the atoms, mean and spread and weighted with lengths; interference of pairs; spread of energies."""
    g, x = sample.geometry, sample.features
    signed = g.lengths / g.lengths.abs().sum()
    waves = interference(g, torch.tensor(centres(native_q_edges()), dtype=torch.float32)).flatten()
    spread = sample.kernel.diagonal().clamp_min(1e-9).log() / 3
    return torch.cat([x.mean(0), x.std(0, correction=0), g.weights @ x, signed @ x, waves, spread]).float()


def autoencoder(family: str, kind: str, size: int, part: Part, tune: Part, epochs: int):
    """One of `FAMILIES`, trained."""
    noise, scale = NOISE[kind], {"epochs": epochs, "batch_size": 32, "random_state": 0}
    if family in FROM_NOTHING:
        scale["epochs"] *= 3
    if family == "principal components":
        return PCA(size, random_state=0).fit(part.rows)
    if family == "undercomplete":
        model = Autoencoder(size, hidden=HIDDEN, weight_decay=0.01, **scale)
    elif family == "sparse":
        model = SparseAutoencoder(size, active=max(2, size // 4), hidden=HIDDEN, **scale)
    elif family == "denoising":
        model = DenoisingAutoencoder(size, corruption=Gaussian(noise), hidden=HIDDEN, **scale)
    else:
        model = VariationalAutoencoder(size, loss=GaussianLikelihood(noise), hidden=HIDDEN, **scale)
    return model.fit(part.rows, validation=tune.rows, patience=15)


class Whole:
    """No code: all numbers of the spectrum."""

    def transform(self, rows: np.ndarray) -> np.ndarray:
        return rows

    inverse_transform = transform


def decoder_of(model) -> Callable[[Tensor], Tensor]:
    """From codes to rows, so that gradients flow."""
    if isinstance(model, Whole):
        return lambda code: code
    if isinstance(model, PCA):
        axes, mean = (torch.tensor(x, dtype=torch.float32) for x in (model.components_, model.mean_))
        return lambda code: code @ axes + mean
    network = model.network_.requires_grad_(False)
    return lambda code: network.restore(network.decode(code))


class Error:
    """How far rows are from the true ones, of each crystal."""

    def __init__(self, kind: str) -> None:
        q = centres(native_q_edges())
        self.kind, self.n_q = kind, len(q)
        self.inside = torch.from_numpy((q > LOW_Q) & (q < HIGH_Q))
        self.widths = torch.tensor(np.diff(native_energy_edges()), dtype=torch.float32)

    def __call__(self, found: Tensor, true: Tensor, kernels: Tensor) -> Tensor:
        if self.kind == "dos":
            return (found - true).abs() @ self.widths
        p, t = (x.view(len(x), self.n_q, -1)[:, self.inside] for x in (found.clamp_min(0), true))
        return 1 - cut_cosine(p, t, kernels).mean(dim=1)


class Predictor(nn.Module):
    """From what is known of the atoms to a code, in units of the codes' own mean and spread."""

    def __init__(self, inputs: Tensor, codes: Tensor) -> None:
        super().__init__()
        self.mean, self.scale = inputs.mean(0), inputs.std(0).clamp_min(1e-3)
        self.code_mean, self.code_scale = codes.mean(0), codes.std(0).clamp_min(1e-6)
        self.layers = nn.Sequential(
            nn.Dropout(0.1), nn.Linear(inputs.shape[1], WIDTH), nn.GELU(), nn.Dropout(0.2),
            nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Dropout(0.2), nn.Linear(WIDTH, codes.shape[1]),
        )  # fmt: skip

    def forward(self, inputs: Tensor) -> Tensor:
        x = ((inputs - self.mean) / self.scale).clamp(-8, 8)
        return self.layers(x) * self.code_scale + self.code_mean


def measure(model, parts: dict[str, Part], error: Error, epochs: int) -> tuple[float, float]:
    """Mean error on `val` of true codes and of predicted ones."""
    decode, learn, tune, val = decoder_of(model), parts["learn"], parts["tune"], parts["val"]
    torch.manual_seed(0)
    network = Predictor(learn.inputs, torch.from_numpy(np.asarray(model.transform(learn.rows), np.float32)))

    def of(part: Part, inputs: Tensor, indices) -> Tensor:
        decoded = decode(network(inputs))
        return error(decoded, torch.from_numpy(part.rows[indices]), part.kernels[indices])

    def batches(part: Part) -> Batches:
        return Batches(len(part.rows), lambda indices: (part, np.asarray(indices)))

    fit_network(
        network, lambda _, batch: of(batch[0], batch[0].inputs[batch[1]], batch[1]).mean(), batches(learn),
        validation=batches(tune), epochs=epochs, batch_size=64, learning_rate=1e-3, weight_decay=0.05,
    )  # fmt: skip
    network.eval()
    with torch.inference_mode():
        everything = np.arange(len(val.rows))
        predicted = of(val, val.inputs, everything)
        decoded = torch.from_numpy(np.asarray(model.inverse_transform(model.transform(val.rows)), np.float32))
        kept = error(decoded, torch.from_numpy(val.rows), val.kernels)
    return float(kept.mean()), float(predicted.mean())


def draw(found: dict, path: str) -> None:
    """Errors against the size of the code, predicted and true codes side by side, a row for each kind."""
    kinds = list(dict.fromkeys(kind for kind, _, _ in found))
    figure = Figure(figsize=(9.0, 3.4 * len(kinds)), layout="constrained")
    for axes, kind in zip(figure.subplots(len(kinds), 2, squeeze=False), kinds, strict=True):
        sizes = sorted({size for own, _, size in found if own == kind})
        for number, family in enumerate(family for family in FAMILIES if (kind, family, sizes[0]) in found):
            kept, predicted = zip(*(found[kind, family, size] for size in sizes), strict=True)
            for ax, values in zip(axes, (predicted, kept), strict=True):
                ax.plot(sizes, values, "osD^v"[number] + "-", color=f"C{number}", markersize=5, label=family)
        for ax, title in zip(axes, ("predicted from the structure", "true spectrum, encoded and decoded"), strict=True):
            ax.set(xscale="log", xticks=sizes, xlabel="numbers in the code", ylabel=TITLES[kind], title=title)
            ax.set_xticklabels([str(size) for size in sizes])
            ax.minorticks_off()
            ax.grid(alpha=0.3)
        axes[1].set_yscale("log")
    figure.axes[0].legend(fontsize=8, frameon=False)
    write_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--kinds", default="dos,powder")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--sizes", default="4,8,16,32,64,128,256")
    parser.add_argument("--max-atoms", type=int, default=20, help="of training crystals; those of val up to 40")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--plot")
    options = parser.parse_args()
    torch.set_num_threads(1)
    library, sizes = Library(options.library), [int(size) for size in options.sizes.split(",") if size]
    learn, tune = training_ids(library, options.max_atoms)
    names = {"learn": learn, "tune": tune, "val": library.select("val", max_atoms=40)}
    prepare(library, [name for some in names.values() for name in some])
    print(", ".join(f"{len(some)} {key}" for key, some in names.items()), flush=True)
    found, families = {}, options.families.split(",")
    for kind in options.kinds.split(","):
        parts = {key: Part.of(library, some, kind) for key, some in names.items()}
        print(f"\n{TITLES[kind]}; code kept / predicted\n\n| numbers | " + " | ".join(families) + " |")
        print("|---" * (1 + len(families)) + "|", flush=True)
        for size in sizes:
            for family in families:
                model = autoencoder(family, kind, size, parts["learn"], parts["tune"], options.epochs)
                found[kind, family, size] = measure(model, parts, Error(kind), options.epochs)
            cells = (f"{kept:.4f} / {predicted:.4f}" for kept, predicted in (found[kind, f, size] for f in families))
            print(f"| {size} | " + " | ".join(cells) + " |", flush=True)
        count = parts["learn"].rows.shape[1]
        print(f"no code, {count} numbers: {measure(Whole(), parts, Error(kind), options.epochs)[1]:.4f}", flush=True)
    if options.plot:
        draw(found, options.plot)


if __name__ == "__main__":
    main()
