"""What results hold, as plain JSON-ready data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from target.errors import OptionsError

T = TypeVar("T")


def plain(value: Any) -> Any:
    """``value`` as plain JSON-ready data, as far as it is known."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def written(write: Callable[[], T]) -> T:
    """What ``write`` returns. An answer as it came can be written: only its reader can have made it what cannot."""
    try:
        return write()
    except (RecursionError, ValueError) as error:
        if isinstance(error, OptionsError):
            raise
    raise OptionsError("The result cannot be written: something that was put into it is nested too deeply")
