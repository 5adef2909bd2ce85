"""Sparse codes of MNIST, 1,000 elements of which about 25 are active, and a logistic regression on them.

    python benchmarks/mnist_sparse.py MNIST_FOLDER [--kind K] [--epochs N] [--checkpoint FILE]

Kinds: *topk*, one linear layer, and the 25 largest numbers of each image are active; *lifetime*, the same with each
element active for 2.5 % of the images; *deformed*, that with convolutions before the code, learnt from images that are
turned, sheared, moved and bent, and have to come out as they were. The strength of the regression's penalty is chosen
on 10,000 of the training images.

Anchor: 1.35 % error (A. Makhzani and B. Frey, arXiv:1312.5663, table 2: k-sparse autoencoder, 1,000 hidden units,
k = 25, then logistic regression).
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch
from mnist import load_mnist
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from inscape.autoencoders import Autoencoder
from inscape.autoencoders.corruptions import Deformation
from inscape.autoencoders.penalties import Lifetime, TopK, UnitNorm

N, ACTIVE = 1000, 25
CHOOSING = 10_000
STRENGTHS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)

Array = NDArray[np.float32]


def sparse_autoencoder(kind: str, epochs: int) -> Autoencoder:
    """The estimator of a kind, for images (n, 1, 28, 28)."""
    options = {"epochs": epochs, "learning_rate": 1e-3, "random_state": 0}
    if kind == "topk":
        return Autoencoder(N, hidden=(), penalty=(TopK(ACTIVE), UnitNorm()), batch_size=128, **options)
    penalty = (Lifetime(ACTIVE / N), UnitNorm())
    if kind == "lifetime":
        return Autoencoder(N, hidden=(), penalty=penalty, batch_size=256, **options)
    torch.manual_seed(0)
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 5, stride=2, padding=2), nn.GELU(), nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.GELU(),
        nn.Flatten(), nn.Linear(64 * 7 * 7, N),
    )  # fmt: skip
    return Autoencoder(
        N, architecture=(encoder, nn.Linear(N, 784)), penalty=penalty, corruption=Deformation(), batch_size=256,
        **options,
    )  # fmt: skip


def regression(X: Array, y: Array, strength: float) -> LogisticRegression:
    """Fitted to features of equal spread."""
    model = make_pipeline(
        StandardScaler(with_mean=False), LogisticRegression(C=strength, max_iter=300, tol=1e-3)
    )
    return model.fit(X, y)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--kind", choices=["topk", "lifetime", "deformed"], default="deformed")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--checkpoint")
    options = parser.parse_args()
    torch.set_num_threads(1)
    X, y = load_mnist(options.folder, "train")
    test, answers = load_mnist(options.folder, "t10k")
    start = time.process_time()
    model = sparse_autoencoder(options.kind, options.epochs).fit(
        X.reshape(-1, 1, 28, 28), checkpoint=options.checkpoint, resume=options.checkpoint is not None
    )
    took = time.process_time() - start
    codes, unseen = (model.transform(images.reshape(-1, 1, 28, 28)) for images in (X, test))
    sys.stdout.write(
        f"{options.kind}, {options.epochs} epochs, {took / 60:.0f} min of processor time; "
        f"active {np.count_nonzero(unseen, axis=1).mean():.1f}, dead {100 * (model.activity_ == 0).mean():.1f} %, "
        f"R2 of test images {model.score(test.reshape(-1, 1, 28, 28)):.3f}\n"
    )
    sys.stdout.flush()
    for name, values, new in (("codes", codes, unseen), ("pixels", X, test)):
        tried = {
            strength: np.mean(
                regression(values[:-CHOOSING], y[:-CHOOSING], strength).predict(values[-CHOOSING:]) != y[-CHOOSING:]
            )
            for strength in STRENGTHS
        }
        best = min(tried, key=tried.__getitem__)
        wrong = np.mean(regression(values, y, best).predict(new) != answers)
        sys.stdout.write(
            f"logistic regression on {name}, C = {best:g} ({100 * tried[best]:.2f} % of images to choose by wrong): "
            f"{100 * wrong:.2f} % of test images wrong\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
