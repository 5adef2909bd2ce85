"""A bar for what is done crystal by crystal before training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tqdm import tqdm

Progress = Callable[[int, int, str], None]
"""Takes how many are done, how many there are, and the name of the last."""


def crystal_bar(progress: bool, description: str) -> Progress | None:
    """What shows the bar; None where none is wanted."""
    if not progress:
        return None
    bar: Any = tqdm(unit="crystal", desc=description)

    def show(done: int, total: int, name: str) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return show
