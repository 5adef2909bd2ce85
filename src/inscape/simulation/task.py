"""A simulation as text in, file out: for processes of their own, here or on a cluster.

``python -m inscape.simulation.task FILE`` reads the text as one line from standard input, writes FILE, and says on
standard output how far it is, a line of JSON each. It ends when standard input is closed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

from inscape.errors import InscapeError
from inscape.simulation.simulate import Progress, simulate
from inscape.structures import Crystal


def task_text(crystal: Crystal, options: dict[str, Any]) -> str:
    """A simulation as one line of text; ``options`` are those of `inscape.simulate` that JSON can hold."""
    isotopes = list((options.get("isotopes") or {}).items())  # keys of JSON are never numbers
    return json.dumps({"crystal": crystal.to_dict(), "options": {**options, "isotopes": isotopes}})


def simulate_task(text: str, progress: Progress | None = None) -> bytes:
    """The NetCDF file that comes of a text of `task_text`.

    Raises
    ------
    InscapeError
        As of `inscape.simulate`.
    """
    task = json.loads(text)
    options = {**task["options"], "isotopes": dict(task["options"]["isotopes"])}
    found = simulate(Crystal.from_cell(**task["crystal"]), **options, progress=progress)
    with tempfile.TemporaryDirectory() as folder:
        return found.save(Path(folder) / "result.nc").read_bytes()


def _main(file: Path) -> None:
    text = sys.stdin.readline()
    Thread(target=_end_with, args=(sys.stdin.read,), daemon=True).start()
    try:
        found = simulate_task(text, lambda done, total, what: _say(progress=[done, total, what]))
    except InscapeError as error:
        _say(error=[type(error).__name__, str(error)])
    else:
        file.write_bytes(found)
        _say(done=True)


def _say(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _end_with(wait: Callable[[], object]) -> None:
    """End the process when standard input ends: whoever wanted the result is gone."""
    wait()
    os._exit(1)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
