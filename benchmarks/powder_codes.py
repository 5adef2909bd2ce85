"""Fifty numbers for a powder map: our autoencoder, INSPIRED's layers, and principal components.

    LIBRARY=phonondb.zarr python benchmarks/powder_codes.py [--epochs N]

Whole maps S(|Q|,E) as in `powder_noise.py`, 38 × 100 bins; the error is ‖p − t‖²/‖t‖² of validation crystals, mean and
median, and both autoencoders are trained for it (samples weighted by 1/‖t‖²). The decoder of INSPIRED (B. Han et al.,
2024) goes 50–500–2500–bins, there with 90,000 bins and 226 million parameters; its encoder is here the mirror image.
"""

from __future__ import annotations

import argparse

import numpy as np
from powder_noise import maps_of_library

from inscape.autoencoders import PCA, Autoencoder

N_COMPONENTS = 50
KINDS = {
    "autoencoder, 512 wide, beside principal axes": {"hidden": (512,), "learning_rate": 1e-3},
    "INSPIRED's layers": {"hidden": (2500, 500), "activation": "relu", "init": "random", "learning_rate": 3e-4},
}


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    X, held_out, true = maps_of_library()
    models = {"principal components": PCA(N_COMPONENTS).fit(X, sample_weight=1 / np.sum(X**2, axis=1))}
    print("| 50 numbers | parameters of the decoder | error, mean | median |\n|---|---|---|---|")
    for name, settings in KINDS.items():
        models[name] = Autoencoder(
            N_COMPONENTS, output="nonnegative", epochs=options.epochs, weight_decay=0.01, random_state=0, **settings
        ).fit(X, validation=held_out, sample_weight=1 / np.sum(X**2, axis=1))
    for name, model in models.items():
        found = model.inverse_transform(model.transform(true)).clip(min=0)
        errors = ((found - true) ** 2).sum(axis=1) / (true**2).sum(axis=1)
        size = N_COMPONENTS * X.shape[1]
        if name in KINDS:
            network = model.network_
            size = sum(p.numel() for p in network.decoder.parameters()) + network.axes.numel()
        print(f"| {name} | {size / 1e6:.2f} million | {errors.mean():.4f} | {np.median(errors):.4f} |", flush=True)


if __name__ == "__main__":
    main()
