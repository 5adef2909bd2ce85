"""Crystals as the page draws them."""

from __future__ import annotations

from typing import Any

from inscape.bonding import drawn_cell
from inscape.structures import Crystal


def cell_view(crystal: Crystal) -> dict[str, Any]:
    """The conventional cell of a crystal."""
    drawn = drawn_cell(crystal)
    return {
        "lattice": drawn.lattice.tolist(),
        "symbols": list(drawn.symbols),
        "positions": drawn.positions.tolist(),
        "bonds": drawn.bonds.tolist(),
    }
