"""How options are listed: a row for each, which stands as the default of the field that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

T = TypeVar("T")
D = TypeVar("D")
#: How an option is read, and what it is where a caller says nothing of it.
Row = tuple[Callable[[str, Any], Any], Any]

#: The default of an option that has none.
REQUIRED = object()


def option(parse: Callable[[str, Any], T | None], default: D) -> T | D:
    """The row of a field of a NamedTuple. Typed as what is read by it, so that a type checker holds field, parser and
    default against each other."""
    return cast("T | D", (parse, default))


def required(parse: Callable[[str, Any], T | None]) -> T:
    """The same for an option that has to be given."""
    return cast("T", (parse, REQUIRED))


def rows_of(fields: Any) -> dict[str, Row]:
    """The table in the NamedTuple ``fields``, by the option's name: a field in seconds (``timeout_s``) is an option in
    milliseconds (``timeout``)."""
    return {name.removesuffix("_s"): row for name, row in fields._field_defaults.items()}


def read_rows(options: Mapping[str, Any], rows: Mapping[str, Row]) -> dict[str, Any]:
    """What ``options`` says of each option of a table; where that is None, or reads as it, the default.

    Raises:
        OptionsError: A value is wrong.
    """
    values = {}
    for name, (parse, default) in rows.items():
        given = options.get(name)
        value = None if given is None else parse(name, given)
        values[name] = default if value is None else value
    return values
