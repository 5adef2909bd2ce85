"""Noise of few counts in powder maps: a denoising autoencoder, Gaussian smoothing, and projection on components.

    LIBRARY=phonondb.zarr python benchmarks/powder_noise.py [--epochs N] [--checkpoint FILE] [--plot FILE]

Maps S(|Q|,E) at 10 K, E > 1 meV, |Q| from 0.5 to 8.1 1/Å in 38 bins and the energies of the models' grid in 100 bins,
as expected counts. A map of 10² to 10⁵ counts in all is cleaned; the error is ‖p − t‖²/‖t‖², mean over validation
crystals. Widths of smoothing and number of components are the best at each dose on 264 crystals held out; the
autoencoder is one for all doses, which it is not told; in the last column a share of what it leaves of the measurement,
smoothed, is added, which share and how smooth chosen in the same way.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from inscape.autoencoders import PCA, Autoencoder, corrupt
from inscape.autoencoders.corruptions import Poisson
from inscape.library import Library
from inscape.scattering import to_scattering
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model.train import training_ids

DOSES = (1e2, 1e3, 1e4, 1e5)
SHAPE = (38, 100)
WIDTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
METHODS = ("as measured", "smoothing", "components", "autoencoder", "and what it leaves")
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
COMPONENTS = (2, 4, 8, 16, 32, 64, 128, 256, 512)
Maps = np.ndarray
Cleaner = Callable[[Maps], Maps]


def maps(library: Library, names: list[str]) -> Maps:
    """Expected counts in each bin, of mean 1, shape (n, 3800)."""
    q = centres(native_q_edges())[:, None]
    found = np.empty((len(names), *SHAPE), np.float32)
    for row, name in zip(found, names, strict=True):
        row[:] = on_bins(library.arrays(name, "powder")["powder"].astype(float) * q**2)
    found /= found.mean(axis=(1, 2), keepdims=True)
    return found.reshape(len(names), -1)


def on_bins(reduced: np.ndarray) -> np.ndarray:
    """Expected counts at 10 K above 1 meV of a reduced map on native grids, but for a factor, shape `SHAPE`."""
    edges = native_energy_edges()
    energy = centres(edges)
    counts = to_scattering(reduced, energy, 10.0) * np.diff(edges) * (energy > 1.0)
    return counts[5:81].reshape(SHAPE[0], 2, SHAPE[1], 3).sum(axis=(1, 3))


def maps_of_library() -> tuple[Maps, Maps, Maps]:
    """Maps to learn from, to tune on, and of validation crystals, of the library that LIBRARY names."""
    if not os.environ.get("LIBRARY"):
        sys.exit("this benchmark needs a library: set LIBRARY to its path (make bench LIBRARY=phonondb.zarr)")
    library = Library(os.environ["LIBRARY"])
    learn, tune = training_ids(library, 40)
    return maps(library, learn), maps(library, tune), maps(library, library.select("val", max_atoms=40))


def error(found: Maps, true: Maps) -> float:
    """Mean relative squared error."""
    return float(np.mean(((found - true) ** 2).sum(axis=1) / (true**2).sum(axis=1)))


def smoothing(q: float, energy: float) -> Cleaner:
    """Gaussian smoothing of so many bins along |Q| and energy."""
    return lambda x: gaussian_filter(x.reshape(-1, *SHAPE), (0, q, energy)).reshape(len(x), -1)


def with_rest(clean: Cleaner, share: float, q: float, energy: float) -> Cleaner:
    """What a cleaner finds, and a share of what it leaves, smoothed."""

    def both(x: Maps) -> Maps:
        found = clean(x)
        return np.clip(found + share * smoothing(q, energy)(x - found), 0, None)

    return both


def projection(pca: PCA, k: int) -> Cleaner:
    """The first k components, and nothing negative."""
    axes = pca.components_[:k]
    return lambda x: np.clip((x - pca.mean_) @ axes.T @ axes + pca.mean_, 0, None)


class Remembering:
    """A cleaner that keeps what it found for each array it was given."""

    def __init__(self, clean: Cleaner) -> None:
        self.clean = clean
        self.found: dict[int, Maps] = {}

    def __call__(self, x: Maps) -> Maps:
        if id(x) not in self.found:
            self.found[id(x)] = self.clean(x)
        return self.found[id(x)]


def main() -> None:
    """Train, measure, print, draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--checkpoint")
    parser.add_argument("--plot", type=Path, default=Path(__file__).parents[1] / "docs" / "images" / "powder-noise.png")
    options = parser.parse_args()
    X, held_out, true = maps_of_library()
    pca = PCA(max(COMPONENTS), solver="randomised", random_state=0).fit(X)
    model = Autoencoder(
        256, hidden=(1024,), corruption=Poisson((DOSES[0] / 2, 2 * DOSES[-1])), output="nonnegative",
        epochs=options.epochs, learning_rate=1e-3, weight_decay=0.01, random_state=0,
    ).fit(
        X, validation=held_out, sample_weight=1 / np.sum(X**2, axis=1), checkpoint=options.checkpoint,
        resume=options.checkpoint is not None,
    )  # fmt: skip
    print(f"{len(X)} maps to learn from, {model.history_[-1].epoch} epochs\n")
    print(f"| counts | {' | '.join(METHODS)} |\n|{'---|' * (len(METHODS) + 1)}")
    shown = []
    for dose in DOSES:
        seen, noisy = (corrupt(x, Poisson(dose), random_state=1) for x in (held_out, true))
        by_code = Remembering(lambda x: model.inverse_transform(model.transform(x)))
        groups: list[dict[tuple[float, ...], Cleaner]] = [
            {(q, e): smoothing(q, e) for q, e in product(WIDTHS, WIDTHS)},
            {(k,): projection(pca, k) for k in COMPONENTS},
            {(): by_code},
            {(s, q, e): with_rest(by_code, s, q, e) for s, q, e in product(SHARES, WIDTHS, WIDTHS)},
        ]
        best = [min(group, key=lambda k, g=group: error(g[k](seen), held_out)) for group in groups]
        cleaned = [noisy, *(group[k](noisy) for group, k in zip(groups, best, strict=True))]
        notes = ("", *(f" ({', '.join(f'{x:g}' for x in k)})" if k else "" for k in best))
        print(f"| {dose:.0e} | {' | '.join(f'{error(x, true):.4f}{n}' for x, n in zip(cleaned, notes, strict=True))} |")
        shown.append([true[0], *(x[0] for x in cleaned)])
    draw(shown, options.plot)


