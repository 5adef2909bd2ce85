"""Deep autoencoders of MNIST with 30 numbers: squared error per test image.

    python benchmarks/mnist_deep.py MNIST_FOLDER [--kind dense|convolutional] [--epochs N] [--checkpoint FILE]

Anchors: 3.00, and 13.87 for PCA (G. E. Hinton and R. R. Salakhutdinov, Science 313, 504, 2006; 784-1000-500-250-30).
The last 5,000 training images choose the epoch; test images are only judged. With a checkpoint a run that was
interrupted goes on.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from mnist import load_mnist

from inscape.autoencoders import PCA, Autoencoder

NETWORKS = {
    "dense": {"hidden": (1000, 500, 250), "weight_decay": 0.1},
    "convolutional": {"architecture": "convolutional", "hidden": (32, 64, 128), "weight_decay": 1e-4},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--kind", choices=list(NETWORKS), default="dense")
    parser.add_argument("--limit", type=int, help="images to train on (55,000)")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--minutes", type=float, help="stop after this time")
    parser.add_argument("--checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    X, test = load_mnist(options.folder, "train")[0], load_mnist(options.folder, "t10k")[0]
    if options.kind == "convolutional":
        X, test = X.reshape(-1, 1, 28, 28), test.reshape(-1, 1, 28, 28)
    learn, tune = X[:55000][: options.limit], X[55000:]
    start, busy = time.perf_counter(), time.process_time()
    model = Autoencoder(
        30, output="probability", epochs=options.epochs, batch_size=128, learning_rate=2e-3, random_state=0
    )
    model.set_params(**NETWORKS[options.kind]).fit(
        learn, validation=tune, checkpoint=options.checkpoint, resume=options.checkpoint is not None,
        max_minutes=options.minutes,
    )  # fmt: skip
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    pca = PCA(30).fit(learn)
    errors = [np.square(m.inverse_transform(m.transform(test)) - test).sum() / len(test) for m in (model, pca)]
    print(
        f"{options.kind} {NETWORKS[options.kind]}: {len(learn)} images, {model.history_[-1].epoch} of {options.epochs} "
        f"epochs, {seconds / 60:.0f} min, {busy / 60:.0f} min of processor time"
    )
    print(f"squared error per test image {errors[0]:.2f}, PCA-30 {errors[1]:.2f}")


if __name__ == "__main__":
    main()
