"""Owns the HTTP side of the emulator: routes, injected failures and latency, and which status a call gets."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any, TypedDict
from uuid import uuid4

from target.emulator.answers import Wire, answer, known_tokens
from target.emulator.journal import Journal, Received
from target.emulator.offers import SAMPLE, Offers, parse_offers
from target.emulator.validation import find_problem, parse_body

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response
    from starlette.routing import Route
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

ABOUT = "This emulates the Adobe Target Delivery API from an offers file, for development; it is not Adobe Target."
MAX_BODY_BYTES = 60 * 1024 * 1024
MAX_CONCURRENT = 100
RETRY_AFTER_S = 1


class Settings(TypedDict, total=False):
    """The keyword arguments of `create_app`, for those who pass them on."""

    latency_ms: float
    fail: str | None
    seed: int | None
    max_body_bytes: int
    max_concurrent: int


@dataclass(frozen=True, slots=True)
class FailingShare:
    """A share of calls, 0 to 1, that is answered with an error status."""

    rate: float
    status: int


def parse_failure(value: str) -> FailingShare:
    """Read RATE:STATUS, as in 0.2:503; raises ValueError with what to write instead."""
    found = re.fullmatch(r"(0|1|[01]?\.\d+):([45]\d\d)", value)
    if not found or float(found[1]) > 1:
        raise ValueError(f"{value!r} is not RATE:STATUS; write a rate from 0 to 1 and a status of 4xx or 5xx: 0.2:503")
    return FailingShare(float(found[1]), int(found[2]))


def create_app(
    offers: Offers | Wire | None = None,
    *,
    latency_ms: float = 0,
    fail: str | None = None,
    seed: int | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    max_concurrent: int = MAX_CONCURRENT,
    journal: Journal | None = None,
) -> Starlette:
    """The emulator as an ASGI application.

    `offers` is a checked offers file, or the same as a dict; None serves a small sample. Every delivery call is
    answered after `latency_ms` milliseconds. `fail` is RATE:STATUS; `seed` makes the failing calls the same in every
    run. More than `max_body_bytes` in a body is a 413, more than `max_concurrent` calls at once in one session a 420.
    What arrives goes into `journal`. Raises OffersError for bad offers, ValueError for a bad `fail`.
    """
    if not isinstance(offers, Offers):
        offers = parse_offers(SAMPLE if offers is None else offers)
    api = _DeliveryApi(
        offers=offers,
        journal=Journal() if journal is None else journal,
        latency_s=latency_ms / 1000,
        failure=None if fail is None else parse_failure(fail),
        random=Random(seed),
        max_body_bytes=max_body_bytes,
        max_concurrent=max_concurrent,
    )
    return Starlette(
        routes=[
            Route("/", api.about, methods=["GET"]),
            Route("/rest/v1/delivery", api.deliver, methods=["POST"]),
            Route("/_/notifications", api.list_notifications, methods=["GET"]),
            Route("/_/notifications", api.clear, methods=["DELETE"]),
            Route("/_/reset", api.clear, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _http_error},
    )


class _DeliveryApi:
    """The endpoints and what they share; all of it runs in one event loop, so nothing here needs a lock."""

    def __init__(
        self,
        *,
        offers: Offers,
        journal: Journal,
        latency_s: float,
        failure: FailingShare | None,
        random: Random,
        max_body_bytes: int,
        max_concurrent: int,
    ) -> None:
        self._offers = offers
        self._journal = journal
        self._latency_s = latency_s
        self._failure = failure
        self._random = random
        self._max_body_bytes = max_body_bytes
        self._max_concurrent = max_concurrent
        self._known = known_tokens(offers)
        self._in_flight: Counter[str] = Counter()

    async def deliver(self, request: Request) -> Response:
        session_id = request.query_params.get("sessionId", "")
        # Counted when the head of a call arrives: bodies arrive in any order.
        crowded = self._in_flight[session_id] >= self._max_concurrent
        self._in_flight[session_id] += 1
        try:
            raw = await _read(request, self._max_body_bytes)
            response = self._reply(request, raw, session_id, crowded)
            # The work is done before the wait, as in a slow network: who gives up waiting was still counted.
            await _wait(request, self._latency_s)
        except ClientDisconnect:
            return Response(status_code=400)
        finally:
            self._in_flight[session_id] -= 1
            if not self._in_flight[session_id]:
                del self._in_flight[session_id]
        return response

    def _reply(self, request: Request, raw: bytes | None, session_id: str, crowded: bool) -> Response:
        body: Any = None
        malformed = None
        try:
            body = None if raw is None else parse_body(raw)
        except ValueError as cause:
            malformed = f"Invalid request: body is not JSON ({cause})"
        query = dict(request.query_params)
        received = Received(query, dict(request.headers), body)
        self._journal.add(received)
        if self._failure is not None and self._random.random() < self._failure.rate:
            response = _failure(self._failure)
        elif raw is None:
            response = _error(413, "Request Entity Too Large")
        elif crowded:
            response = _error(420, "Too many requests with same session ID")
        elif problem := malformed or find_problem(query, body):
            response = _error(400, problem)
        else:
            response = self._served(body, session_id)
        received.status = response.status_code
        return response

    def _served(self, body: Wire, session_id: str) -> Response:
        for notification in body.get("notifications") or []:
            tokens = notification.get("tokens")
            known = bool(tokens) and self._known[notification["type"]].issuperset(tokens)
            self._journal.add_notification(notification, session_id=session_id, known=known)
        if body["context"].get("beacon"):
            return Response(status_code=204)
        return _json(200, answer(body, self._offers, session_id=session_id, request_id=str(uuid4())))

    async def list_notifications(self, request: Request) -> Response:  # noqa: ARG002 - the signature of an endpoint
        return _json(200, {"notifications": self._journal.notifications})

    async def clear(self, request: Request) -> Response:  # noqa: ARG002 - the signature of an endpoint
        self._journal.clear()
        return Response(status_code=204)

    async def about(self, request: Request) -> Response:  # noqa: ARG002 - the signature of an endpoint
        return _json(
            200,
            {
                "about": ABOUT,
                "deliver": "POST /rest/v1/delivery",
                "received": "GET /_/notifications",
                "forget": "DELETE /_/notifications or POST /_/reset",
                "mboxes": list(self._offers.mboxes),
                "views": list(self._offers.views),
            },
        )


async def _read(request: Request, limit: int) -> bytes | None:
    # A body over the limit is read to its end, unkept: a client that is still writing could not read the 413.
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()
    return b"".join(chunks) if size <= limit else None


async def _wait(request: Request, seconds: float) -> None:
    if seconds <= 0:
        return
    # A client that hangs up ends the wait, or stopping the server would wait for nobody.
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


def _failure(failure: FailingShare) -> Response:
    response = _error(failure.status, "The emulator was told to fail this call")
    if failure.status == 429:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _http_error(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the signature of a handler
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    return _error(status, f"{detail}; the emulator serves POST /rest/v1/delivery, GET / lists the rest")


def _error(status: int, message: str) -> Response:
    return _json(status, {"status": status, "message": message})


def _json(status: int, value: Any) -> Response:
    # ASCII: text that is no valid Unicode (a lone surrogate a client sent) can then be echoed.
    return Response(json.dumps(value), status, media_type="application/json")
