"""Reading in a process of its own, for files that strangers send: ``python -m inscape.measured.task IN OUT``.

Options of `inscape.read` come as one line of JSON on standard input; OUT becomes a NetCDF file. Whatever a damaged file
does to the libraries that read it ends this process and no other. Exit status 2 is a refusal, in words on standard
output as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from inscape.errors import InscapeError
from inscape.measured.reading import read
from inscape.measured.writing import write


def _main(source: Path, target: Path) -> int:
    try:
        write(read(source, **json.loads(sys.stdin.readline())), target)
    except InscapeError as error:
        sys.stdout.write(json.dumps([type(error).__name__, str(error)]))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), Path(sys.argv[2])))
