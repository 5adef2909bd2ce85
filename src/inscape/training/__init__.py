"""The one training loop, its checkpoints, and the files that hold trained weights.

`fit_network` trains any torch module on any loss; `save_weights` and `load_weights` are the files of what it found.
"""

from inscape.training.batches import Batches, names_digest
from inscape.training.files import WEIGHTS, Header, below, load_weights, read_tensors, save_weights, write_tensors
from inscape.training.history import Epoch, best_epoch, tensorboard
from inscape.training.loop import fit_network
from inscape.training.progress import crystal_bar

__all__ = [
    "WEIGHTS", "Batches", "Epoch", "Header", "below", "best_epoch", "crystal_bar", "fit_network", "load_weights",
    "names_digest", "read_tensors", "save_weights", "tensorboard", "write_tensors",
]  # fmt: skip
