"""Sparse codes of MNIST, 1,000 elements of which about 25 are active, and a logistic regression on them.

    python benchmarks/mnist_sparse.py MNIST_FOLDER [--epochs N] [--checkpoint FILE]

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
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from inscape.autoencoders import Autoencoder
from inscape.autoencoders.penalties import BatchTopK, TopK, UnitNorm


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--limit", type=int, help="images to train on (60,000)")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--penalty", choices=["topk", "batchtopk"], default="topk")
    parser.add_argument("--active", type=int, default=25)
    parser.add_argument("--checkpoint")
    options = parser.parse_args()
    torch.set_num_threads(1)
    X, y = load_mnist(options.folder, "train", options.limit)
    test, answers = load_mnist(options.folder, "t10k")
    start = time.perf_counter()
    kind = {"topk": TopK, "batchtopk": BatchTopK}[options.penalty]
    model = Autoencoder(
        1000, hidden=(), penalty=(kind(options.active), UnitNorm()), epochs=options.epochs, batch_size=128,
        learning_rate=1e-3, weight_decay=0.0, random_state=0,
    ).fit(X, checkpoint=options.checkpoint, resume=options.checkpoint is not None)  # fmt: skip
    fitted = time.perf_counter() - start
    codes, unseen = model.transform(X), model.transform(test)
    sys.stdout.write(
        f"{kind.__name__}({options.active}), {len(X)} images, {options.epochs} epochs, {fitted:.0f} s; "
        f"active {np.count_nonzero(unseen, axis=1).mean():.1f}, dead {100 * (model.activity_ == 0).mean():.1f} %, "
        f"R2 of test images {model.score(test):.3f}\n"
    )
    sys.stdout.flush()
    for name, values, new in (("codes", codes, unseen), ("pixels", X, test)):
        classifier = make_pipeline(MaxAbsScaler(), LogisticRegression(C=0.3, max_iter=200, tol=1e-3)).fit(values, y)
        wrong = np.mean(classifier.predict(new) != answers)
        sys.stdout.write(f"logistic regression on {name}: {100 * wrong:.2f} % of test images wrong\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
