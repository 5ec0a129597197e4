"""Starlette and FastAPI: one visit for each request, whatever the endpoint; cookies once; a client for each loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from target import AsyncVisit, OptionsError
from target.integrations.starlette import TargetMiddleware, browser_route, target_visitor
from tests.kit.calls import REQUEST, options_of
from tests.kit.pages import KEY, SHOWN


def fastapi_shop(**options: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(TargetMiddleware, **options)
    visitor = Depends(target_visitor)

    @app.get("/")
    async def home(visit: AsyncVisit = visitor) -> Any:
        results = await asyncio.gather(*(visit.get_offers(request=REQUEST) for _ in range(3)))
        return {"mbox": results[0].response.execute.mboxes[0].name, "handle": visit.handle([SHOWN])}

    @app.get("/nothing")
    async def nothing() -> str:
        return "nothing"

    @app.get("/gone")
    async def gone(visit: AsyncVisit = visitor) -> None:
        await visit.get_offers(request=REQUEST)
        raise HTTPException(404)

    @app.get("/moved")
    async def moved(visit: AsyncVisit = visitor) -> RedirectResponse:
        await visit.get_offers(request=REQUEST)
        return RedirectResponse("/", headers={"Cache-Control": "public, max-age=9", "Vary": "Accept"})

    @app.get("/varying")
    async def varying(visit: AsyncVisit = visitor) -> PlainTextResponse:
        await visit.get_offers(request=REQUEST)
        answer = PlainTextResponse("varying", headers={"Vary": "Accept"})
        answer.headers.append("Vary", "Accept-Language")
        return answer

    @app.get("/sync")
    def sync() -> str:
        return "sync"

    app.router.routes.append(browser_route("/seen"))
    return app


@pytest.fixture
def shop(server: Any) -> Iterator[TestClient]:
    app = fastapi_shop(**options_of(server.domain, handle_key=KEY, cookie_secure=False))
    with TestClient(app) as browser:
        yield browser


def test_the_calls_of_a_request_have_one_session_and_the_answer_its_cookies(shop: TestClient, server: Any) -> None:
    answer = shop.get("/", headers={"User-Agent": "B/1", "Referer": "https://r.example/"})
    assert answer.json()["mbox"] == "home"
    assert len({received.session_id for received in server.received}) == 1
    assert [line.split("=")[0] for line in answer.headers.get_list("set-cookie")] == ["mbox", "mboxEdgeCluster"]
    assert answer.headers["cache-control"] == "private"
    assert answer.headers["vary"] == "Cookie"
    context = server.received[0].body["context"]
    assert context["address"] == {"url": "http://testserver/", "referringUrl": "https://r.example/"}
    shop.get("/")
    assert len({received.session_id for received in server.received}) == 1


def test_a_page_that_asks_nothing_sets_nothing(shop: TestClient, server: Any) -> None:
    for path in ("/nothing", "/sync", "/unknown"):
        assert not {"set-cookie", "vary", "cache-control"} & shop.get(path).headers.keys()
    assert server.received == []


def test_errors_and_redirects_have_their_cookies(shop: TestClient) -> None:
    gone, moved = shop.get("/gone"), shop.get("/moved", follow_redirects=False)
    assert (gone.status_code, moved.status_code) == (404, 307)
    assert "mbox" in gone.cookies
    assert (moved.headers["cache-control"], moved.headers["vary"]) == ("max-age=9, private", "Accept, Cookie")


def test_what_the_application_says_in_several_headers_stays(shop: TestClient) -> None:
    assert shop.get("/varying").headers.get_list("vary") == ["Accept, Accept-Language, Cookie"]


def test_a_browser_tells_what_it_shows(shop: TestClient, server: Any) -> None:
    handle = shop.get("/").json()["handle"]
    assert shop.post("/seen", json={"handles": [handle]}).status_code == 204
    assert server.received[-1].body["notifications"][0]["tokens"] == ["t"]
    other = TestClient(shop.app)
    assert other.post("/seen", json={"handles": [handle]}).status_code == 400
    assert shop.post("/seen", content=b"x" * 1_000_000).status_code == 413


def test_without_a_lifespan_the_first_request_opens_a_client(server: Any) -> None:
    browser = TestClient(fastapi_shop(**options_of(server.domain, handle_key=KEY)))  # a loop for each request
    assert [browser.get("/").status_code for _ in range(2)] == [200, 200]


def test_a_mistake_in_the_options_ends_the_start() -> None:
    with pytest.raises(OptionsError, match="did you mean 'timeout'"), TestClient(fastapi_shop(timeoutt=1)):
        pass


def test_without_the_middleware_the_dependency_says_what_is_missing() -> None:
    async def home(request: Request) -> PlainTextResponse:
        target_visitor(request)
        return PlainTextResponse("")

    with pytest.raises(RuntimeError, match="add_middleware"):
        TestClient(Starlette(routes=[Route("/", home)])).get("/")


def starlette_shop(opened: list[str], **options: Any) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        opened.append("begun")
        yield {"of": "the app"}
        opened.append("ended")

    async def streamed(request: Request) -> StreamingResponse:
        result = await target_visitor(request).get_offers(request=REQUEST)

        async def parts() -> AsyncIterator[str]:
            yield str(result.response.execute.mboxes[0].name)
            yield request.state.of

        return StreamingResponse(parts())

    async def failing(request: Request) -> None:
        await target_visitor(request).get_offers(request=REQUEST)
        raise ValueError("of the page")

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        result = await target_visitor(socket).get_offers(request=REQUEST)
        await socket.send_text(str(result.response.execute.mboxes[0].name))
        await socket.close()

    routes = [
        Mount("/in", routes=[Route("/streamed", streamed)]),
        Route("/failing", failing),
        WebSocketRoute("/talk", talk),
    ]
    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(TargetMiddleware, **options)])


def test_the_lifespan_and_the_state_of_the_app_stay_its_own(server: Any) -> None:
    opened: list[str] = []
    with TestClient(starlette_shop(opened, **options_of(server.domain))) as browser:
        answer = browser.get("/in/streamed")
        assert answer.text == "homethe app"
        assert "mbox=" in answer.headers["set-cookie"]
        with browser.websocket_connect("/talk") as socket:
            assert socket.receive_text() == "home"
    assert opened == ["begun", "ended"]


def test_around_the_app_what_nothing_handles_has_its_cookies_as_well(server: Any) -> None:
    inner = Starlette(routes=starlette_shop([]).routes)
    app: Any = TargetMiddleware(inner, **options_of(server.domain))
    answer = TestClient(app, raise_server_exceptions=False).get("/failing")
    assert answer.status_code == 500
    assert "mbox=" in answer.headers["set-cookie"]


def test_two_visitors_at_once_share_nothing(server: Any) -> None:
    app = fastapi_shop(**options_of(server.domain, handle_key=KEY, cookie_secure=False))
    with TestClient(app) as browser:
        for _ in range(5):
            for name in ("a", "b"):
                browser.cookies.clear()
                answer = browser.get("/", headers={"Cookie": f"mbox=session#{name}#9999999999"})
                assert f"session#{name}#" in answer.headers["set-cookie"]
    assert {received.session_id for received in server.received} == {"a", "b"}


READ = ["cookie", "user-agent", "referer", "x-forwarded-for", "host"]
HEADER = st.binary(max_size=60).filter(lambda value: b"\n" not in value and b"\r" not in value and b"\0" not in value)


@given(
    headers=st.lists(
        st.tuples(st.sampled_from(["cookie", "user-agent", "referer", "x-forwarded-for", "host"]), HEADER)
    ),
    cookie=st.text(st.characters(codec="utf-8"), max_size=50),
    path=st.text(max_size=20),
    peer=st.none() | st.tuples(st.text(max_size=10), st.integers(0, 65535)),
)
def test_no_header_cookie_or_address_makes_a_page_fail(
    headers: list[tuple[str, bytes]], cookie: str, path: str, peer: tuple[str, int] | None
) -> None:
    sent: list[Any] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        visit = scope["target.visit"]
        assert (await visit.get_offers(request=REQUEST)).response is None  # nothing listens there
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value) for name, value in headers]
    raw += [(b"cookie", f"mbox={cookie}; mboxEdgeCluster={cookie}; target_qa_mode={cookie}".encode())]
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "query_string": cookie.encode("utf-8", "replace"),
    }
    scope |= {"headers": raw, "client": peer, "server": ("shop.example", 443)}
    options = options_of("127.0.0.1:9", trusted_proxies=1, experience_cloud=True, retries=0, timeout=2000)
    app: Any = TargetMiddleware(page, **options)
    asyncio.run(app(scope, None, send))
    lines = [value for name, value in sent[0]["headers"] if name == b"set-cookie"]
    assert lines
    assert all(len(line) <= 4096 and b"\n" not in line and b"\r" not in line for line in lines)
