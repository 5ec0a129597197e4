"""Makes of ``execute`` and ``prefetch``, as a caller gives them, what is sent: valid mboxes with indexes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from target.errors import OptionsError
from target.loggers import Log

MAX_NAME_LENGTH = 250
_NEEDS = {
    "execute": "Either pageLoad or mboxes is required in execute",
    "prefetch": "Either views, pageLoad or mboxes is required in prefetch",
}


def fill_parts(body: dict[str, Any], logger: Log, added_mboxes: Sequence[str] = ()) -> None:
    """Make ``execute`` and ``prefetch`` of ``body`` what is sent: valid mboxes with indexes, nothing empty.

    An empty part is left out where the other one asks for something.
    """
    asked = [body[name] for name in _NEEDS if name in body]
    if all(map(_is_ready, asked)) and (not added_mboxes or _names_of(asked).issuperset(added_mboxes)):
        return  # as nearly always
    parts = {name: body[name] or {} for name in _NEEDS if name in body}
    lists = {
        name: fill_indexes(valid_mboxes(part.get("mboxes") or [], f"request.{name}", logger))
        for name, part in parts.items()
    }
    if added_mboxes and (added := add_mboxes(lists.get("execute", []), lists.get("prefetch", []), added_mboxes)):
        lists["execute"] = added
    for name, mboxes in lists.items():
        given = parts.get(name, {})
        part = {key: value for key, value in given.items() if key != "mboxes" and value is not None and value != []}
        if mboxes:
            part["mboxes"] = mboxes
        if asks(name, part):
            body[name] = part
        elif _is_empty(given) and (any(lists.values()) or not all(map(_is_empty, parts.values()))):
            del body[name]
        else:
            raise OptionsError(f"{_NEEDS[name]}; an mbox needs a name, and empty lists ask for nothing")


def _is_ready(part: dict[str, Any]) -> bool:
    """Whether ``part`` asks for mboxes that each have a name and an index, and holds nothing empty."""
    mboxes = part.get("mboxes")
    if not mboxes:
        return False
    for mbox in mboxes:
        if not is_name(mbox.get("name")) or mbox.get("index") is None:
            return False
    values = part.values()
    return None not in values and [] not in values


def _names_of(asked: Iterable[dict[str, Any]]) -> set[str]:
    return {mbox["name"] for part in asked for mbox in part["mboxes"]}


def is_name(name: Any) -> bool:
    """Whether ``name``, a plain string, can be that of an mbox."""
    return type(name) is str and 0 < len(name) <= MAX_NAME_LENGTH and not name.isspace()


def _is_empty(part: dict[str, Any]) -> bool:
    return all(value in (None, []) for value in part.values())


def asks(name: str, part: dict[str, Any]) -> bool:
    """Whether ``part``, the ``execute`` or ``prefetch`` of a request, asks for anything."""
    return "pageLoad" in part or bool(part.get("mboxes")) or (name == "prefetch" and bool(part.get("views")))


def valid_mboxes(mboxes: list[Any], where: str, logger: Log) -> list[dict[str, Any]]:
    """The mboxes that have a name. One line is logged for each other, with its place and why; never the object."""
    if not any(map(_fault, mboxes)):
        return mboxes
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
    if None not in [mbox.get("index") for mbox in mboxes]:
        return mboxes
    following = count(next_index(mboxes, 0))
    return [{**mbox, "index": next(following)} if mbox.get("index") is None else mbox for mbox in mboxes]


def next_index(mboxes: Iterable[dict[str, Any]], first: int) -> int:
    """The highest index in ``mboxes`` plus one, or ``first`` where none has an index."""
    given = [mbox["index"] for mbox in mboxes if isinstance(mbox.get("index"), int)]
    return max(given) + 1 if given else first


def add_mboxes(execute: list[dict[str, Any]], prefetch: list[dict[str, Any]], names: Iterable[str]) -> list[Any]:
    """``execute`` with an mbox for each name that neither list holds; indexes go on from the highest in ``execute``."""
    known = {mbox["name"] for mbox in (*execute, *prefetch)}
    added = [name for name in dict.fromkeys(names) if name not in known]
    following = next_index(execute, 1)
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
