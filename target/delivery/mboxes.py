"""The mboxes of a request: which are valid, what index each has, and adding more."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

MAX_NAME_LENGTH = 250


def drop_invalid(mboxes: list[Any], where: str, logger: logging.Logger) -> list[dict[str, Any]]:
    """The mboxes that have a name. One line is logged for each other, with its place and why; never the object."""
    valid = []
    for position, mbox in enumerate(mboxes):
        reason = _fault(mbox)
        if reason:
            logger.error("Mbox validation failed for: %s.mboxes[%d]: %s; it is not sent", where, position, reason)
        else:
            valid.append(mbox)
    return valid


def fill_indexes(mboxes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every mbox with an index: missing ones count up from the highest given, or from 0 when none is given."""
    following = next_index(mboxes, 0)
    filled = []
    for mbox in mboxes:
        if mbox.get("index") is None:
            mbox = {**mbox, "index": following}
            following += 1
        filled.append(mbox)
    return filled


def next_index(mboxes: Iterable[dict[str, Any]], first: int) -> int:
    """The highest index in ``mboxes`` plus one, or ``first`` where none has an index."""
    given = [mbox["index"] for mbox in mboxes if isinstance(mbox.get("index"), int)]
    return max(given) + 1 if given else first


def add_mboxes(execute: list[dict[str, Any]], prefetch: list[dict[str, Any]], names: Iterable[str]) -> list[Any]:
    """``execute`` with an mbox for each name that neither list holds; indexes go on from the highest in ``execute``."""
    known = {mbox["name"] for mbox in (*execute, *prefetch)}
    following = next_index(execute, 1)
    added = [name for name in dict.fromkeys(names) if name not in known]
    return execute + [{"index": following + offset, "name": name} for offset, name in enumerate(added)]


def _fault(mbox: Any) -> str | None:
    if not isinstance(mbox, dict):
        return f"it is {type(mbox).__name__}, not an object"
    name = mbox.get("name")
    if not isinstance(name, str) or not name.strip():
        return "it has no name"
    if len(name) > MAX_NAME_LENGTH:
        return f"its name is longer than {MAX_NAME_LENGTH} characters"
    return None
