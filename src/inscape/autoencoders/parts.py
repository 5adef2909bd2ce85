"""Losses, penalties and corruptions are parameters: small frozen objects that compare, print and go into a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from inscape.errors import DataError, WeightsError


@dataclass(frozen=True)
class Part:
    """Base of `Loss`, `Penalty` and `Corruption`; a subclass is a frozen dataclass, known by its name in files."""

    known: ClassVar[dict[str, type[Part]]] = {}

    def __init_subclass__(cls) -> None:
        Part.known[cls.__name__] = cls


def as_parts(value: Any, kind: type[Any], name: str) -> tuple[Any, ...]:
    """None, one object or several as a tuple; `DataError` if one of them is of another kind."""
    parts = tuple(value) if isinstance(value, tuple | list) else () if value is None else (value,)
    for part in parts:
        if not isinstance(part, kind):
            raise DataError(f"{name} = {part!r}; expected a {kind.__name__}, several in a tuple, or None")
    return parts


def to_plain(value: Any) -> Any:
    """A part, or parts in a tuple or list, as JSON takes it: its class and fields. Anything else as it is."""
    if isinstance(value, Part):
        return {"class": type(value).__name__, **asdict(value)}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return value


def from_plain(value: Any) -> Any:
    """What `to_plain` was given, but for tuples, which have become lists.

    Raises
    ------
    WeightsError
        A class that is not known here.
    """
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if isinstance(value, dict) and "class" in value:
        fields = {key: from_plain(item) for key, item in value.items() if key != "class"}
        if value["class"] not in Part.known:
            raise WeightsError(f"no loss, penalty or corruption named {value['class']}: import the module that has it")
        return Part.known[value["class"]](**fields)
    return value
