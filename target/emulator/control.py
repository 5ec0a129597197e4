"""Owns the control API at /_/: JSON in, JSON out, for programs on this machine and the emulator's own pages."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar

from target.emulator.asked import Query, Refused, body_of, number_of, object_of, parameters, query_of, require_texts
from target.emulator.desk import Desk, unanswered
from target.emulator.entries import shown
from target.emulator.events import stream, wait_for
from target.emulator.guard import refusal
from target.emulator.replies import error, json_answer
from target.emulator.validation import parse_body

try:
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

# Errors of rules and offers name the place so.
_POINTER = re.compile(r"(?:rules|offers): (/.*?): ")
_EVENTS = "text/event-stream"
_PLACE = ("mbox", "activity", "visitor")

_T = TypeVar("_T")
Endpoint = Callable[[Request], Awaitable[Response]]


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
            "explain": {"POST": self.explain},
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
        parameters(request, ())
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
                    "unanswered": unanswered(stage),
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
        """The delivery calls, or those of the parameter `of`, filtered; at once, or when `wait` are there."""
        query = query_of(request, "of")
        find = functools.partial(self._desk.journal.find_requests, query.of, **query.filters)
        return await self._listed(request, "requests", query, lambda: [shown(one) for one in find()])

    async def list_notifications(self, request: Request) -> Response:
        """The notifications, likewise."""
        query = query_of(request)
        find = functools.partial(self._desk.journal.find_notifications, **query.filters)
        return await self._listed(request, "notifications", query, find)

    async def _listed(
        self, request: Request, kind: str, query: Query, find: Callable[[], list[dict[str, Any]]]
    ) -> Response:
        journal, stopping = self._desk.journal, self._desk.stopping
        found = find()
        if len(found) < query.wait:
            found = await wait_for(find, query.wait, query.timeout_ms / 1000, journal, stopping, request)
        listed = {kind: found, **journal.counts()[kind]._asdict()}
        if len(found) >= query.wait:
            return json_answer(200, listed)
        message = f"{len(found)} of {query.wait} {kind} came within {query.timeout_ms:g} ms"
        return error(408, message, **listed)

    async def forget_requests(self, request: Request) -> Response:
        """Forget the requests that were received."""
        parameters(request, ())
        self._desk.journal.clear("requests", "fetches")
        return Response(status_code=204)

    async def forget_all(self, request: Request) -> Response:
        """Forget what was received, requests and notifications."""
        parameters(request, ())
        self._desk.journal.clear()
        return Response(status_code=204)

    async def put_rules(self, request: Request) -> Response:
        """Decide by other rules: the body is the artifact; `null` for none."""
        text = await body_of(request, self._most_bytes)
        rules = None if text.strip() == b"null" else text
        # Large ones take a moment to read, while calls go on.
        await run_in_threadpool(_doing, lambda: self._desk.use_rules(rules))
        return json_answer(200, {"etag": self._desk.stage.published.etag})

    async def put_offers(self, request: Request) -> Response:
        """Serve other offers: the body is what a file of them holds."""
        text = await body_of(request, self._most_bytes)
        await run_in_threadpool(_doing, lambda: self._desk.use_offers(text))
        return json_answer(200, {"mboxes": list(self._desk.stage.offers.mboxes)})

    async def list_forced(self, request: Request) -> Response:
        """What is forced."""
        parameters(request, ())
        return json_answer(200, {"forced": self._desk.forced()})

    async def force(self, request: Request) -> Response:
        """Force an experience: {"experience", "mbox", "activity", "visitor"}."""
        given = await object_of(request, ("experience", *_PLACE))
        require_texts(given, ("experience", *_PLACE))
        if not given.get("experience"):
            raise Refused("experience is missing: name one by its id or name", "/experience")
        _doing(lambda: self._desk.force(**given))
        return json_answer(201, {"forced": self._desk.forced()})

    async def release(self, request: Request) -> Response:
        """Force no longer: all, or what the parameters mbox, activity and visitor name."""
        self._desk.release(**parameters(request, _PLACE))
        return Response(status_code=204)

    async def list_faults(self, request: Request) -> Response:
        """The faults to come."""
        parameters(request, ())
        return json_answer(200, {"faults": self._desk.faults.waiting()})

    async def fail_next(self, request: Request) -> Response:
        """Let the next calls fail: {"n", "fault", "latency_ms", "of"}."""
        given = await object_of(request, ("n", "fault", "latency_ms", "of"))
        asked = {"n": 1, "fault": None, "latency_ms": 0, "of": "delivery"} | given
        _doing(lambda: self._desk.fail_next(**asked))
        return json_answer(201, {"faults": self._desk.faults.waiting()})

    async def fail_no_more(self, request: Request) -> Response:
        """Let nothing more fail, or nothing of what the parameter `of` names."""
        self._desk.fail_no_more(parameters(request, ("of",)).get("of"))
        return Response(status_code=204)

    async def clock(self, request: Request) -> Response:
        """The time that decisions are made at."""
        parameters(request, ())
        return json_answer(200, self._desk.clock())

    async def set_clock(self, request: Request) -> Response:
        """Set it: {"at": a date and time, milliseconds since 1970, or null for the real time}."""
        given = await object_of(request, ("at",))
        if "at" not in given:
            raise Refused("at is missing: a date and time, milliseconds since 1970, or null", "/at")
        _doing(lambda: self._desk.set_clock(given["at"]), "/at")
        return json_answer(200, self._desk.clock())

    async def counts(self, request: Request) -> Response:
        """What was counted, by activity and experience."""
        parameters(request, ())
        return json_answer(200, {"activities": self._desk.counts()})

    async def explain(self, request: Request) -> Response:
        """What a delivery request, the body, would be answered, and why; nothing is counted."""
        asked = await body_of(request, self._most_bytes)
        answer, explanation = _doing(lambda: self._desk.try_out(parse_body(asked)))
        return json_answer(200, {"answer": answer, "explanation": explanation.to_dict()})

    async def reset(self, request: Request) -> Response:
        """Stand as at the start, with the rules and offers that are served now."""
        parameters(request, ())
        self._desk.reset()
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        """What happens, as it happens (server-sent events)."""
        given = parameters(request, ("since",))
        since = number_of(request.headers.get("last-event-id") or given.get("since"), "since", 2**53)
        if request.method == "HEAD":
            return Response(media_type=_EVENTS)
        events = stream(self._desk.journal, self._desk.stopping, request, since)
        return StreamingResponse(events, media_type=_EVENTS, headers={"Cache-Control": "no-store"})


def _doing(act: Callable[[], _T], pointer: str | None = None) -> _T:
    try:
        return act()
    except ValueError as problem:
        found = _POINTER.match(str(problem))
        raise Refused(str(problem), found[1] if found else pointer) from problem
