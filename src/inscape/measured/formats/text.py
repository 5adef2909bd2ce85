"""Tables of text: two or three columns, energy, intensity and error; CSV files of maps and spectra, written too.

A line before the numbers names the columns, with units in brackets, if it wants; comments begin with # or %. Energies
without a unit anywhere in these lines are refused unless the reader is told it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.measured.axes import energy_factor, wave_vector_factor
from inscape.measured.container import DOS, UNKNOWN, make_measured
from inscape.measured.formats.options import Options
from inscape.spectra import edges_around

Array = NDArray[np.floating]

NAME = "table of text"

UNIT = re.compile(
    r"(?<![a-z])(?P<unit>meV|[µμu]eV|eV|t(?:era)?[ -]?h(?:ert)?z|cm\^?\(?[-⁻][1¹]\)?|1/cm)(?![a-z0-9])", re.I
)
"""Units of energy that are looked for in the lines before the numbers."""

ROLES = {
    "q": "q", "|q|": "q", "q_low": "q_low", "q_high": "q_high", "energy": "energy", "e": "energy", "de": "energy",
    "frequency": "energy", "omega": "energy", "energy_low": "energy_low", "energy_high": "energy_high",
    "intensity": "intensity", "i": "intensity", "s": "intensity", "dos": "intensity", "y": "intensity",
    "error": "error", "err": "error", "sigma": "error", "variance": "variance", "x": "energy",
}  # fmt: skip
"""What columns are, by their names without units, lower case."""

UNNAMED = {2: ("energy", "intensity"), 3: ("energy", "intensity", "error")}
"""What columns are that have no names."""

ATTRIBUTES = {"units": str, "instrument": str, "incident_energy_meV": float, "temperature_K": float}
"""Attributes that are written as comments and read again."""

MOST_BINS = 20_000_000


def recognise(text: str) -> bool:
    """Whether some line begins with a number."""
    return any(_row(line) is not None for line in text.splitlines())


def read(text: str, options: Options) -> xr.Dataset:
    """A spectrum over energy, or a map if the columns say so."""
    head, table = _parse(text)
    roles, units = _columns(head, table.shape[1])
    columns = dict(zip(roles, table.T, strict=True))
    attributes = _attributes(head)
    label = str(attributes.pop("units", UNKNOWN))
    energy = energy_factor(options.energy_unit or units.get("energy") or units.get("energy_low") or _only_unit(head))
    values = columns["intensity"]
    variance = columns.get("variance", columns["error"] ** 2 if "error" in columns else np.full(len(values), np.nan))
    if "error" in columns and np.any(columns["error"] < 0):
        raise DataError("errors below 0 in the column of errors")
    bins, edges = zip(*(_axis(columns, name) for name in ("q", "energy") if _has(columns, name)), strict=True)
    shape = tuple(len(e) - 1 for e in edges)
    if np.prod([float(n) for n in shape]) > MOST_BINS:
        raise DataError(f"the table would make a map of {' × '.join(map(str, shape))} bins: it is no grid")
    flat = np.ravel_multi_index(bins, shape)
    if len(np.unique(flat)) < len(flat):
        what = "the same |Q| and energy" if len(shape) == 2 else "the same energy"
        raise DataError(f"{len(flat) - len(np.unique(flat))} rows have {what} as another one")
    filled = [np.full(shape, np.nan) for _ in range(2)]
    for place, column in zip(filled, (values, variance), strict=True):
        place.flat[flat] = column
    given = {"energy_edges": energy * edges[-1]}
    if len(edges) == 2:
        given["q_edges"] = wave_vector_factor(units.get("q") or units.get("q_low") or "1/Å") * edges[0]
    return make_measured(filled[0], filled[1], **given, units=label, attributes=attributes)  # type: ignore[arg-type]


def write(dataset: xr.Dataset, path: Path) -> None:
    """A CSV file, one bin a line: its lower and upper edges, intensity and error; what was not measured is nan."""
    dims = ("energy",) if dataset.attrs["kind"] == DOS else ("q", "energy")
    units = {"q": "1/Å", "energy": "meV"}
    names = [f"{dim}_{end} ({units[dim]})" for dim in dims for end in ("low", "high")]
    ends = [(dataset[f"{dim}_edges"].values[:-1], dataset[f"{dim}_edges"].values[1:]) for dim in dims]
    index = np.indices(dataset["intensity"].shape).reshape(len(dims), -1)
    columns = [end[index[n]] for n, pair in enumerate(ends) for end in pair]
    columns += [dataset["intensity"].values.ravel(), np.sqrt(dataset["variance"].values.ravel())]
    lines = [f"# {name}: {dataset.attrs[name]}" for name in ATTRIBUTES if name in dataset.attrs]
    lines.append(", ".join([*names, "intensity", "error"]))
    lines += [",".join(f"{x:.17g}" for x in row) for row in np.column_stack(columns)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(line: str) -> list[float] | None:
    """The numbers of a line; None if it holds anything else."""
    cells = _cells(line)
    try:
        return [float(cell) for cell in cells] or None
    except ValueError:
        return None


def _cells(line: str) -> list[str]:
    """The cells of a line, by commas, semicolons or tabs if there are any, else by white space."""
    for separator in (",", ";", "\t"):
        if separator in line.strip():
            return [cell.strip() for cell in line.strip().rstrip(separator).split(separator)]
    return line.split()


def _parse(text: str) -> tuple[list[str], Array]:
    """The lines before the numbers, and the numbers, shape (rows, columns)."""
    head: list[str] = []
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or (rows and line.lstrip()[0] in "#%!"):
            continue
        row = None if line.lstrip()[0] in "#%!" else _row(line)
        if row is None and rows:
            raise DataError(f"line {number} is {line.strip()[:60]!r}; expected {len(rows[0])} numbers")
        if row is None:
            head.append(line)
        elif rows and len(row) != len(rows[0]):
            raise DataError(f"line {number} has {len(row)} numbers, those before have {len(rows[0])}")
        else:
            rows.append(row)
    if len(rows) < 2:
        raise DataError(f"the file holds {len(rows)} lines of numbers; expected at least two")
    return head, np.array(rows)


def _columns(head: Sequence[str], count: int) -> tuple[tuple[str, ...], dict[str, str]]:
    """What the columns are, and the units in their names."""
    if head:
        cells = _cells(head[-1].lstrip("#%! "))
        names = [re.sub(r"\s*[\[(].*", "", cell).strip().lower() for cell in cells]
        roles = tuple(ROLES.get(name, "") for name in names)
        named = len(roles) == count and all(roles) and len(set(roles)) == count
        if named and "intensity" in roles and (_has(roles, "energy")):
            found = (re.search(r"[\[(](.*)[\])]", cell) for cell in cells)
            return roles, {role: match[1] for role, match in zip(roles, found, strict=True) if match}
    if count not in UNNAMED:
        raise DataError(
            f"the table has {count} columns without names that are known; expected energy, intensity and, if at hand, "
            "error; or a line of names such as q, energy, intensity, error"
        )
    return UNNAMED[count], {}


def _has(columns: Sequence[str] | dict[str, Array], name: str) -> bool:
    """Whether an axis is there, by centres or by edges."""
    return name in columns or (f"{name}_low" in columns and f"{name}_high" in columns)


def _axis(columns: dict[str, Array], name: str) -> tuple[NDArray[np.intp], Array]:
    """Number of the bin of each row, and the bin edges."""
    if name in columns:
        middle, bins = np.unique(columns[name], return_inverse=True)
        if len(middle) < 2 or not np.all(np.isfinite(middle)):
            raise DataError(f"{name} has {len(middle)} different values; expected at least two, all finite")
        return bins, edges_around(middle)
    low, bins = np.unique(columns[f"{name}_low"], return_inverse=True)
    high = np.unique(columns[f"{name}_high"])
    if len(low) != len(high) or not np.array_equal(low[1:], high[:-1]):
        raise DataError(f"bins of {name} have gaps or overlap: each upper edge must be the next lower one")
    return bins, np.append(low, high[-1])


def _only_unit(head: Sequence[str]) -> str | None:
    """The unit of energy that the lines before the numbers name, if they name one only."""
    found = {match["unit"].lower().replace("μ", "µ") for match in UNIT.finditer("\n".join(head))}
    plain = {"thz" if "h" in unit else "cm-1" if "cm" in unit else unit for unit in found}
    return plain.pop() if len(plain) == 1 else None


def _attributes(head: Sequence[str]) -> dict[str, str | float]:
    """Attributes from comments such as ``# temperature_K: 300``."""
    found: dict[str, str | float] = {}
    for line in head:
        name, colon, value = line.lstrip("#%! ").partition(":")
        if colon and name.strip() in ATTRIBUTES:
            try:
                found[name.strip()] = ATTRIBUTES[name.strip()](value.strip())
            except ValueError:
                raise DataError(f"{name.strip()} is {value.strip()!r} in a comment; expected a number") from None
    return found
