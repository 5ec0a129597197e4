"""`make bench-frameworks`: what each integration adds to a request that asks nothing, over the framework alone."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from wsgiref.util import setup_testing_defaults

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test.utils import override_settings
from django.urls import path
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from benchmarks.command import Command
from benchmarks.measure import Block, compare, in_sequence, take_turns
from benchmarks.report import Row, microseconds
from target.integrations.flask import Target
from target.integrations.starlette import TargetMiddleware

AT_MOST_US = 15
OPTIONS: dict[str, Any] = {"client": "acme", "organization_id": "1@AdobeOrg"}
HEADERS = {"Host": "shop.example", "User-Agent": "Browser/1", "Cookie": "mbox=session#s#9999999999; theme=dark"}
OF_DJANGO = "target.integrations.django.TargetMiddleware"

#: A framework's application, without the integration or with it.
Make = Callable[[bool], Any]


def flask_app(with_target: bool) -> Flask:
    """One page."""
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "page")
    if with_target:
        Target(app, **OPTIONS)
    return app


def django_app(handler: type[Any], with_target: bool) -> Any:
    """Two pages: one whose view blocks, one whose view is a coroutine."""
    with override_settings(MIDDLEWARE=[OF_DJANGO] * with_target):
        return handler()


def starlette_app(with_target: bool) -> Starlette:
    """One page."""
    middleware = [Middleware(TargetMiddleware, **OPTIONS)] if with_target else []
    return Starlette(routes=[Route("/", _starlette_page)], middleware=middleware)


def wsgi_block(app: Any) -> Block:
    """Blocks of requests for the page ``/``, as a WSGI server makes them."""
    environ: dict[str, Any] = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in HEADERS.items()}
    setup_testing_defaults(environ)

    def started(status: str, _headers: object, _exc_info: object = None) -> None:
        assert status == "200 OK", status

    def call() -> None:
        body = app(environ.copy(), started)
        assert b"".join(body) == b"page"
        body.close()

    return in_sequence(call)


def asgi_block(runner: asyncio.Runner, page: str, app: Any) -> Block:
    """Blocks of requests for ``page``, as an ASGI server makes them."""
    loop = runner.get_loop()
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "scheme": "http", "http_version": "1.1", "path": page}
    scope |= {
        "raw_path": page.encode(),
        "query_string": b"",
        "root_path": "",
        "asgi": {"version": "3.0"},
        "headers": headers,
    }
    scope |= {"client": ("203.0.113.7", 5000), "server": ("shop.example", 80)}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200, message
        assert message.get("body", b"page") in (b"page", b"")

    async def call() -> None:
        asked = [{"type": "http.request", "body": b"", "more_body": False}]
        hang: asyncio.Future[Any] = loop.create_future()  # the browser stays until it has its answer

        async def receive() -> Any:
            return asked.pop() if asked else await hang

        await app({**scope, "headers": list(headers)}, receive, send)

    async def calls(number: int) -> float:
        started = time.perf_counter()
        for _ in range(number):
            await call()
        return time.perf_counter() - started

    return lambda number: runner.run(calls(number))


def measure(blocks: int, calls: int) -> list[Row]:
    """A row for each framework."""
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["shop.example"], ROOT_URLCONF=__name__, SECRET_KEY=os.urandom(16).hex(), TARGET=OPTIONS
        )
        django.setup()
    kept: list[Any] = []  # until their loop ends, which closes their clients

    def made(make: Make, with_target: bool) -> Any:
        kept.append(make(with_target))
        return kept[-1]

    with asyncio.Runner() as runner:
        frameworks: dict[str, tuple[Make, Callable[[Any], Block]]] = {
            "flask": (flask_app, wsgi_block),
            "django wsgi": (partial(django_app, WSGIHandler), wsgi_block),
            "django asgi": (partial(django_app, ASGIHandler), partial(asgi_block, runner, "/awaited")),
            "starlette": (starlette_app, partial(asgi_block, runner, "/")),
        }
        return [_row(name, partial(made, make), block, blocks, calls) for name, (make, block) in frameworks.items()]


def _row(name: str, make: Make, block: Callable[[Any], Block], blocks: int, calls: int) -> Row:
    ways = [block(make(True)), block(make(False))]
    take_turns(ways, 2, calls)  # warm
    ours, alone = take_turns(ways, blocks, calls)
    result = compare(ours, alone)
    added_us = sorted((one - other) * 1e6 for one, other in zip(ours, alone, strict=True))
    low, middle, high = statistics.quantiles(added_us, n=4, method="inclusive")
    return Row(
        name,
        middle,
        "us",
        spread=(low, high),
        at_most=AT_MOST_US,
        absolute=f"{result.ratio:.3f} x: {microseconds(result.first_s)} over {microseconds(result.second_s)}",
    )


def _page(_: object) -> HttpResponse:
    return HttpResponse("page")


async def _awaited_page(_: object) -> HttpResponse:
    return HttpResponse("page")


urlpatterns = [path("", _page), path("awaited", _awaited_page)]


async def _starlette_page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("page")


def main() -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    command = Command("frameworks", __doc__)
    arguments = command.parse()
    rows = measure(2, 20) if arguments.quick else measure(31, 400)
    return command.tell(rows)


if __name__ == "__main__":
    sys.exit(main())
