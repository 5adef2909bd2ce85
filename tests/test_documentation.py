"""The documentation is true: its Python runs, its commands exist, and every command and option is in it."""

import importlib
import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *(p for p in sorted((ROOT / "docs").rglob("*.md")) if not {"_build", "generated"} & set(p.parts)),
]

BLOCK = re.compile(r"(?P<before>[^\n]*)\n+```(?P<language>\w+)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
NOT_EXECUTED = re.compile(r"<!-- not executed: \S.* -->")

needs_cli = pytest.mark.skipif(importlib.util.find_spec("inscape.cli") is None, reason="there is no command line yet")


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Line number and text of the code blocks of one language, without those marked as not executed."""
    text = page.read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, block.start("code")), block["code"])
        for block in BLOCK.finditer(text)
        if block["language"] == language and not NOT_EXECUTED.fullmatch(block["before"].strip())
    ]


def identify(path: Path) -> str:
    """A page by its path in the repository."""
    return str(path.relative_to(ROOT))


@pytest.fixture
def folder_with_examples(tmp_path, monkeypatch):
    """An empty folder but for a copy of the examples, as the current one."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=identify)
@pytest.mark.usefixtures("folder_with_examples")
def test_python_blocks_run(page):
    namespace = {"__name__": "documentation"}
    for line, code in blocks(page, "python"):
        # Newlines in front give tracebacks the line numbers of the page.
        exec(compile("\n" * line + code, str(page), "exec"), namespace)


def test_a_block_that_is_not_executed_says_why():
    for page in PAGES:
        for comment in re.findall(r"<!--.*?-->", page.read_text(encoding="utf-8"), re.DOTALL):
            assert "execut" not in comment or NOT_EXECUTED.fullmatch(comment), f"{page}: {comment}"


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_links_between_files_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target and "generated" not in Path(target).parts:
            assert (page.parent / target).exists(), f"{identify(page)} links to {target}"


def commands() -> dict[str, object]:
    """Every command of the application that does something, by the words that call it."""
    from typer.main import get_command

    from inscape.cli import app

    found = {}

    def walk(command, name):
        below = getattr(command, "commands", {})
        for child, sub in below.items():
            walk(sub, f"{name} {child}")
        if not below:
            found[name] = command

    walk(get_command(app), "inscape")
    return found


def option_names(command) -> set[str]:
    """Long and short names of the options of a command."""
    return {name for p in command.params for name in [*p.opts, *p.secondary_opts] if name.startswith("-")} | {"--help"}


def console_lines() -> list[tuple[Path, list[str]]]:
    """The words of every call of inscape that a page shows."""
    found = []
    for page in PAGES:
        for _, text in blocks(page, "console"):
            lines = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ inscape ")]
            found += [(page, shlex.split(line, comments=True)) for line in lines]
    return found


@needs_cli
def test_every_command_and_option_has_a_help_text():
    for name, command in commands().items():
        assert command.help, f"{name} has no help text"
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help text"


@needs_cli
def test_every_command_is_shown_in_a_page():
    shown = {" ".join(words) for _, words in console_lines()}
    missing = [name for name in commands() if not any(s == name or s.startswith(name + " ") for s in shown)]
    assert not missing, f"commands that no page shows: {missing}"


@needs_cli
def test_every_command_and_option_is_on_the_generated_page(monkeypatch):
    pytest.importorskip("sphinx", reason="the documentation is built with Sphinx, extra docs")
    monkeypatch.syspath_prepend(ROOT / "docs" / "_extensions")
    text = importlib.import_module("inscape_reference").cli_page()
    sections = dict(re.findall(r"^## `(.+?)`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    for name, command in commands().items():
        for option in option_names(command) - {"--help"}:
            assert f"`{option}`" in sections[name], f"{name} {option} is not on the page of the command line"


@needs_cli
def test_commands_and_options_in_pages_exist():
    known = commands()
    for page, words in console_lines():
        name = next((n for n in known if words[: len(n.split())] == n.split()), None)
        assert name or "--help" in words, f"{identify(page)}: no such command: {' '.join(words)}"
        used = {w.split("=")[0] for w in words if re.match(r"--?[a-zA-Z]", w)}
        unknown = used - option_names(known[name]) if name else set()
        assert not unknown, f"{identify(page)}: {name} has no {sorted(unknown)}"
