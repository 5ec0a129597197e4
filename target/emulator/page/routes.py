"""Owns the page's routes: what is shown at which address, and what each form does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from functools import partial
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from target.emulator.desk import Desk, parse_moment
from target.emulator.events import followed, kept_after
from target.emulator.guard import host_refusal, is_followed_link, refusal
from target.emulator.journal import Event
from target.emulator.page.actions import ACTIONS, Action
from target.emulator.page.forms import TOKEN, TryForm, build_request, is_own, parse_try
from target.emulator.page.views import (
    MOST_REQUESTS,
    NOTHING_TRIED,
    show_activities,
    show_event,
    show_received,
    show_switches,
    show_tried,
)
from target.emulator.validation import find_problem

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
    from starlette.routing import BaseRoute, Route
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

_HEADERS = {
    # Nothing from elsewhere, and no script or style that is written into the page.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TYPES = {"js": "text/javascript", "css": "text/css", "LICENSE": "text/plain"}
_STATIC = {
    name: f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    for name in (
        "htmx.min.js",
        "sse.min.js",
        "pico.classless.min.css",
        "page.css",
        "htmx.LICENSE",
        "sse.LICENSE",
        "pico.LICENSE",
    )
}
_TRIED = "a visitor of the page"
_IDLE_S = 15.0
_SAYS_AFTER_S = 0.5
_MOST_SAID = 300
# JSON may hold halves of surrogate pairs, which UTF-8 has not: they are shown as \ud800 is written here.
_AS_ESCAPES = "backslashreplace"


def routes(desk: Desk, hosts: Collection[str]) -> list[BaseRoute]:
    """All routes of the page; ``hosts`` are names that the emulator goes by besides those of this machine to itself."""
    page = _Page(desk, hosts)
    return [
        Route("/", page.index, methods=["GET"]),
        Route("/_/page/activities", page.activities, methods=["GET"]),
        Route("/_/page/requests", page.requests, methods=["GET"]),
        Route("/_/live", page.live, methods=["GET"]),
        Route("/_/static/{name}", page.static, methods=["GET"]),
        *(Route(f"/_/page/{name}", partial(page.change, action), methods=["POST"]) for name, action in ACTIONS.items()),
    ]


class _Page:
    def __init__(self, desk: Desk, hosts: Collection[str]) -> None:
        self._desk, self._hosts = desk, hosts
        self._templates = Environment(
            loader=PackageLoader("target.emulator", "page/templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    async def index(self, request: Request) -> Response:
        """The page."""
        # A link on a page from elsewhere leads here, but neither says anything here nor asks for anything.
        is_link = is_followed_link(request)
        if refused := (host_refusal if is_link else refusal)(request, self._hosts):
            return PlainTextResponse(refused, 403, _HEADERS)
        query = {} if is_link else dict(request.query_params)
        # Not on the event loop: the numbers take a moment, and calls to the API go on meanwhile.
        return HTMLResponse(await run_in_threadpool(self._index, query), headers=_HEADERS)

    async def activities(self, request: Request) -> Response:
        """The activities alone, for a page that is open."""
        if refused := refusal(request, self._hosts):
            return PlainTextResponse(refused, 403, _HEADERS)
        number = _number(request.query_params.get("page"))
        shown = await run_in_threadpool(lambda: show_activities(self._desk.stage.counts(), number))
        return HTMLResponse(self._render("activities.html", **shown), headers=_HEADERS)

    async def requests(self, request: Request) -> Response:
        """The newest requests alone, for a page that is open."""
        if refused := refusal(request, self._hosts):
            return PlainTextResponse(refused, 403, _HEADERS)
        shown = await run_in_threadpool(show_received, self._desk)
        return HTMLResponse(self._render("requests.html", **shown), headers=_HEADERS)

    async def live(self, request: Request) -> Response:
        """What comes in, as rows, and a word whenever counts may have changed."""
        if refused := refusal(request, self._hosts):
            return PlainTextResponse(refused, 403, _HEADERS)
        return StreamingResponse(self._rows(request), media_type="text/event-stream", headers=_HEADERS)

    async def static(self, request: Request) -> Response:
        """A file that the page needs."""
        name = request.path_params["name"]
        if name not in _STATIC:
            return PlainTextResponse("There is no such file", 404, _HEADERS)
        content = (files("target.emulator") / "page" / "static" / name).read_bytes()
        return Response(content, headers={**_HEADERS, "Content-Type": _STATIC[name], "Cache-Control": "max-age=3600"})

    async def change(self, action: Action, request: Request) -> Response:
        """What a form of the page asks for; then the page again, which says what was done."""
        if refused := refusal(request, self._hosts):
            return PlainTextResponse(refused, 403, _HEADERS)
        async with request.form(max_fields=20, max_part_size=65_536) as form:
            typed = {name: value for name, value in form.items() if isinstance(value, str)}
        if not is_own(typed.get("token")):
            return PlainTextResponse("This form is not of this page as it is now: open the page anew", 403, _HEADERS)
        try:
            said, is_bad = action(self._desk, typed), ""
        except ValueError as problem:
            said, is_bad = str(problem), "&bad=1"
        # 303: the browser asks for the page, and a reload sends the form no second time.
        return RedirectResponse(f"/?said={quote(said, errors=_AS_ESCAPES)}{is_bad}#switches", 303, _HEADERS)

    def _index(self, query: dict[str, str]) -> bytes:
        desk, stage = self._desk, self._desk.stage
        counts, form = stage.counts(), parse_try(query)
        received = show_received(desk)
        tried, problem = self._tried(form)
        last = [entry.number for entry in (*desk.journal.received[-1:], *desk.journal.fetched[-1:])]
        last += [entry["number"] for entry in desk.journal.notifications[-1:]]
        problems = [*stage.rules.problems, *(file.problem for file in desk.files if file.problem)]
        return self._render(
            "index.html",
            client=stage.client,
            source=stage.rules.source or "offers or a program",
            said={"text": query["said"][:_MOST_SAID], "is_bad": "bad" in query} if "said" in query else None,
            problems=problems[:10],
            last_number=max(last, default=0),
            form=form,
            problem=problem,
            token=TOKEN,
            **tried,
            **received,
            **show_activities(counts, _number(query.get("page"))),
            **show_switches(desk, counts),
        )

    def _render(self, template: str, **shown: Any) -> bytes:
        """What a template makes, in UTF-8."""
        return self._templates.get_template(template).render(shown).encode(errors=_AS_ESCAPES)

    def _tried(self, form: TryForm) -> tuple[dict[str, Any], str | None]:
        """What the visitor of the form would get, and why; or what is wrong with the form."""
        if form.is_empty:
            return NOTHING_TRIED, None
        try:
            body = build_request(form)
            at_s = parse_moment(form.time) if form.time else None
        except ValueError as wrong:
            return NOTHING_TRIED, str(wrong)
        if problem := find_problem({"client": "page", "sessionId": "page"}, body):
            return NOTHING_TRIED, problem
        answered, explanation = self._desk.stage.try_out(body, session_id=_TRIED, at_s=at_s)
        return show_tried(answered, explanation), None

    async def _rows(self, request: Request) -> AsyncIterator[str]:
        """What came after the number that the page knows, and then what comes."""
        # A browser that comes back says in a header what it had last.
        known = (request.query_params.get("since"), request.headers.get("last-event-id"))
        since = max(map(_number, known))
        clock = asyncio.get_running_loop().time
        says_at_s = None  # when to say that counts may have changed: soon, but not for each call of many
        with followed(self._desk.journal, self._desk.stopping, request) as queue:
            yield ": rows, as they come\n\n"
            for event in kept_after(self._desk.journal, since)[-MOST_REQUESTS:]:
                since, says_at_s = event.number, clock()
                yield self._row(event)
            while True:
                wait_s = _IDLE_S if says_at_s is None else max(0.0, says_at_s - clock())
                try:
                    coming = await asyncio.wait_for(queue.get(), wait_s)
                except TimeoutError:
                    yield ": nothing new\n\n" if says_at_s is None else _event("counted", "changed")
                    says_at_s = None
                    continue
                if coming is None:
                    return
                if coming.number > since:
                    says_at_s = clock() + _SAYS_AFTER_S if says_at_s is None else says_at_s
                    yield self._row(coming)

    def _row(self, event: Event) -> str:
        """A row where there is one to show; nothing for what is none."""
        shown = show_event(event)
        if shown is None:
            return ""
        return _event("row", self._render("request.html", row=shown).decode(), event.number)


def _event(kind: str, data: str, number: int | None = None) -> str:
    """A server-sent event; a line break in what is sent begins no field of its own."""
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return ("" if number is None else f"id: {number}\n") + f"event: {kind}\n{lines}\n"


def _number(text: str | None) -> int:
    """A number that an address names; 0 where it names none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else 0
