"""Owns what the emulator consists of: its settings, and which route is answered by what."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from random import Random
from typing import Any, TypedDict

from target.emulator.cdn import PATHS as RULES_PATHS
from target.emulator.cdn import Cdn
from target.emulator.control import Control
from target.emulator.delivery import Delivery
from target.emulator.desk import Desk, Offered, Ruled, desk_of
from target.emulator.faults import parse_failure
from target.emulator.geo import SAMPLE as SAMPLE_PLACES
from target.emulator.geo import Atlas, GeoService, parse_places
from target.emulator.journal import Journal
from target.emulator.page.routes import routes as page_routes
from target.emulator.replies import error, json_answer
from target.emulator.sample import load_sample
from target.emulator.stage import Stage
from target.emulator.watching import WatchedFile

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Match, Route
    from starlette.types import Scope
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

ABOUT = (
    "This emulates the Adobe Target Delivery API from rules and offers, for development; it is not Adobe Target. A/B "
    "tests and experience targeting are decided as on a device; Auto-Allocate, Auto-Target, Automated Personalization, "
    "Recommendations and multivariate tests are not emulated: their mboxes answer what the offers file has."
)
MAX_BODY_BYTES = 60 * 1024 * 1024
MAX_CONCURRENT = 100


class Settings(TypedDict, total=False):
    """The keyword arguments of `create_app`, for those who pass them on."""

    latency_ms: float
    fail: str | None
    seed: int | None
    max_body_bytes: int
    max_concurrent: int
    client: str | None
    cluster: str | None
    geo: Mapping[str, Any] | str | Path | None
    allow_hosts: Collection[str]


def create_app(
    offers: Offered | str | Path | None = None,
    rules: Ruled | str | Path | None = None,
    *,
    latency_ms: float = 0,
    fail: str | None = None,
    seed: int | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    max_concurrent: int = MAX_CONCURRENT,
    client: str | None = None,
    cluster: str | None = None,
    geo: Mapping[str, Any] | str | Path | None = None,
    allow_hosts: Collection[str] = (),
    journal: Journal | None = None,
) -> Starlette:
    """The emulator as an ASGI application.

    Args:
        offers: A checked offers file, the same as a dict, or the path of one.
        rules: A rules artifact, likewise; the offers are for what it leaves to the server. Without both, the sample
            shop is served.
        latency_ms: Every delivery call is answered after so many milliseconds.
        fail: RATE:STATUS, as in ``0.2:503``: so many delivery calls fail, by chance.
        seed: Makes the failing calls the same in every run.
        max_body_bytes: More in a body is a 413.
        max_concurrent: More calls at once in one session are a 420.
        client: The client code, which is part of what allocates visitors; by default that of the rules or offers.
        cluster: The edge cluster that answers name, such as ``38``, to which SDKs then turn with their next call.
        geo: Where addresses are (see `target.emulator.geo`): a dict, or the path of a file.
        allow_hosts: Names by which the control API may be called, besides those of this machine to itself.
        journal: What arrives goes into it.

    Raises:
        OffersError: The offers break their format.
        RulesError: The rules are no artifact.
        GeoError: The places break their format.
        ValueError: ``fail`` or ``cluster`` cannot be.
    """
    if offers is None and rules is None:
        offers, rules = load_sample()
    files: list[WatchedFile] = []
    atlas = Atlas(parse_places(SAMPLE_PLACES if geo is None or isinstance(geo, str | Path) else geo))
    if isinstance(geo, str | Path):
        files.append(WatchedFile("places", geo, atlas.read))
        atlas.read(str(geo))
    if cluster is not None and not (cluster.isascii() and cluster.isdigit() and len(cluster) <= 5):
        raise ValueError(f"{cluster!r} is no edge cluster; give its number, such as 38")
    journal = Journal() if journal is None else journal
    desk = desk_of(offers, rules, journal, files, client=client, cluster=cluster, now_s=_now_s, find_place=atlas.find)
    deliver = Delivery(
        desk,
        latency_s=latency_ms / 1000,
        failure=None if fail is None else parse_failure(fail),
        random=Random(seed),
        max_body_bytes=max_body_bytes,
        max_concurrent=max_concurrent,
    )
    control = Control(desk, ABOUT, frozenset(allow_hosts), max_body_bytes)
    cdn = Cdn(desk)
    app = Starlette(
        routes=[
            *_front(desk, frozenset(allow_hosts)),
            Route("/rest/v1/delivery", deliver.answer, methods=["POST"]),
            Route("/v1/geo", GeoService(atlas, desk).answer, methods=["GET"]),
            *control.routes(),
            *(Route(path, cdn.answer, methods=["GET"]) for path in RULES_PATHS),
        ],
        exception_handlers={HTTPException: _http_error},
    )
    app.state.desk = desk
    return app


def _now_s() -> float:
    return time.time()  # looked up each time, as a test may set the date


class _ForPrograms(Route):
    """A route for those who do not ask for HTML."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        accepted = b",".join(value for name, value in scope.get("headers", ()) if name == b"accept")
        return (Match.NONE, {}) if b"text/html" in accepted else super().matches(scope)


def _front(desk: Desk, hosts: Collection[str]) -> list[BaseRoute]:
    """What stands at /: JSON for programs, a page for people."""

    async def about(_: Request) -> Response:
        return json_answer(200, _about(desk.stage))

    return [_ForPrograms("/", about, methods=["GET"]), *page_routes(desk, hosts)]


def _about(stage: Stage) -> dict[str, Any]:
    return {
        "about": ABOUT,
        "deliver": "POST /rest/v1/delivery",
        "rules": "GET /CLIENT/ENVIRONMENT/v1/rules.json",
        "geo": "GET /v1/geo",
        "received": "GET /_/notifications",
        "forget": "DELETE /_/notifications or POST /_/reset",
        "control": "GET /_/state",
        "mboxes": list(stage.offers.mboxes),
        "views": list(stage.offers.views),
    }


def _http_error(request: Request, problem: Exception) -> Response:  # noqa: ARG001 - the signature of a handler
    status, detail = (problem.status_code, problem.detail) if isinstance(problem, HTTPException) else (500, "")
    return error(status, f"{detail}; the emulator serves POST /rest/v1/delivery, GET / lists the rest")
