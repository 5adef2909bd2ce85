"""Universal interatomic potentials: one file each."""

from inscape.potentials.sevennet import SevenNetFeatures, neighbours

__all__ = ["SevenNetFeatures", "neighbours"]
