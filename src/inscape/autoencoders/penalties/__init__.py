"""What may be asked of a code besides a small error: one object each, freely combined in a tuple."""

from inscape.autoencoders.penalties.base import Pass, Penalty
from inscape.autoencoders.penalties.contractive import Contractive
from inscape.autoencoders.penalties.decoders import Orthogonal, Tied, UnitNorm
from inscape.autoencoders.penalties.sparsity import L1, Activity, BatchTopK, JumpReLU, Lifetime, Matryoshka, TopK
from inscape.autoencoders.penalties.variational import Variational

__all__ = [
    "L1", "Activity", "BatchTopK", "Contractive", "JumpReLU", "Lifetime", "Matryoshka", "Orthogonal", "Pass", "Penalty",
    "Tied", "TopK", "UnitNorm", "Variational",
]  # fmt: skip
