"""Run files: TOML whose keys are the parameters of a function, checked before the function is called."""

from __future__ import annotations

import difflib
import inspect
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from inscape.errors import DataError

WORDS = {float: "a number", int: "a whole number", bool: "true or false", str: "text", Path: "a path"}


def read_run_file(path: Path) -> dict[str, Any]:
    """Settings in a TOML file.

    Raises
    ------
    DataError
        No such file, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected a run file") from error
    except ValueError as error:
        raise DataError(f"{path}: not a TOML file ({error})") from error


def check_settings(
    settings: Mapping[str, Any], function: Callable[..., Any], *, source: str, reserved: Collection[str] = ()
) -> None:
    """Check names and types of settings against the signature of the function that takes them.

    Parameters
    ----------
    source
        Where the settings come from, for messages.
    reserved
        Parameters that do not come from a run file.

    Raises
    ------
    DataError
        A key that is no parameter, with the nearest that is, or a value of another type.
    """
    known = [name for name in inspect.signature(function).parameters if name not in reserved]
    hints = get_type_hints(function)
    for key, value in settings.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, cutoff=0.0)
            raise DataError(f"{source}: unknown key {key!r}; did you mean {near[0]!r}? Keys are {', '.join(known)}")
        if not fits(value, hints.get(key, Any)):
            raise DataError(f"{source}: {key} is {value!r}; expected {in_words(hints[key])}")


def fits(value: object, hint: Any) -> bool:
    """Whether a value from a TOML file may be given where the type hint stands."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in {Union, UnionType}:
        return any(fits(value, option) for option in arguments)
    if origin is Literal:
        return value in arguments
    if origin is not None and issubclass(origin, Sequence):
        return isinstance(value, list) and all(fits(item, arguments[0]) for item in value)
    if origin is not None:
        return isinstance(value, origin)
    if hint in {int, float}:
        return isinstance(value, int if hint is int else (int, float)) and not isinstance(value, bool)
    return isinstance(value, str if hint is Path else hint)


def in_words(hint: Any) -> str:
    """A type hint for people."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return " or ".join(dict.fromkeys(in_words(option) for option in arguments if option is not NoneType))
    if origin is Literal:
        return " or ".join(repr(option) for option in arguments)
    if origin is not None and issubclass(origin, Sequence):
        return f"a list, each item {in_words(arguments[0])}"
    return WORDS.get(hint, str(getattr(hint, "__name__", hint)))
