"""How planes and isotopes are written, on the command line and in requests of the service."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inscape.errors import DataError, GridError

Plane = tuple[tuple[float, ...], tuple[float, ...]]

PLANES: dict[str, Plane] = {
    "HK0": ((1, 0, 0), (0, 1, 0)),
    "H0L": ((1, 0, 0), (0, 0, 1)),
    "0KL": ((0, 1, 0), (0, 0, 1)),
    "HHL": ((1, 1, 0), (0, 0, 1)),
}


def parse_plane(text: str) -> Plane:
    """Two vectors from the name of a plane or from six numbers.

    Raises
    ------
    GridError
        Neither.
    """
    if (named := PLANES.get(text.strip().upper())) is not None:
        return named
    try:
        numbers = [float(word) for word in re.split(r"[\s,;()\[\]]+", text) if word]
    except ValueError:
        numbers = []
    if len(numbers) != 6:
        raise GridError(f"plane is {text!r}; expected {', '.join(PLANES)} or two vectors as '1 0 0; 0 1 0'")
    return tuple(numbers[:3]), tuple(numbers[3:])


def parse_isotopes(texts: Sequence[str]) -> dict[str | int, str | int]:
    """Isotopes by element or number of an atom, from ``H=D``, ``Li=7Li``, ``3=2``; `DataError` for anything else."""
    found: dict[str | int, str | int] = {}
    for text in texts:
        atom, _, isotope = (word.strip() for word in text.partition("="))
        if not atom or not isotope:
            raise DataError(f"isotope is {text!r}; expected an element or the number of an atom, as H=D, Li=7Li, 3=D")
        found[int(atom) if atom.isdecimal() else atom] = int(isotope) if isotope.isdecimal() else isotope
    return found
