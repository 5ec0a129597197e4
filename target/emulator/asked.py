"""Owns reading what a request to the control API asks: its parameters and its JSON, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from target.emulator.entries import Filters
from target.emulator.faults import OF
from target.emulator.journal import WAIT_MS
from target.emulator.replies import read_body
from target.emulator.validation import parse_body

try:
    from starlette.requests import Request
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

_MOST_BYTES = 64 * 1024
_MOST_WAIT_MS = 600_000
_MOST_NUMBER = 2**53
_FILTERS = ("mbox", "type", "session", "since")


class Refused(Exception):
    """What was asked cannot be done; the message says why, and what can. `pointer` is where in the body."""

    def __init__(self, message: str, pointer: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.pointer, self.status = pointer, status


class Query(NamedTuple):
    """Which entries of the journal: `wait` until there are as many, for `timeout_ms`."""

    filters: Filters
    wait: int
    timeout_ms: float
    of: str


def require_texts(given: dict[str, Any], names: Iterable[str]) -> None:
    """Check that each of these is text, where it is there at all."""
    for name in names:
        if not isinstance(given.get(name), str | None):
            raise Refused(f"{name} must be text", f"/{name}")


def parameters(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """The parameters of a request, none of which may be unknown."""
    for name in request.query_params:
        if name not in known:
            allowed = f"use {', '.join(known)}" if known else "there are none here"
            raise Refused(f"{name} is no parameter: {allowed}")
    return dict(request.query_params)


def query_of(request: Request, *more: str) -> Query:
    """The parameters of a request for entries of the journal; `more` may be there besides."""
    given = parameters(request, (*_FILTERS, "wait", "timeout_ms", *more))
    filters: Filters = {"mbox": given.get("mbox"), "type": given.get("type"), "session": given.get("session")}
    filters["since"] = number_of(given.get("since"), "since", _MOST_NUMBER)
    wait = number_of(given.get("wait"), "wait", 10_000)
    of = given.get("of", "delivery")
    if of not in OF:
        raise Refused(f"of must be one of {', '.join(OF)}")
    timeout_ms = number_of(given.get("timeout_ms"), "timeout_ms", _MOST_WAIT_MS)
    return Query(filters, wait or 0, WAIT_MS if timeout_ms is None else timeout_ms, of)


def number_of(text: str | None, name: str, most: int) -> int | None:
    """A whole number from 0 to `most`; None where there is none."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise Refused(f"{name} must be a whole number from 0 to {most}")
    return int(text)


async def body_of(request: Request, most_bytes: int) -> bytes:
    """The body of a request without parameters."""
    parameters(request, ())
    raw = await read_body(request, most_bytes)
    if raw is None:
        raise Refused(f"the body may have {most_bytes} bytes", status=413)
    return raw


async def object_of(request: Request, known: tuple[str, ...]) -> dict[str, Any]:
    """The JSON object in the body of a request without parameters, with known keys alone."""
    raw = await body_of(request, _MOST_BYTES)
    try:
        given = parse_body(raw)
    except ValueError as problem:
        raise Refused(f"the body is not JSON ({problem})", "") from problem
    if not isinstance(given, dict):
        raise Refused(f"the body must be a JSON object with {', '.join(known)}", "")
    for key in given:
        if key not in known:
            raise Refused(f"{key} is nothing that can be said here; use {', '.join(known)}", f"/{key}")
    return given
