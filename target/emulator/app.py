"""Owns what the emulator consists of: its settings, and which route is answered by what."""

from __future__ import annotations

from random import Random
from typing import Any, TypedDict

from target.emulator.answers import Wire
from target.emulator.delivery import Delivery
from target.emulator.faults import Faults, parse_failure
from target.emulator.geo import SAMPLE as SAMPLE_PLACES
from target.emulator.geo import GeoService, parse_places
from target.emulator.journal import Journal
from target.emulator.offers import SAMPLE, Offers, parse_offers
from target.emulator.replies import error, json_answer
from target.emulator.stopping import Stopping

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

ABOUT = "This emulates the Adobe Target Delivery API from an offers file, for development; it is not Adobe Target."
MAX_BODY_BYTES = 60 * 1024 * 1024
MAX_CONCURRENT = 100


class Settings(TypedDict, total=False):
    """The keyword arguments of `create_app`, for those who pass them on."""

    latency_ms: float
    fail: str | None
    seed: int | None
    max_body_bytes: int
    max_concurrent: int


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

    Its `state` has what its routes share: `journal`, `faults` to come, and `stopping`, to be set when a server stops.
    """
    if not isinstance(offers, Offers):
        offers = parse_offers(SAMPLE if offers is None else offers)
    journal = Journal() if journal is None else journal
    faults, stopping = Faults(), Stopping()
    places = parse_places(SAMPLE_PLACES)
    deliver = Delivery(
        offers,
        journal,
        faults,
        stopping,
        latency_s=latency_ms / 1000,
        failure=None if fail is None else parse_failure(fail),
        random=Random(seed),
        max_body_bytes=max_body_bytes,
        max_concurrent=max_concurrent,
    )

    async def list_notifications(_: Request) -> Response:
        return json_answer(200, {"notifications": journal.notifications})

    async def clear(_: Request) -> Response:
        journal.reset()
        return Response(status_code=204)

    async def about(_: Request) -> Response:
        return json_answer(200, _about(offers))

    app = Starlette(
        routes=[
            Route("/", about, methods=["GET"]),
            Route("/rest/v1/delivery", deliver.answer, methods=["POST"]),
            Route("/v1/geo", GeoService(places, journal, faults, stopping).answer, methods=["GET"]),
            Route("/_/notifications", list_notifications, methods=["GET"]),
            Route("/_/notifications", clear, methods=["DELETE"]),
            Route("/_/reset", clear, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _http_error},
    )
    app.state.journal, app.state.faults, app.state.stopping = journal, faults, stopping
    return app


def _about(offers: Offers) -> dict[str, Any]:
    return {
        "about": ABOUT,
        "deliver": "POST /rest/v1/delivery",
        "received": "GET /_/notifications",
        "forget": "DELETE /_/notifications or POST /_/reset",
        "mboxes": list(offers.mboxes),
        "views": list(offers.views),
    }


def _http_error(request: Request, problem: Exception) -> Response:  # noqa: ARG001 - the signature of a handler
    status, detail = (problem.status_code, problem.detail) if isinstance(problem, HTTPException) else (500, "")
    return error(status, f"{detail}; the emulator serves POST /rest/v1/delivery, GET / lists the rest")
