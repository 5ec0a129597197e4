"""Target in Starlette and FastAPI: a visit for each request, a client for each event loop.

app.add_middleware(TargetMiddleware, client="acmeclient", organization_id="1234@AdobeOrg")

@app.get("/")
async def home(visit: AsyncVisit = Depends(target_visitor)): ...
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from target import AsyncTargetClient, AsyncVisit, Site, WebRequest

_KEY = "target.visit"
_MOST_BYTES = 65_537  # one more than a visit reads
_ENDINGS = ("lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed")


class TargetMiddleware:
    """ASGI middleware that gives each request a visit, which ``target_visitor`` hands to an endpoint.

    The client is opened and closed with the app's lifespan; where a server or a test runs none, at the first request.
    What an exception that nothing handles is answered with comes from outside of all middleware that
    ``add_middleware`` adds, and so has no cookies: ``app = TargetMiddleware(app, ...)`` puts them there, too.

    Args:
        app: The application.
        **options: The client's (``target.options.AsyncClientOptions``) and the site's (``target.SiteOptions``).

    Raises:
        OptionsError: At startup: an option is missing, unknown or wrong.
    """

    def __init__(self, app: ASGIApp, /, **options: Any) -> None:
        self._app = app
        self._options = options
        self._sites: dict[asyncio.AbstractEventLoop, Site[AsyncTargetClient]] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._closing: dict[asyncio.AbstractEventLoop, AsyncIterator[None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if scope["type"] == "lifespan":
            await self._app(scope, partial(self._begun, receive), partial(self._ended, send))
            return
        loop = asyncio.get_running_loop()
        site = self._sites.get(loop) or await self._open(loop)
        connection = HTTPConnection(scope)
        scope[_KEY] = visit = AsyncVisit(site, partial(_read, connection), connection)
        try:
            await self._app(scope, receive, partial(_tell, visit, send) if scope["type"] == "http" else send)
        finally:
            del scope[_KEY]  # which would keep both for the garbage collector

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Site[AsyncTargetClient]:
        """The site of this event loop: a client is bound to one, and tests run one for each request."""
        for other in [other for other in self._sites if other.is_closed()]:
            del self._sites[other], self._opening[other], self._closing[other]
        async with self._opening.setdefault(loop, asyncio.Lock()):
            if loop not in self._sites:
                site = await Site.create_async(self._options)
                self._closing[loop] = _at_the_end_of_the_loop(site.client)
                await anext(self._closing[loop])
                self._sites[loop] = site
        return self._sites[loop]

    async def _begun(self, receive: Receive) -> Message:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await self._open(asyncio.get_running_loop())
        return message

    async def _ended(self, send: Send, message: Message) -> None:
        if message["type"] in _ENDINGS:
            site = self._sites.pop(asyncio.get_running_loop(), None)
            if site is not None:
                await site.client.aclose()
        await send(message)


async def _at_the_end_of_the_loop(client: AsyncTargetClient) -> AsyncIterator[None]:
    """Closes ``client`` when its loop ends the generators that are under way, which it does last of all."""
    try:
        yield
    finally:
        await client.aclose()


def target_visitor(connection: HTTPConnection) -> AsyncVisit:
    """The visit of a request: a dependency of FastAPI, or a function to call with Starlette's request.

    Raises:
        RuntimeError: The application has no TargetMiddleware.
    """
    visit = connection.scope.get(_KEY)
    if visit is None:
        raise RuntimeError(
            "There is no visit: add the middleware, app.add_middleware(TargetMiddleware, client=..., ...)"
        )
    return visit  # type: ignore[no-any-return]


def browser_route(path: str = "/seen") -> Route:
    """A route by which browsers tell, by handles, what they showed: ``app.router.routes.append(browser_route())``.

    Args:
        path: Where they post to. Blockers of advertisements stop paths such as ``/track``.
    """
    return Route(path, _receive, methods=["POST"], include_in_schema=False)


async def _receive(request: Request) -> Response:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) >= _MOST_BYTES:  # which is refused, however much may follow
            break
    return Response(status_code=await target_visitor(request).receive(body))


def _read(connection: HTTPConnection) -> WebRequest:
    scope = connection.scope
    peer = scope.get("client")
    return WebRequest(
        headers=scope["headers"],
        cookies=connection.cookies,
        url=str(connection.url),
        client_address=peer[0] if peer else None,
        secure=scope.get("scheme") in ("https", "wss"),
    )


async def _tell(visit: AsyncVisit, send: Send, message: Message) -> None:
    if message["type"] == "http.response.start" and visit.is_used:
        headers = MutableHeaders(raw=list(message.get("headers", ())))
        said = (", ".join(headers.getlist(name)) for name in ("cache-control", "vary"))
        for name, value in visit.response_headers(*said):
            if name == "Set-Cookie":
                headers.append(name, value)
            else:
                headers[name] = value
        message = {**message, "headers": headers.raw}
    await send(message)
