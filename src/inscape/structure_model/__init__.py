"""From structure to codes and densities of states: features, networks, training, and the shipped model."""

from inscape.structure_model.model import Structure, StructureModel, shipped_model
from inscape.structure_model.train import train_autoencoder, train_structure

__all__ = ["Structure", "StructureModel", "shipped_model", "train_autoencoder", "train_structure"]
