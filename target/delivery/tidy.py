"""Makes a request in wire form what its caller means, before anything reads it: blank fields are none."""

from __future__ import annotations

from typing import Any

# Parts of a request in which a blank field says nothing, all the way down. CDNs and geo databases write "" where they
# know no city; the API refuses it (minLength, formats, numbers).
_PARTS = frozenset({"id", "context", "experienceCloud", "property", "preview", "qaMode"})
_ASKING = frozenset({"execute", "prefetch"})
# The same of what execute, prefetch and notifications ask for or report. A blank parameter is a value, and a view with
# a blank name is not all views.
_PLACES = ("pageLoad", "mboxes", "views")
_DETAILS = ("address", "order", "product")


def tidy_request(body: dict[str, Any]) -> None:
    """Change ``body``, which is the caller's no more."""
    for name, part in list(body.items()):
        if part is None:
            del body[name]
        elif name in _PARTS:
            if part.__class__ is dict and _drop_blanks(part):
                del body[name]
        elif name == "notifications":
            _tidy_details(part)
        elif name in _ASKING and part.__class__ is dict:
            for place in _PLACES:
                if place in part:
                    asked = part[place]
                    _tidy_details([asked] if asked.__class__ is dict else asked)


def _tidy_details(items: Any) -> None:
    for item in items if items.__class__ is list else ():
        if item.__class__ is not dict:
            continue
        for name in _DETAILS:
            if name in item and item[name].__class__ is dict and _drop_blanks(item[name]):
                del item[name]


def _drop_blanks(part: dict[str, Any]) -> bool:
    """Take blank texts out of ``part``; whether nothing is left of it that was there."""
    dropped = []
    for name, value in part.items():
        kind = value.__class__
        if kind is str:
            if not value or value.isspace():
                dropped.append(name)
        elif kind is dict and _drop_blanks(value):
            dropped.append(name)
    for name in dropped:
        del part[name]
    return bool(dropped) and not part
