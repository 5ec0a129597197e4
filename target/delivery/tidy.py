"""Makes a request in wire form what its caller means, before anything reads it: blank fields are none."""

from __future__ import annotations

from typing import Any

# Parts of a request in which a blank field says nothing, all the way down. CDNs and geo databases write "" where they
# know no city; the API refuses it (minLength, formats, numbers).
_PARTS = ("context", "experienceCloud", "property", "preview", "qaMode")
# The same of what execute, prefetch and notifications ask for or report. A blank parameter is a value, and a view with
# a blank name is not all views.
_DETAILS = frozenset({"address", "order", "product"})


def tidy_request(body: dict[str, Any]) -> None:
    """Change ``body``, which is the caller's no more."""
    for name in _PARTS:
        if isinstance(part := body.get(name), dict) and _drop_blanks(part):
            del body[name]
    for name in ("execute", "prefetch"):
        if isinstance(part := body.get(name), dict):
            _tidy_details([part.get("pageLoad")])
            for key in ("mboxes", "views"):
                _tidy_details(part.get(key))
    _tidy_details(body.get("notifications"))


def _tidy_details(items: Any) -> None:
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, dict):
            continue
        for name in _DETAILS & item.keys():
            if isinstance(item[name], dict) and _drop_blanks(item[name]):
                del item[name]


def _drop_blanks(part: dict[str, Any]) -> bool:
    """Take blank texts out of ``part``; whether nothing is left of it that was there."""
    dropped = []
    for name, value in part.items():
        if isinstance(value, str):
            if not value or value.isspace():
                dropped.append(name)
        elif isinstance(value, dict) and _drop_blanks(value):
            dropped.append(name)
    for name in dropped:
        del part[name]
    return bool(dropped) and not part
