"""A linear autoencoder, trained by gradient from random weights, against PCA, which is its optimum.

    python benchmarks/mnist_pca.py MNIST_FOLDER [--limit N] [--epochs N]

Squared error of test images over that of PCA, and the largest principal angle between the decoder's columns and the
principal axes.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch
from mnist import load_mnist
from scipy.linalg import subspace_angles

from inscape.autoencoders import PCA, Autoencoder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--limit", type=int, help="images to train on (all 60,000)")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 8, 32])
    options = parser.parse_args()
    torch.set_num_threads(1)
    X, test = load_mnist(options.folder, "train", options.limit)[0], load_mnist(options.folder, "t10k")[0]
    sys.stdout.write(
        f"{len(X)} training images, {options.epochs} epochs\n\n"
        "| code | PCA, squared error per image | gradient | ratio | largest angle | time |\n|---|---|---|---|---|---|\n"
    )
    for k in options.sizes:
        pca, start = PCA(k).fit(X), time.perf_counter()
        model = Autoencoder(
            k, hidden=(), activation="linear", init="random", weight_decay=0.0, learning_rate=options.rate,
            batch_size=500, epochs=options.epochs, random_state=0,
        ).fit(X)  # fmt: skip
        seconds = time.perf_counter() - start
        by_pca, ours = (np.square(m.inverse_transform(m.transform(test)) - test).sum(1).mean() for m in (pca, model))
        atoms = model.network_.decoder[0].weight.detach().numpy() * model.network_.scale.numpy()[:, None]
        angle = np.degrees(subspace_angles(atoms.astype(float), pca.components_.T.astype(float)).max())
        ratio = ours / by_pca
        sys.stdout.write(f"| {k} | {by_pca:.4f} | {ours:.4f} | {ratio:.5f} | {angle:.2f}° | {seconds:.0f} s |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
