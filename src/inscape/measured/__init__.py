"""Measured powder maps: noise removed, gaps filled, and how much of that is to be believed.

Training, which needs libraries of spectra and with them lattice dynamics, is loaded at first use.
"""

from typing import TYPE_CHECKING, Any

from inscape.measured.cleaning import Denoiser, denoise, shipped_denoiser

if TYPE_CHECKING:
    from inscape.measured.training import train_denoiser

__all__ = ["Denoiser", "denoise", "shipped_denoiser", "train_denoiser"]


def __getattr__(name: str) -> Any:
    if name != "train_denoiser":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.training"), name)
