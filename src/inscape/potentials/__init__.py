"""Universal interatomic potentials: one file each."""

from inscape.potentials.sevennet import SevenNetFeatures

__all__ = ["SevenNetFeatures"]
