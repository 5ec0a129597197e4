"""Clients made from environment variables: which options these may set, and how their texts are read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Self

from target.causes import discreet
from target.config import ALL_CLIENT_OPTIONS
from target.errors import OptionsError
from target.foreign import exact_text, is_text, kind_of
from target.option_rows import REQUIRED
from target.values import nearest_of

_OPTIONS = ALL_CLIENT_OPTIONS  # of which a variable for the other client is refused by ``create``, in its words
_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
# Compiled when they are first needed, which most programs never do.
_WHOLE = r"[+-]?[0-9]{1,400}"
_NUMBER = r"[+-]?(?:[0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?"


class FromEnvironment:
    """What TargetClient is besides."""

    @classmethod
    @discreet
    def from_env(cls, prefix: str = "TARGET_", **options: Any) -> Self:
        """A client with the options that environment variables set.

        Args:
            prefix: What the variables' names begin with; an option's name in capitals follows, as in
                ``TARGET_ORGANIZATION_ID``. Every option of ``create`` can be set that is text, number or flag; a flag
                is true or false, 1 or 0, yes or no, on or off, and an empty value sets nothing.
            **options: Those of ``create``; they win.

        Raises:
            OptionsError: A variable with the prefix names no such option, or holds what it cannot be; no message shows
                what a variable holds. Or as ``create``.
        """
        make: Any = cls
        made: Self = make.create(read_environment(prefix, options, os.environ))
        return made


class AsyncFromEnvironment:
    """What AsyncTargetClient is besides."""

    @classmethod
    @discreet
    async def from_env(cls, prefix: str = "TARGET_", **options: Any) -> Self:
        """A client with the options that environment variables set; see ``TargetClient.from_env``."""
        make: Any = cls
        made: Self = await make.create(read_environment(prefix, options, os.environ))
        return made


def read_environment(prefix: object, options: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Options as ``create`` takes them: what ``environment`` sets, then ``options``.

    Raises:
        OptionsError: See ``from_env``.
    """
    if not is_text(prefix) or not prefix:
        given = "an empty one" if is_text(prefix) else kind_of(prefix)
        raise OptionsError(f"prefix must be a text that the names of variables begin with, not {given}")
    prefix = exact_text(prefix)
    by_variable = {f"{prefix}{name.upper()}": name for name in _OPTIONS}
    read: dict[str, Any] = {}
    for variable in (each for each in environment if each.startswith(prefix)):
        name = by_variable.get(variable)
        if name is None:
            raise OptionsError(
                f"Unknown environment variable {variable!r}: did you mean {nearest_of(variable, by_variable)!r}?"
            )
        value = _read(variable, name, _OPTIONS[name][0], environment[variable].strip())
        if value is not None:
            read[name] = value
    read |= options
    for name in (name for name, (_, default) in _OPTIONS.items() if default is REQUIRED and read.get(name) is None):
        raise OptionsError(
            f"{name} is required: set the environment variable {prefix}{name.upper()}, or pass the option"
        )
    return read


def _read(variable: str, name: str, parse: Callable[[str, Any], Any], text: str) -> Any:
    """The value of one option; None where there is none."""
    kind = str(parse.__annotations__.get("return")).partition(" | ")[0]
    reader = _READERS.get(kind)
    if reader is None:
        raise OptionsError(f"The environment variable {variable} names the option {name!r}, which is no text: pass it")
    if not text:
        return None
    try:
        value = reader(text)
        parse(name, value)
    except ValueError as error:
        problem = str(error).partition(", not ")[0]  # what follows may quote the value
    else:
        return value
    raise OptionsError(f"The environment variable {variable} cannot be used: {problem}")


def _read_flag(text: str) -> bool:
    flag = _FLAGS.get(text.casefold())
    if flag is None:
        raise ValueError("it must be true or false, 1 or 0, yes or no, on or off")
    return flag


def _read_number(text: str) -> float:
    if re.fullmatch(_WHOLE, text):
        return int(text)
    if re.fullmatch(_NUMBER, text):
        return float(text)
    raise ValueError("it must be a number")


#: By what an option is read as.
_READERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "tuple[str, ...]": str,  # of several secrets, one
    "bool": _read_flag,
    "int": _read_number,
    "float": _read_number,
}
