"""Which crystals train, tune and report: published ids, and a division by chemical system."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from inscape.errors import LibraryError

SPLITS = ("train", "val", "test")


def read_splits(path: str | Path) -> dict[str, str]:
    """Split of each id, from a JSON file ``{"train": [ids], "val": [ids], "test": [ids]}``.

    Raises
    ------
    LibraryError
        Unreadable, other keys, or an id in two splits.
    """
    try:
        lists = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise LibraryError(f"{path}: cannot be read as a JSON file of splits ({error})") from error
    if not isinstance(lists, dict) or not set(SPLITS) >= {k for k, v in lists.items() if isinstance(v, list)} != set():
        raise LibraryError(f"{path}: expected lists of ids named {', '.join(SPLITS)}")
    found: dict[str, str] = {}
    for split in SPLITS:
        for name in lists.get(split, []):
            if name in found:
                raise LibraryError(f"{path}: {name} is in both {found[name]} and {split}; an id may be in one only")
            found[name] = split
    return found


def chemical_system(formula: str) -> str:
    """Elements of a formula, sorted, as ``Na-O-Si``."""
    return "-".join(sorted(set(re.findall(r"[A-Z][a-z]?", formula))))


def in_tuning_part(formula: str, *, percent: int = 5) -> bool:
    """Whether a training crystal belongs to the part kept for tuning: by chemical system, always the same ones."""
    digest = hashlib.sha256(chemical_system(formula).encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < percent


def composition(formula: str) -> NDArray[np.float64]:
    """Share of each element in a formula, shape (119,), by atomic number."""
    shares = np.zeros(119)
    for symbol, count in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
        shares[1 if symbol in {"D", "T"} else atomic_numbers[symbol]] += int(count or 1)
    return np.asarray(shares / shares.sum())
