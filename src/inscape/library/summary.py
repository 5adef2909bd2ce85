"""What a library holds, in a few numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import Any

from inscape.library.index import Entry
from inscape.library.splits import SPLITS, chemical_system
from inscape.library.store import Library


def summarise(library: Library) -> dict[str, Any]:
    """Counts of each split and of all, failures by reason, duplicates, bytes and seconds a crystal; ready for JSON."""
    entries = list(library.entries.values())
    found = {entry.split for entry in entries}
    splits = [*(s for s in SPLITS if s in found), *sorted(found - set(SPLITS))]
    counts = {split: _counts([e for e in entries if e.split == split]) for split in splits}
    size = library.size()
    return {
        "path": str(library.path),
        "crystals": len(entries),
        "splits": {**counts, "all": _counts(entries)},
        "failures": group_reasons(failure.reason for failure in library.failures.values()),
        "duplicates": library.duplicates,
        "bytes": size,
        "bytes_per_crystal": size // max(len(entries), 1),
        "median_seconds": median([e.seconds for e in entries]) if entries else 0.0,
        "settings": library.attributes["settings"],
    }


def group_reasons(reasons: Iterable[str]) -> dict[str, int]:
    """How often each reason occurs, most frequent first; file names and numbers in it are left out."""
    bare = (re.sub(r"\d+(\.\d+)?(e-?\d+)?", "N", re.sub(r"\S*/\S*|\S+\.tar\.\w+:?", "…", reason)) for reason in reasons)
    return dict(Counter(bare).most_common())


def _counts(entries: list[Entry]) -> dict[str, float]:
    return {
        "crystals": len(entries),
        "clean": sum(e.clean for e in entries),
        "imaginary": sum(e.imaginary_share > 0 for e in entries),
        "born": sum(e.has_born for e in entries),
        "hydrogen": sum(bool({"H", "D", "T"} & set(chemical_system(e.formula).split("-"))) for e in entries),
        "median_atoms": median([e.n_atoms for e in entries]) if entries else 0,
        "max_atoms": max((e.n_atoms for e in entries), default=0),
    }
