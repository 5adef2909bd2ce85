"""The public API is what ``inscape.__all__`` says: sorted, importable, documented, and nothing else."""

import ast
import importlib.metadata
from pathlib import Path

import pytest

import inscape


def test_all_is_sorted_and_equals_dir():
    assert inscape.__all__ == sorted(set(inscape.__all__))
    assert dir(inscape) == inscape.__all__


@pytest.mark.parametrize("name", inscape.__all__)
def test_every_public_name_is_importable_and_documented(name):
    value = getattr(inscape, name)
    assert value.__doc__, f"inscape.{name} has no docstring"
    assert value.__doc__.strip()


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(inscape.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == inscape._HOME


def test_a_misspelt_name_lists_what_there_is():
    with pytest.raises(AttributeError, match=r"has no attribute 'predct'; it has .*Crystal"):
        inscape.predct  # noqa: B018


def test_version_is_that_of_the_installed_package():
    assert inscape.__version__ == importlib.metadata.version("inscape")


@pytest.mark.parametrize("path", sorted(Path(inscape.__file__).parent.rglob("*.py")), ids=lambda p: p.stem)
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"
