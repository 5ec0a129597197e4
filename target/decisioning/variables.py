"""The variables that a condition can name, and how each is read: ``page.url``, ``mbox.colour``, ``allocation``.

A name that is not known here may mean something to the server. So its rule is undecidable, never just false. Only the
parameters of an mbox are free.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from target.decisioning.comparison import Value
from target.decisioning.context import PARAMETERS, PLACES, SECOND_READINGS, Scope
from target.decisioning.geo import normalize_place

_OF_AN_ADDRESS = ("url", "path", "query", "fragment", "subdomain", "domain", "topLevelDomain")
_ADDRESS = frozenset(_OF_AN_ADDRESS) | {f"{name}_lc" for name in _OF_AN_ADDRESS}
_FIELDS: dict[str, frozenset[str]] = {
    "page": _ADDRESS,
    "referring": _ADDRESS,
    "user": frozenset({"browserType", "browserVersion", "platform", "locale"}),
    "geo": frozenset({"country", "region", "city", "latitude", "longitude"}),
}
BROWSER = "user.browserType"
_WITHOUT_FIELDS = frozenset({"allocation", "current_timestamp", "current_time", "current_day"})
_PARAMETER = re.compile(r"(page|referring)\.\{parameter=([^{}]+)\}(_lc)?", re.DOTALL)
_PLACES = frozenset({"geo.country", "geo.region", "geo.city"})


class Undecidable(ValueError):
    """A rule that this engine cannot decide; the message says why."""


def root_of(name: str) -> str:
    """The first word of the variable ``name``. Raises Undecidable where the variable is not known."""
    if not name:
        return ""
    if match := _PARAMETER.fullmatch(name):
        return match[1]
    root, *path = name.split(".")
    fields = _FIELDS.get(root)
    if root == "mbox" or (root in _WITHOUT_FIELDS and not path):
        return root
    if fields is None or (path and (len(path) > 1 or path[0] not in fields)):
        raise Undecidable(f"the variable {shown(name)} is not known")
    return root


def read_variable(name: str, default: Any, activity_id: str, *, second: bool) -> Value:
    """What reads the variable ``name``, which ``root_of`` knows, in a rule of the activity ``activity_id``.

    ``second`` asks for the other reading of a variable that has two, see ``context.SECOND_READINGS``.
    """
    if not name:
        return lambda scope: scope.as_data(activity_id)
    if name == "allocation":
        return lambda scope: scope.allocations[activity_id]
    if second and name in SECOND_READINGS:
        name = SECOND_READINGS[name]
    if match := _PARAMETER.fullmatch(name):
        return _parameter(match[1], match[2], bool(match[3]), default)
    root, *path = name.split(".")
    if not path:
        return lambda scope: scope[root]
    if len(path) == 1 and default is None:
        key = path[0]
        return lambda scope: scope[root].get(key)
    return _deep(root, path, default)


def read_place(name: str, read: Value) -> Value:
    """What reads the variable ``name`` as ``read`` does, in the one spelling in which places are compared."""
    if not is_place(name):
        return lambda scope: normalize_place(read(scope))
    key = name.partition(".")[2]

    def read_normalized(scope: Scope) -> Any:
        found = scope[PLACES].get(key)
        return normalize_place(read(scope)) if found is None else found

    return read_normalized


def is_place(name: object) -> bool:
    """Whether the variable ``name`` holds a place, which is compared however it is written."""
    return isinstance(name, str) and name in _PLACES


def has_two_readings(name: object) -> bool:
    """Whether Target's own readers disagree on what the variable ``name`` holds."""
    return isinstance(name, str) and name in SECOND_READINGS


def shown(name: object) -> str:
    """``name`` as a message can show it."""
    text = repr(name)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _parameter(root: str, name: str, in_lower_case: bool, default: Any) -> Value:
    variable = PARAMETERS[root]

    def read(scope: Scope) -> Any:
        found = scope[variable].get(name)
        if found is None:
            return default
        return found.lower() if in_lower_case else found

    return read


def _deep(root: str, path: list[str], default: Any) -> Value:
    def read(scope: Scope) -> Any:
        found = scope[root]
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
            if found is None:
                return default
        return found

    return read
