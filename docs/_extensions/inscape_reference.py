"""Sphinx extension: the pages of the reference that are made from the code itself.

Before reading, it writes ``reference/generated/``: ``cli.md`` from the options of the command-line application, and one
page a module, with a first one that lists ``inscape.__all__``. Docstrings are prose with mathematics in it: vertical
bars, asterisks and trailing underscores outside of markup are characters there, as in |Q| or ``e*``, and are escaped.
"""

import importlib.util
import pkgutil
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import inscape

MARKUP = re.compile(
    r"``.+?``"                          # literal
    r"|:[a-z:]+:`[^`]+`|`[^`]+`_{0,2}"  # role, reference
    r"|\*\*\S.*?\S\*\*"                 # strong
    r"|(?<![\w*])\*[^\s*](?:[^*]*[^\s*])?\*(?![\w*])"   # emphasis
)
SPECIAL = re.compile(r"([|*]|(?<=\w)_(?!\w))")
METADATA_REQUEST = re.compile(r"set_\w+_request|get_metadata_routing")


def escape_line(line: str) -> str:
    """Escape what reStructuredText would read as markup and nobody meant as such."""
    if line.lstrip().startswith((".. ", ">>> ", "... ")):
        return line
    pieces, end = [], 0
    for match in MARKUP.finditer(line):
        pieces += [SPECIAL.sub(r"\\\1", line[end : match.start()]), match.group()]
        end = match.end()
    pieces.append(SPECIAL.sub(r"\\\1", line[end:]))
    return "".join(pieces)


def escape_docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape a docstring in place, but for indented blocks after ``::`` and drawings, which are kept as they stand."""
    if what == "module":
        lines[:] = keep_drawings(lines)
    literal: int | None = None
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if literal is not None and (not line.strip() or indent > literal):
            continue
        literal = indent if line.rstrip().endswith("::") else None
        lines[number] = escape_line(line)


def skip_foreign(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the methods that scikit-learn adds to every estimator; their texts link into its own documentation."""
    return True if METADATA_REQUEST.fullmatch(name) else None


def keep_drawings(lines: list[str]) -> list[str]:
    """An indented block in the text of a module is a drawing or a table: make it literal."""
    kept: list[str] = []
    for number, line in enumerate(lines):
        starts = line.startswith("    ") and number > 0 and not lines[number - 1].strip()
        before = next((text for text in reversed(kept) if text.strip()), "")
        if starts and not before.startswith("    ") and not before.endswith("::"):
            kept += ["::", ""]
        kept.append(line)
    return kept


def modules() -> list[str]:
    """Public modules of the package that exist, sorted."""
    found = pkgutil.walk_packages(inscape.__path__, prefix="inscape.")
    return sorted(m.name for m in found if not m.name.rpartition(".")[2].startswith("_"))


def api_pages() -> dict[str, str]:
    """One page a module, and the first page, which lists the public names and the modules."""
    # The home of a name is read from the package's own table: importing is not needed to list them.
    names = "\n".join(f"- {{py:obj}}`inscape.{n} <{inscape._HOME[n]}.{n}>`" for n in inscape.__all__)
    listed = "\n".join(f"api/{name}" for name in modules())
    pages = {
        f"api/{name}.rst": f"{name}\n{'=' * len(name)}\n\n.. automodule:: {name}\n" for name in modules()
    }
    pages["api.md"] = (
        "# Python API\n\nThese names are reached as `inscape.<name>`; each loads what it needs when first used.\n\n"
        f"{names}\n\n## All modules\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    return pages


def commands(command: Any, name: str) -> list[tuple[str, Any]]:
    """A command and those under it, each with the words that call it."""
    found = [(name, command)]
    for child, below in getattr(command, "commands", {}).items():
        found += commands(below, f"{name} {child}")
    return found


def plain(text: str) -> str:
    """Text of the command line in Markdown: what stands in angle brackets is no HTML."""
    return text.replace("<", "\\<")


def option_row(parameter: Any, context: Any) -> str:
    """One row of the table of a command's arguments and options."""
    is_option = parameter.param_type_name == "option"
    names = ", ".join(f"`{n}`" for n in [*parameter.opts, *parameter.secondary_opts]) if is_option else ""
    names = names or f"`{(parameter.metavar or parameter.name).upper()}`"
    default = parameter.get_default(context, call=False)
    shown = "" if default in (None, False, (), []) or callable(default) else f"`{default}`"
    text = plain(getattr(parameter, "help", None) or "").replace("|", "\\|").replace("\n", " ")
    return f"| {names} | {text} | {shown} |"


def cli_page() -> str:
    """The command line, from the application itself."""
    head = "# Command line\n\n"
    if importlib.util.find_spec("inscape.cli") is None:
        return head + "There is no command line yet.\n"
    from typer.core import TyperCommand
    from typer.main import get_command

    from inscape.cli import app

    parts = [head]
    for name, command in commands(get_command(app), "inscape"):
        context = command.make_context(name, [], resilient_parsing=True)
        parts.append(f"## `{name}`\n\n{plain(command.help or '').strip()}\n\n")
        if isinstance(command, TyperCommand):
            usage = " ".join(command.collect_usage_pieces(context))
            rows = "\n".join(option_row(p, context) for p in command.params if not getattr(p, "hidden", False))
            table = f"| argument, option | | default |\n|---|---|---|\n{rows}"
            parts.append(f"```text\n{name} {usage}\n```\n\n{table}\n\n")
    return "".join(parts)


def write_pages(app: Sphinx) -> None:
    """Write the generated pages; a page that has not changed is left alone, so that it is not built again."""
    folder = Path(app.srcdir) / "reference" / "generated"
    pages = {**api_pages(), "cli.md": cli_page()}
    for stale in [p for p in folder.rglob("*.*") if str(p.relative_to(folder)) not in pages]:
        stale.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the hooks; docstrings are escaped before napoleon reads their sections."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", escape_docstring, priority=400)
    app.connect("autodoc-skip-member", skip_foreign)
    return {"parallel_read_safe": True}