def draw(shown: list[list[Maps]], path: Path) -> None:
    """The first validation crystal: what is true, measured, and made of it, a row a dose."""
    figure = Figure(figsize=(12, 2 * len(DOSES)), layout="constrained")
    axes = figure.subplots(len(DOSES), 6, sharex=True, sharey=True)
    top = native_energy_edges()[3 * (int(np.flatnonzero(shown[0][0].reshape(SHAPE).sum(axis=0)).max()) + 2)]
    for row, maps_of_row, dose in zip(axes, shown, DOSES, strict=True):
        for ax, values in zip(row, maps_of_row, strict=True):
            norm = LogNorm(maps_of_row[0].max() * 1e-3, maps_of_row[0].max())
            density = values.reshape(SHAPE).T
            ax.pcolormesh(
                0.5 + 0.2 * np.arange(39), native_energy_edges()[::3], density.clip(norm.vmin), norm=norm, cmap="magma"
            )
            ax.set_ylim(0, top)
        row[0].set_ylabel(f"{dose:.0e} counts\nenergy (meV)", fontsize="small")
    for ax, title in zip(
        axes[0], ("true", "as measured", "smoothing", "components", "autoencoder", "and what it leaves"), strict=True
    ):
        ax.set_title(title, fontsize="medium")
    for ax in axes[-1]:
        ax.set_xlabel("|Q| (1/Å)", fontsize="small")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
