"""The Python and the command that do what the service did."""

from __future__ import annotations

import shlex
from typing import Any

FLAGS = {
    "temperature": "--temperature", "plane": "--plane", "emax": "--emax", "de": "--de", "qmax": "--qmax", "dq": "--dq",
    "instrument": "--instrument", "ei": "--ei", "ef": "--ef", "order": "--order", "engine": "--engine",
    "length": "--length", "road": "--road",
}  # fmt: skip
"""Settings that are options of the command line."""


def reproduce(verb: str, file: str, settings: dict[str, Any], arguments: dict[str, Any]) -> dict[str, str]:
    """Python and command for ``inscape predict`` or ``simulate`` of a file of the structure.

    Parameters
    ----------
    verb
        "predict" or "simulate".
    file
        Name of the file.
    settings
        As the client gave them; the others are left at their defaults.
    arguments
        The same as the function of that name takes them.
    """
    names = {"order": "multiphonon"}
    given = {names.get(name, name) for name in settings}
    options = ", ".join(f"{name}={value!r}" for name, value in arguments.items() if name in given)
    python = f"import inscape\n\nresult = inscape.{verb}({file!r}{', ' if options else ''}{options})\n"
    python += f"result.save({file.rpartition('.')[0] + '.nc'!r})\n"
    return {"python": python, "command": shlex.join(["inscape", verb, file, *_words(settings)])}


def _words(settings: dict[str, Any]) -> list[str]:
    """Options of the command line."""
    words: list[str] = []
    for name, value in settings.items():
        if name in FLAGS and value is not None:
            words += [FLAGS[name], f"{value:g}" if isinstance(value, float) else str(value)]
    if "kinds" in settings:
        words += ["--kinds", ",".join(settings["kinds"])]
    for isotope in settings.get("isotopes", ()):
        words += ["--isotope", isotope]
    if settings.get("multiphonon") and settings.get("order") is None:
        words.append("--multiphonon")
    if settings.get("relax") is False:
        words.append("--no-relax")
    return words


def file_name(name: str, form: str | None) -> str:
    """A name for the file of a structure, made of harmless letters."""
    stem = "".join(c if c.isalnum() or c in "-_+" else "-" for c in name.rsplit("/", 1)[-1].rsplit(".", 1)[0]).strip(
        "-"
    )
    return f"{stem[:60] or 'structure'}.{ {'poscar': 'vasp', 'extxyz': 'extxyz'}.get(form or 'cif', 'cif') }"
