"""Measured spectra: read, write and clean them, lay theory over them, and what follows from them.

What needs torch, and training, which needs libraries of spectra, are loaded at first use.
"""

from typing import TYPE_CHECKING, Any

from inscape.measured.container import DOS, MAP, check_measured, make_measured
from inscape.measured.reading import holds_measurement, read
from inscape.measured.writing import write

if TYPE_CHECKING:
    from inscape.measured.cleaning import Denoiser, denoise, save_cleaned, shipped_denoiser
    from inscape.measured.training import train_denoiser

__all__ = [
    "DOS", "MAP", "Denoiser", "check_measured", "denoise", "holds_measurement", "make_measured", "read",
    "save_cleaned", "shipped_denoiser", "train_denoiser", "write",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "training" if name == "train_denoiser" else "cleaning"
    return getattr(import_module(f"{__name__}.{home}"), name)
