"""What ``inscape predict`` and ``inscape simulate`` print: a table of one structure or of many, or JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("structure", "formula", "space group", "atoms", "mean E / meV", "C_V / J mol⁻¹ K⁻¹", "novelty", "file")
"""Columns of the table of many structures; C_V is that of a mole of atoms at the temperature asked for."""




def two_digits(value: float) -> str:
    """A number with its first two digits and no exponent; next to nothing is 0."""
    if value < 1e-9:
        return "0"
    return f"{round(value, 1 - math.floor(math.log10(value))):.10f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Done:
    """One structure that was predicted or simulated: where it came from, what is in it, and the files written."""

    source: str
    summary: dict[str, Any]
    accuracy: str | None
    files: list[str]


@dataclass(frozen=True)
class Failed:
    """One structure that was refused, and why."""

    source: str
    error: str


def as_text(done: list[Done], failed: list[Failed]) -> str:
    """Everything as JSON."""
    predictions = [{"source": d.source, **d.summary, "files": d.files} for d in done]
    failures = [{"source": f.source, "error": f.error} for f in failed]
    return json.dumps({"predictions": predictions, "failures": failures}, ensure_ascii=False, indent=2)


def files_in_words(done: list[Done]) -> str:
    """The files written, by name if they are few."""
    if len(done) <= 2:
        return ", ".join(file for item in done for file in item.files)
    suffixes = " and ".join(Path(file).suffix for file in done[0].files)
    return f"{sum(len(item.files) for item in done)} files ({suffixes}) in {Path(done[0].files[0]).parent}"


def table_of_one(done: Done) -> Table:
    """Names and values, one a line."""
    from rich.table import Table

    s = done.summary
    table = Table(show_header=False, title=f"{s['formula']}  {s['space_group']}", title_justify="left")
    rows = {"temperature": f"{s['temperature_K']:g} K", "spectra": ", ".join(s["kinds"]), "engine": s["engine"]}
    rows |= {name: s[name] for name in ("instrument", "isotopes") if name in s}
    if "multiphonon_order" in s:
        rows["number of phonons"] = f"up to {s['multiphonon_order']}"
    if "dos" in s["kinds"]:
        rows |= {
            "atoms of the primitive cell": str(s["atoms"]),
            "area of the density of states": f"{s['dos_area']:.4g} modes",
            "mean energy": f"{s['dos_mean_meV']:.1f}{_error(s, 'dos_mean_error_meV')} meV",
            "99.9 % of the modes below": f"{s['dos_highest_meV']:.1f} meV",
            "zero-point energy": f"{s['zero_point_energy_meV_per_atom']:.1f} meV per atom",
            "heat capacity": f"{s['heat_capacity_J_per_mol_K']:.2f}{_error(s, 'heat_capacity_error_J_per_mol_K')} "
            "J mol⁻¹ K⁻¹ per mole of atoms",
        }
    if "crystal" in s["kinds"]:
        rows["plane"] = s["plane"]
    if s["novelty"] is not None:
        rows["novelty"] = _novelty(s)
    if done.accuracy:
        rows["errors"] = done.accuracy
    if "dos_mean_error_meV" in s:
        rows["±"] = "nine times out of ten off by less"
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def table_of_many(done: list[Done]) -> Table:
    """One structure a line."""
    from rich.table import Table

    table = Table()
    for column in COLUMNS:
        table.add_column(column)
    for item in done:
        s = item.summary
        dos = ["", "", ""]
        if "dos" in s["kinds"]:
            dos = [str(s["atoms"]), f"{s['dos_mean_meV']:.1f}", f"{s['heat_capacity_J_per_mol_K']:.2f}"]
        table.add_row(item.source, s["formula"], s["space_group"], *dos, _novelty(s), Path(item.files[0]).name)
    return table


def _error(summary: dict[str, Any], name: str) -> str:
    """What a value may be off by, where that is known."""
    return f" ± {two_digits(summary[name])}" if name in summary else ""


def _novelty(summary: dict[str, Any]) -> str:
    novelty, threshold = summary["novelty"], summary["novelty_threshold"]
    if novelty is None:
        return ""
    if threshold is None:
        return f"{novelty:.2f}"
    return f"{novelty:.2f}{'[bold red] above[/] ' if novelty > threshold else ' below '}{threshold:.2f}"
