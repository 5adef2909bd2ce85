"""How many labelled spectra does a classifier need, on codes and on raw spectra?

    LIBRARY=phonondb.zarr python benchmarks/spectral_labels.py [--draws N] [--plot FILE]

The anion of a crystal (its most electronegative element, of ten) from its total density of states, by its nearest
neighbours and by logistic regression (number of neighbours and regularisation by cross-validation): on the code of the
shipped autoencoder (32 numbers), on as many principal components, on the cumulative curve that both were given, and
on the density of states itself, the share of each of 300 bins. Labels are drawn at random from the training crystals,
several times; the figures are balanced accuracies on the validation crystals. Autoencoder and components were fitted
without labels.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier

from inscape.autoencoders import PCA
from inscape.library import Library
from inscape.spectra import native_energy_edges
from inscape.structure_model import shipped_model
from inscape.structure_model.train import training_ids

ANIONS = ("F", "O", "Cl", "N", "Br", "I", "S", "Se", "Te", "P")  # by falling electronegativity
COUNTS = (50, 100, 200, 400, 800, 1600, 3200)
CLASSIFIERS = {
    "nearest neighbours": (KNeighborsClassifier(weights="distance"), {"n_neighbors": [1, 3, 7]}),
    "logistic regression": (LogisticRegression(max_iter=300), {"C": np.logspace(-1, 3, 5)}),
}


def labelled(library: Library, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Share of each bin in the density of states, shape (n, 300), and the anion, of crystals with one of the ten."""
    width = np.diff(native_energy_edges())
    spectra, anions = [], []
    for name in names:
        elements = re.findall("[A-Z][a-z]?", library.entries[name].formula)
        anion = next((a for a in ANIONS if a in elements), None)
        if anion is not None:
            total = library.arrays(name, "partial_dos")["partial_dos"].sum(axis=0).astype(float)
            spectra.append(total * width / (total @ width))
            anions.append(anion)
    return np.array(spectra), np.array(anions)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument(
        "--plot", type=Path, default=Path(__file__).parents[1] / "docs" / "images" / "spectral-labels.png"
    )
    options = parser.parse_args()
    if not os.environ.get("LIBRARY"):
        sys.exit("this benchmark needs a library: set LIBRARY to its path (make bench LIBRARY=phonondb.zarr)")
    warnings.simplefilter("ignore")  # of classes that a fold lacks
    library = Library(os.environ["LIBRARY"])
    (known, y), (unseen, answers) = (
        labelled(library, names) for names in (training_ids(library, 40)[0], library.select("val", max_atoms=40))
    )
    curves, unseen_curves = (np.cumsum(x, axis=1).astype(np.float32) for x in (known, unseen))
    coder = shipped_model().autoencoders["dos"]
    pca = PCA(coder.n_components, random_state=0).fit(curves)
    inputs = {
        f"code, {coder.n_components} numbers": (coder.transform(curves), coder.transform(unseen_curves)),
        f"PCA, {coder.n_components} numbers": (pca.transform(curves), pca.transform(unseen_curves)),
        "cumulative curve, 300 numbers": (curves, unseen_curves),
        "density of states, 300 numbers": (known, unseen),
    }
    print(f"{len(y)} training and {len(answers)} validation crystals, {len(set(y))} anions, {options.draws} draws")
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (name, (classifier, grid)) in zip(axes, CLASSIFIERS.items(), strict=True):
        print(f"\n| {name}: labels | {' | '.join(inputs)} |\n|{'---|' * (len(inputs) + 1)}")
        accuracy = np.zeros((len(inputs), len(COUNTS), options.draws))
        for place, count in enumerate(COUNTS):
            for draw in range(options.draws):
                chosen = np.random.default_rng(draw).permutation(len(y))[:count]
                for row, (x, new) in zip(accuracy, inputs.values(), strict=True):
                    scale = x.std()
                    model = GridSearchCV(classifier, grid, cv=3).fit(x[chosen] / scale, y[chosen])
                    row[place, draw] = balanced_accuracy_score(answers, model.predict(new / scale))
            cells = [f"{row[place].mean():.3f} ± {row[place].std():.3f}" for row in accuracy]
            print(f"| {count} | {' | '.join(cells)} |", flush=True)
        for label, row in zip(inputs, accuracy, strict=True):
            ax.errorbar(COUNTS, row.mean(axis=1), row.std(axis=1), marker="o", ms=4, capsize=2, label=label)
        ax.axhline(1 / len(set(y)), color="0.6", ls="--", lw=0.8, label="by chance")
        ax.set(xscale="log", xlabel="labelled crystals", title=name, ylim=(0, None))
    axes[0].set_ylabel("balanced accuracy")
    axes[0].legend(frameon=False, fontsize="small")
    figure.savefig(options.plot, dpi=130)


if __name__ == "__main__":
    main()
