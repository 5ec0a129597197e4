"""Owns what each form of the page does, and what is said of it afterwards. A mistake is a ValueError."""

from __future__ import annotations

from collections.abc import Callable

from target.emulator.desk import Desk

Typed = dict[str, str]
Action = Callable[[Desk, Typed], str]


def _force(desk: Desk, typed: Typed) -> str:
    activity, slash, experience = typed.get("experience", "").rpartition("/")
    if not slash:
        raise ValueError("Choose an experience")
    desk.force(experience, activity=activity, mbox=_or_none(typed, "mbox"), visitor=_or_none(typed, "visitor"))
    return "The experience is forced"


def _release(desk: Desk, typed: Typed) -> str:
    desk.release(activity=_or_none(typed, "activity"), mbox=_or_none(typed, "mbox"), visitor=_or_none(typed, "visitor"))
    return "The experience is forced no longer"


def _fail(desk: Desk, typed: Typed) -> str:
    n, latency_ms = (_number(typed, name) for name in ("n", "latency_ms"))
    desk.fail_next(n, _or_none(typed, "fault"), latency_ms=latency_ms, of=typed.get("of", "delivery"))
    return "The fault is to come"


def _heal(desk: Desk, _: Typed) -> str:
    desk.fail_no_more()
    return "No fault is to come"


def _clock(desk: Desk, typed: Typed) -> str:
    at = _or_none(typed, "at")
    desk.set_clock(at)
    return "The clock runs" if at is None else "The clock is set, and stands"


def _reset(desk: Desk, _: Typed) -> str:
    desk.reset()
    return "Visitors, counts, requests and switches are forgotten"


ACTIONS: dict[str, Action] = {
    "force": _force,
    "release": _release,
    "fail": _fail,
    "heal": _heal,
    "clock": _clock,
    "reset": _reset,
}


def _or_none(typed: Typed, name: str) -> str | None:
    return typed.get(name, "").strip() or None


def _number(typed: Typed, name: str) -> int:
    text = typed.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise ValueError(f"{name} is a whole number, not {text[:40]!r}")
    return int(text)
