"""Autoencoders: spectra, images or any table to short codes and back.

Every estimator has `fit`, `transform`, `inverse_transform`, `score`, `get_feature_names_out`, `save` and `load`.
"""

from __future__ import annotations

from pathlib import Path

from inscape.autoencoders.autoencoder import Autoencoder
from inscape.autoencoders.base import BaseAutoencoder
from inscape.autoencoders.pca import PCA
from inscape.errors import WeightsError
from inscape.training import load_weights

__all__ = ["PCA", "Autoencoder", "BaseAutoencoder", "load"]

FAMILIES: dict[str, type[BaseAutoencoder]] = {"Autoencoder": Autoencoder, "PCA": PCA}


def load(path: str | Path) -> BaseAutoencoder:
    """The estimator in a file, whichever family it is of; `WeightsError` if the file is missing, damaged or foreign."""
    name = load_weights(path)[1].class_name
    if name not in FAMILIES:
        raise WeightsError(f"{path} holds a {name}, which is no autoencoder; known are {', '.join(sorted(FAMILIES))}")
    return FAMILIES[name].load(path)
