"""Denoising MNIST: a denoising autoencoder, projection on principal components, and non-local means.

    python benchmarks/mnist_denoise.py MNIST_FOLDER [--epochs N] [--pictures FILE.png]

PSNR in dB, mean over test images, of a Gaussian of σ = 0.5 and of 50 % of the pixels set to 0. Number of components
and strength of non-local means are the best on 500 training images.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import torch
from mnist import load_mnist
from skimage.restoration import denoise_nl_means

from inscape.autoencoders import PCA, Autoencoder, corrupt
from inscape.autoencoders.corruptions import Corruption, Gaussian, Masking

Images = np.ndarray
NOISES: dict[str, Corruption] = {"Gaussian, σ = 0.5": Gaussian(0.5), "50 % masked": Masking(0.5, 0.0)}


def psnr(found: Images, true: Images) -> float:
    """Mean over images of 10 log10(1/mean squared error)."""
    return float(np.mean(10 * np.log10(1 / np.mean((np.clip(found, 0, 1) - true) ** 2, axis=1))))


def non_local_means(noisy: Images, strength: float) -> Images:
    """scikit-image's, patches of 5 × 5 within 11 × 11."""
    options = {"patch_size": 5, "patch_distance": 6, "h": strength, "sigma": 0.5, "fast_mode": True}
    return np.stack([denoise_nl_means(image.reshape(28, 28), **options).ravel() for image in noisy])


def candidates(X: Images, noise: Corruption, epochs: int) -> dict[str, object]:
    """Functions of noisy images, each at its best on training images."""
    clean = X[:500]
    noisy = corrupt(clean, noise, random_state=1)
    coders = [PCA(k).fit(X) for k in (16, 32, 48, 64, 96)]
    projections = [lambda v, c=c: c.inverse_transform(c.transform(v)) for c in coders]
    means = [lambda v, h=h: non_local_means(v, h) for h in (0.1, 0.2, 0.3, 0.4, 0.6)]
    best = [max(group, key=lambda f: psnr(f(noisy), clean)) for group in (projections, means)]
    model = Autoencoder(
        128, hidden=(1000,), corruption=noise, init="random", epochs=epochs, learning_rate=1e-3, random_state=0
    ).fit(X)
    return {
        "noisy": lambda v: v,
        "PCA, best of 16 to 96": best[0],
        "non-local means, best of 5": best[1],
        "denoising autoencoder": lambda v: model.inverse_transform(model.transform(v)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--limit", type=int, help="images to train on (60,000)")
    parser.add_argument("--test", type=int, default=2000, help="images to test on")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--pictures", help="file for a picture of eight images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    X, test = load_mnist(options.folder, "train", options.limit)[0], load_mnist(options.folder, "t10k")[0]
    test = test[: options.test]
    sys.stdout.write(f"{len(X)} training images, {options.epochs} epochs, {len(test)} test images\n\n")
    strips: list[tuple[str, Images]] = [("clean", test[:8])]
    for name, noise in NOISES.items():
        sys.stdout.write(f"| {name} | PSNR, dB |\n|---|---|\n")
        noisy = corrupt(test, noise, random_state=2)
        for who, function in candidates(X, noise, options.epochs).items():
            found = function(noisy)
            strips.append((f"{name}: {who}", found[:8]))
            sys.stdout.write(f"| {who} | {psnr(found, test):.2f} |\n")
            sys.stdout.flush()
        sys.stdout.write("\n")
    if options.pictures:
        draw(strips, options.pictures)


def draw(strips: list[tuple[str, Images]], path: str) -> None:
    """Rows of eight images, a row a method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.8 * len(strips)), layout="constrained")
    for ax, (name, images) in zip(figure.subplots(len(strips), 1), strips, strict=True):
        ax.imshow(np.clip(np.hstack(images.reshape(-1, 28, 28)), 0, 1), cmap="gray_r")
        ax.set_axis_off()
        ax.set_title(name, fontsize=7, loc="left", pad=1)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
