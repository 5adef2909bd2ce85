"""Autoencoders: spectra, images or any table to short codes and back.

Every estimator has `fit`, `transform`, `inverse_transform`, `score`, `get_feature_names_out`, `save` and `load`.
`Autoencoder` takes what else is asked of a code as objects: `inscape.autoencoders.penalties`, what is done to samples
in training: `inscape.autoencoders.corruptions`, and what an error costs: `inscape.autoencoders.losses`. PCA, NMF and
sparse PCA have the same interface.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inscape.autoencoders.autoencoder import Autoencoder
from inscape.autoencoders.base import BaseAutoencoder
from inscape.autoencoders.baselines import NMF, SparsePCA
from inscape.autoencoders.corruptions import corrupt
from inscape.autoencoders.generation import elbo, sample
from inscape.autoencoders.named import (
    ContractiveAutoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
)
from inscape.autoencoders.pca import PCA
from inscape.errors import WeightsError
from inscape.training import load_weights

__all__ = [
    "NMF", "PCA", "Autoencoder", "BaseAutoencoder", "ContractiveAutoencoder", "DenoisingAutoencoder",
    "SparseAutoencoder", "SparsePCA", "VariationalAutoencoder", "corrupt", "elbo", "load", "sample",
]  # fmt: skip

FAMILIES: dict[str, type[BaseAutoencoder]] = {
    family.__name__: family
    for family in (
        Autoencoder, PCA, NMF, SparsePCA, SparseAutoencoder, DenoisingAutoencoder, ContractiveAutoencoder,
        VariationalAutoencoder,
    )
}  # fmt: skip


def load(path: str | Path, **parameters: Any) -> BaseAutoencoder:
    """The estimator in a file, whichever family it is of; `WeightsError` if the file is missing, damaged or foreign.

    ``parameters`` are constructor parameters that no file can hold, torch modules given as ``architecture``.
    """
    name = load_weights(path)[1].class_name
    if name not in FAMILIES:
        raise WeightsError(f"{path} holds a {name}, which is no autoencoder; known are {', '.join(sorted(FAMILIES))}")
    return FAMILIES[name].load(path, **parameters)
