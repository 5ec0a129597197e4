"""Holds an answer against the pattern of a scenario, and against what every scenario implies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_KINDS: dict[str, tuple[type, ...]] = {
    "expect.any(Object)": (dict, list),
    "expect.any(String)": (str,),
    "expect.any(Number)": (int, float),
}


def mismatches(actual: Any, pattern: Any, place: str = "$") -> Iterator[str]:
    """Where ``actual`` does not fit.

    An object must have the keys of the pattern and may have more; a list has as many items as the pattern, in order;
    ``expect.any(...)`` stands for a kind of value; anything else must be equal, and a boolean is not a number.
    """
    if isinstance(pattern, str) and pattern in _KINDS:
        if not isinstance(actual, _KINDS[pattern]) or isinstance(actual, bool):
            yield f"{place}: {actual!r} is not what {pattern} stands for"
    elif isinstance(pattern, dict):
        if not isinstance(actual, dict):
            yield f"{place}: {actual!r} is no object"
            return
        for key, wanted in pattern.items():
            if key in actual:
                yield from mismatches(actual[key], wanted, f"{place}.{key}")
            else:
                yield f"{place}.{key}: is missing, {wanted!r} was wanted"
    elif isinstance(pattern, list):
        if not isinstance(actual, list) or len(actual) != len(pattern):
            yield f"{place}: {actual!r} is not a list of {len(pattern)}"
            return
        for position, (item, wanted) in enumerate(zip(actual, pattern, strict=True)):
            yield from mismatches(item, wanted, f"{place}[{position}]")
    elif actual != pattern or isinstance(actual, bool) is not isinstance(pattern, bool):
        yield f"{place}: {actual!r}, but {pattern!r} was wanted"


def surpluses(request: dict[str, Any], response: dict[str, Any], pattern: dict[str, Any] | None) -> Iterator[str]:
    """What is in an answer that was not asked for, and mboxes that are not answered one for one."""
    for mode in ("execute", "prefetch"):
        asked, answered = request.get(mode) or {}, response.get(mode) or {}
        for kind in ("pageLoad", "mboxes", "views"):
            if asked.get(kind) is None and answered.get(kind):
                yield f"{mode}.{kind} was not asked for"
        parts = [answered.get("pageLoad") or {}, *answered.get("mboxes", ()), *answered.get("views", ())]
        if request.get("trace") is None and any("trace" in part for part in parts):
            yield f"{mode} has a trace that was not asked for"
        options = [option for part in parts for option in part.get("options", ())]
        if mode == "execute" and any("eventToken" in option for option in options):
            yield "an option of execute has an eventToken"
        names = [(mbox.get("name"), mbox.get("index")) for mbox in asked.get("mboxes") or ()]
        if names != [(mbox.get("name"), mbox.get("index")) for mbox in answered.get("mboxes", ())]:
            yield f"the mboxes of {mode} are not answered one for one"
        wanted = ((pattern or {}).get(mode) or {}).get("mboxes") or []
        for mbox, answer in zip(wanted, answered.get("mboxes", ()), strict=False):
            if "options" not in mbox and "trace" not in mbox and answer.get("options"):
                yield f"mbox {mbox.get('name')} has options that no rule gives"
