"""The one training loop, its checkpoints, and the files that hold trained weights.

`fit_network` trains any torch module on any loss; `save_weights` and `load_weights` are the files of what it found.
"""

from inscape.training.batches import Batches
from inscape.training.files import WEIGHTS, Header, below, load_weights, read_tensors, save_weights, write_tensors
from inscape.training.history import Epoch, best_epoch, tensorboard
from inscape.training.loop import fit_network

__all__ = [
    "WEIGHTS", "Batches", "Epoch", "Header", "below", "best_epoch", "fit_network", "load_weights", "read_tensors",
    "save_weights", "tensorboard", "write_tensors",
]  # fmt: skip
