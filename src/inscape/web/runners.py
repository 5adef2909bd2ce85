"""Where a simulation runs: in a process of its own on this machine, or on a Dask cluster."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

from inscape import errors
from inscape.library.cluster import Cluster

Report = Callable[[int, int, str], None]
Stop = Callable[[], bool]
Runner = Callable[[str, Report, Stop], bytes]
"""Takes a text of `inscape.simulation.task.task_text`, what to tell how far it is, and what to ask whether to end."""

POLL = 0.2
PATIENCE = 5.0
"""Seconds between two looks at a process, and how long it may take to end."""


class Stopped(Exception):
    """A simulation was stopped."""


def in_process(text: str, report: Report, stop: Stop) -> bytes:
    """The file that a process of its own makes of a text.

    Raises
    ------
    Stopped
        ``stop`` said so; the process is gone.
    InscapeError
        What the simulation refuses, or that the process died.
    """
    with tempfile.TemporaryDirectory(prefix="inscape-") as folder:
        file = Path(folder) / "result.nc"
        command = [sys.executable, "-m", "inscape.simulation.task", str(file)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, **pipes, text=True) as process:  # type: ignore[call-overload]
            said: list[dict[str, list[str]]] = []
            listener = Thread(target=_listen, args=(process, report, said), daemon=True)
            listener.start()
            try:
                with suppress(OSError):  # it died already; what it said is looked at below
                    process.stdin.write(text + "\n")
                    process.stdin.flush()
                _wait(process, stop)
            finally:
                _end(process)
                listener.join()
        return _outcome(file, said[-1] if said else {})


def on_cluster(scheduler: str) -> Runner:
    """The same on the workers of a Dask scheduler, ``tcp://host:8786``."""
    cluster = Cluster(scheduler=scheduler)

    def run(text: str, report: Report, stop: Stop) -> bytes:
        from inscape.library.dispatch import connect
        from inscape.library.watched import CalledOff, run_watched
        from inscape.simulation.task import simulate_task

        try:
            with connect(cluster) as client:
                return run_watched(client, simulate_task, text, report=report, called_off=stop)
        except CalledOff:
            raise Stopped from None

    return run


def _listen(process: subprocess.Popen[str], report: Report, said: list[dict[str, list[str]]]) -> None:
    """Lines of the process: how far it is, and at last what came of it."""
    for line in process.stdout or ():
        try:
            facts = json.loads(line)
        except ValueError:  # a potential that prints
            continue
        if isinstance(facts, dict) and "progress" in facts:
            report(*facts["progress"])
        elif isinstance(facts, dict):
            said.append(facts)


def _wait(process: subprocess.Popen[str], stop: Stop) -> None:
    """Until the process ends; `Stopped` if it is to end early."""
    while True:
        try:
            process.wait(POLL)
            return
        except subprocess.TimeoutExpired:
            if stop():
                raise Stopped from None


def _end(process: subprocess.Popen[str]) -> None:
    """Let it end, by force if need be."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


def _outcome(file: Path, last: dict[str, list[str]]) -> bytes:
    if "done" in last:
        return file.read_bytes()
    if "error" in last:
        name, message = last["error"]
        raise getattr(errors, name, errors.InscapeError)(message)
    raise errors.EngineError(
        "the simulation ended without a result, for lack of memory perhaps: try a smaller crystal or length"
    )
