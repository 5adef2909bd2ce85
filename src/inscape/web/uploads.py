"""Measured files that clients send: read in a process of their own, under a name of ours."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from inscape import errors

SECONDS = 120
"""How long reading may take."""


def read_upload(data: bytes, name: str, options: dict[str, Any]) -> bytes:
    """The NetCDF file of the spectrum in an uploaded file of any format.

    Parameters
    ----------
    data
        The file.
    name
        What the client calls it, for messages only.
    options
        Of `inscape.read`.

    Raises
    ------
    DataError, GridError
        As of `inscape.read`, or that the file brings its readers down.
    """
    with tempfile.TemporaryDirectory(prefix="inscape-") as folder:
        source, target = Path(folder) / "upload", Path(folder) / "spectrum.nc"
        source.write_bytes(data)
        command = [sys.executable, "-m", "inscape.measured.task", str(source), str(target)]
        try:
            done = subprocess.run(
                command, input=json.dumps(options) + "\n", capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise errors.DataError(f"{name}: reading took longer than {SECONDS} s; send a smaller file") from None
        if done.returncode == 2:
            kind, message = json.loads(done.stdout)
            raise getattr(errors, kind)(message.replace(str(source), name))
        if done.returncode != 0:
            raise errors.DataError(f"{name}: the file is damaged or incomplete, and ends the programs that read it")
        return target.read_bytes()
