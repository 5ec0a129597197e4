"""Owns the control API at /_/: JSON in, JSON out, for programs on this machine and the emulator's own pages."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, NamedTuple

from target.emulator.desk import Desk, parse_json_text
from target.emulator.entries import Filters, shown
from target.emulator.events import stream, wait_for
from target.emulator.guard import refusal
from target.emulator.journal import WAIT_MS
from target.emulator.replies import error, json_answer, read_body

try:
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

_MOST_BYTES = 64 * 1024
_MOST_WAIT_MS = 600_000
# Errors of rules and offers name the place so.
_POINTER = re.compile(r"(?:rules|offers): (/.*?): ")
_FILTERS = ("mbox", "type", "session", "since")
_PLACE = ("mbox", "activity", "visitor")

Endpoint = Callable[[Request], Awaitable[Response]]


class Refused(Exception):
    """What was asked cannot be done; the message says why, and what can. `pointer` is where in the body."""

    def __init__(self, message: str, pointer: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.pointer, self.status = pointer, status


class _Query(NamedTuple):
    filters: Filters
    wait: int
    timeout_ms: float


class Control:
    """The endpoints.

    Args:
        desk: What they look at and change.
        about: What the emulator says of itself.
        hosts: Names that the emulator goes by, besides those of this machine to itself.
        most_bytes: How much rules or offers may have.
    """

    def __init__(self, desk: Desk, about: str, hosts: Collection[str], most_bytes: int) -> None:
        self._desk, self._about, self._hosts, self._most_bytes = desk, about, hosts, most_bytes

    def routes(self) -> list[Route]:
        """All of them."""
        endpoints: dict[str, dict[str, Endpoint]] = {
            "state": {"GET": self.state},
            "requests": {"GET": self.list_requests, "DELETE": self.forget_requests},
            "notifications": {"GET": self.list_notifications, "DELETE": self.forget_all},
            "rules": {"PUT": self.put_rules},
            "offers": {"PUT": self.put_offers},
            "forced": {"GET": self.list_forced, "POST": self.force, "DELETE": self.release},
            "faults": {"GET": self.list_faults, "POST": self.fail_next, "DELETE": self.fail_no_more},
            "clock": {"GET": self.clock, "PUT": self.set_clock},
            "counts": {"GET": self.counts},
            "reset": {"POST": self.reset},
            "events": {"GET": self.events},
        }
        return [
            Route(f"/_/{path}", self._one_of(methods), methods=list(methods)) for path, methods in endpoints.items()
        ]

    def _one_of(self, methods: dict[str, Endpoint]) -> Endpoint:
        by_method = {**methods, **({"HEAD": methods["GET"]} if "GET" in methods else {})}

        @functools.wraps(next(iter(methods.values())))
        async def endpoint(request: Request) -> Response:
            refused = refusal(request, self._hosts)
            if refused is not None:
                return error(403, refused)
            try:
                return await by_method[request.method](request)
            except Refused as problem:
                pointer = {} if problem.pointer is None else {"pointer": problem.pointer}
                return error(problem.status, str(problem), **pointer)
            except ClientDisconnect:
                return Response(status_code=400)

        return endpoint

    async def state(self, request: Request) -> Response:
        """What is served, and how it stands."""
        _parameters(request, ())
        stage = self._desk.stage
        rules, offers = stage.rules, stage.offers
        return json_answer(
            200,
            {
                "about": self._about,
                "client": stage.client,
                "edgeHost": offers.edge_host,
                "rules": {
                    "source": rules.source,
                    "etag": stage.published.etag,
                    "activities": [{"id": one.id, "name": one.name, "type": one.type} for one in stage.counts()],
                    "problems": list(rules.problems),
                },
                "offers": {
                    "mboxes": list(offers.mboxes),
                    "views": list(offers.views),
                    "pageLoad": offers.page_load is not None,
                },
                "files": [{"kind": file.kind, "path": file.path, "problem": file.problem} for file in self._desk.files],
                "forced": self._desk.forced(),
                "faults": self._desk.faults.waiting(),
                "clock": self._desk.clock(),
                "received": {kind: counts._asdict() for kind, counts in self._desk.journal.counts().items()},
            },
        )

    async def list_requests(self, request: Request) -> Response:
        """The delivery calls, filtered; at once, or when there are as many as `wait` says."""
        query = _query(request)
        find = functools.partial(self._desk.journal.find_requests, **query.filters)
        return await self._listed("requests", query, lambda: [shown(one) for one in find()])

    async def list_notifications(self, request: Request) -> Response:
        """The notifications, likewise."""
        query = _query(request)
        find = functools.partial(self._desk.journal.find_notifications, **query.filters)
        return await self._listed("notifications", query, find)

    async def _listed(self, kind: str, query: _Query, find: Callable[[], list[dict[str, Any]]]) -> Response:
        journal, timeout_s = self._desk.journal, query.timeout_ms / 1000
        found = find() if not query.wait else await wait_for(find, query.wait, timeout_s, journal, self._desk.stopping)
        listed = {kind: list(found), **journal.counts()[kind]._asdict()}
        if len(found) >= query.wait:
            return json_answer(200, listed)
        message = f"{len(found)} of {query.wait} {kind} came within {query.timeout_ms:g} ms"
        return error(408, message, **listed)

    async def forget_requests(self, request: Request) -> Response:
        """Forget the requests that were received."""
        _parameters(request, ())
        self._desk.journal.clear("requests", "fetches")
        return Response(status_code=204)

    async def forget_all(self, request: Request) -> Response:
        """Forget what was received, requests and notifications."""
        _parameters(request, ())
        self._desk.journal.clear()
        return Response(status_code=204)

    async def put_rules(self, request: Request) -> Response:
        """Decide by other rules: the body is the artifact; `null` for none."""
        text = await self._body(request, self._most_bytes)
        with_none = text.strip() == b"null"
        _doing(lambda: self._desk.use_rules(None if with_none else text))
        return json_answer(200, {"etag": self._desk.stage.published.etag})

    async def put_offers(self, request: Request) -> Response:
        """Serve other offers: the body is what a file of them holds."""
        text = await self._body(request, self._most_bytes)
        _doing(lambda: self._desk.use_offers(parse_json_text(text)))
        return json_answer(200, {"mboxes": list(self._desk.stage.offers.mboxes)})

    async def list_forced(self, request: Request) -> Response:
        """What is forced."""
        _parameters(request, ())
        return json_answer(200, {"forced": self._desk.forced()})

    async def force(self, request: Request) -> Response:
        """Force an experience: {"experience", "mbox", "activity", "visitor"}."""
        given = await self._object(request, ("experience", *_PLACE))
        _texts(given, ("experience", *_PLACE))
        if not given.get("experience"):
            raise Refused("experience is missing: name one by its id or name", "/experience")
        _doing(lambda: self._desk.force(**given))
        return json_answer(201, {"forced": self._desk.forced()})

    async def release(self, request: Request) -> Response:
        """Force no longer: all, or what the parameters mbox, activity and visitor name."""
        self._desk.release(**_parameters(request, _PLACE))
        return Response(status_code=204)

    async def list_faults(self, request: Request) -> Response:
        """The faults to come."""
        _parameters(request, ())
        return json_answer(200, {"faults": self._desk.faults.waiting()})

    async def fail_next(self, request: Request) -> Response:
        """Let the next calls fail: {"n", "fault", "latency_ms", "of"}."""
        given = await self._object(request, ("n", "fault", "latency_ms", "of"))
        asked = {"n": 1, "fault": None, "latency_ms": 0, "of": "delivery"} | given
        _doing(lambda: self._desk.fail_next(**asked))
        return json_answer(201, {"faults": self._desk.faults.waiting()})

    async def fail_no_more(self, request: Request) -> Response:
        """Let nothing more fail, or nothing of what the parameter `of` names."""
        self._desk.fail_no_more(_parameters(request, ("of",)).get("of"))
        return Response(status_code=204)

    async def clock(self, request: Request) -> Response:
        """The time that decisions are made at."""
        _parameters(request, ())
        return json_answer(200, self._desk.clock())

    async def set_clock(self, request: Request) -> Response:
        """Set it: {"at": a date and time, milliseconds since 1970, or null for the real time}."""
        given = await self._object(request, ("at",))
        if "at" not in given:
            raise Refused("at is missing: a date and time, milliseconds since 1970, or null", "/at")
        _doing(lambda: self._desk.set_clock(given["at"]), "/at")
        return json_answer(200, self._desk.clock())

    async def counts(self, request: Request) -> Response:
        """What was counted, by activity and experience."""
        _parameters(request, ())
        return json_answer(200, {"activities": self._desk.counts()})

    async def reset(self, request: Request) -> Response:
        """Stand as at the start, with the rules and offers that are served now."""
        _parameters(request, ())
        self._desk.reset()
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        """What happens, as it happens (server-sent events)."""
        given = _parameters(request, ("since",))
        since = _number(request.headers.get("last-event-id") or given.get("since"), "since", 2**53)
        events = stream(self._desk.journal, self._desk.stopping, since)
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def _body(self, request: Request, most_bytes: int) -> bytes:
        _parameters(request, ())
        raw = await read_body(request, most_bytes)
        if raw is None:
            raise Refused(f"the body may have {most_bytes} bytes", status=413)
        return raw

    async def _object(self, request: Request, known: tuple[str, ...]) -> dict[str, Any]:
        raw = await self._body(request, _MOST_BYTES)
        try:
            given = parse_json_text(raw)
        except ValueError as problem:
            raise Refused(f"the body is {problem}", "") from problem
        if not isinstance(given, dict):
            raise Refused(f"the body must be a JSON object with {', '.join(known)}", "")
        for key in given:
            if key not in known:
                raise Refused(f"{key} is nothing that can be said here; use {', '.join(known)}", f"/{key}")
        return given


def _doing(act: Callable[[], object], pointer: str | None = None) -> None:
    try:
        act()
    except ValueError as problem:
        found = _POINTER.match(str(problem))
        raise Refused(str(problem), found[1] if found else pointer) from problem


def _texts(given: dict[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if not isinstance(given.get(name), str | None):
            raise Refused(f"{name} must be text", f"/{name}")


def _parameters(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    for name in request.query_params:
        if name not in known:
            allowed = f"use {', '.join(known)}" if known else "there are none here"
            raise Refused(f"{name} is no parameter: {allowed}")
    return dict(request.query_params)


def _query(request: Request) -> _Query:
    given = _parameters(request, (*_FILTERS, "wait", "timeout_ms"))
    filters: Filters = {"mbox": given.get("mbox"), "type": given.get("type"), "session": given.get("session")}
    filters["since"] = _number(given.get("since"), "since", 2**53)
    wait = _number(given.get("wait"), "wait", 10_000)
    timeout_ms = _number(given.get("timeout_ms"), "timeout_ms", _MOST_WAIT_MS)
    return _Query(filters, wait or 0, WAIT_MS if timeout_ms is None else timeout_ms)


def _number(text: str | None, name: str, most: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise Refused(f"{name} must be a whole number from 0 to {most}")
    return int(text)
