"""Flask: one visit for each request, whatever answers it; cookies once; nothing of one visitor for another."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, jsonify, redirect, request, stream_with_context
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, run_wsgi_app

from target import OptionsError
from target.integrations.flask import Target, browser_blueprint, current_target
from tests.kit.calls import REQUEST, options_of
from tests.kit.pages import KEY, SHOWN


def shop(**options: Any) -> Flask:
    app = Flask(__name__)
    Target(app, **options)
    fill(app)
    return app


def fill(app: Flask) -> None:
    app.register_blueprint(browser_blueprint("/seen"))

    @app.get("/")
    def home() -> Response:
        results = [current_target.get_offers(request=REQUEST) for _ in range(2)]
        return jsonify(mbox=results[0].mbox("home").name, handle=current_target.handle([SHOWN]))

    @app.get("/nothing")
    def nothing() -> str:
        return "nothing"

    @app.get("/gone")
    def gone() -> str:
        current_target.get_offers(request=REQUEST)
        abort(404)

    @app.get("/failing")
    def failing() -> str:
        current_target.get_offers(request=REQUEST)
        raise ValueError("of the page")

    @app.get("/moved")
    def moved() -> Any:
        current_target.get_offers(request=REQUEST)
        answer = redirect("/")
        answer.headers["Cache-Control"] = "public, max-age=9"
        answer.set_cookie("own", "1")
        return answer

    @app.get("/asked-while-streamed")
    def asked_while_streamed() -> Response:
        current_target.get_offers(request=REQUEST)

        def parts() -> Iterator[str]:
            yield str(current_target.get_offers(request=REQUEST).mbox("home").name)

        return Response(stream_with_context(parts()))

    @app.get("/awaited")
    async def awaited() -> str:
        results = await asyncio.gather(*(current_target.aget_offers(request=REQUEST) for _ in range(3)))
        return str(results[0].mbox("home").name)

    @app.get("/varying")
    def varying() -> Response:
        current_target.get_offers(request=REQUEST)
        answer = Response("varying")
        for name in ("Accept", "Accept-Language"):
            answer.headers.add("Vary", name)
        return answer

    @app.errorhandler(410)
    def gone_for_good(_: Any) -> tuple[str, int]:
        return str(current_target.get_offers(request=REQUEST).mbox("home").name), 410

    @app.get("/gone-for-good")
    def raising() -> str:
        abort(410)

    @app.get("/streamed")
    def streamed() -> Response:
        result = current_target.get_offers(request=REQUEST)

        def parts() -> Iterator[str]:
            yield str(result.mbox("home").name)

        return Response(stream_with_context(parts()))

    part = Blueprint("part", __name__, url_prefix="/part")

    @part.get("/")
    def of_part() -> str:
        return str(current_target.get_attributes("home").as_object())

    app.register_blueprint(part)


@pytest.fixture
def app(server: Any) -> Iterator[Flask]:
    app = shop(**options_of(server.domain, handle_key=KEY))
    yield app
    app.extensions["target"].client.close()


def names(answer: Any) -> list[str]:
    return [line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie")]


def test_the_calls_of_a_request_have_one_session_and_the_answer_its_cookies(app: Flask, server: Any) -> None:
    browser = app.test_client()
    answer = browser.get("/", headers={"User-Agent": "B/1", "Referer": "https://r.example/"})
    assert answer.json["mbox"] == "home"
    assert names(answer) == ["mbox", "mboxEdgeCluster"]
    assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == ("private", "Cookie")
    context = server.received[0].body["context"]
    assert context["address"] == {"url": "http://localhost/", "referringUrl": "https://r.example/"}
    assert context["geo"] == {"ipAddress": "127.0.0.1"}
    browser.get("/part/")
    assert len({received.session_id for received in server.received}) == 1


def test_a_page_that_asks_nothing_sets_nothing(app: Flask, server: Any) -> None:
    for path in ("/nothing", "/unknown"):
        assert not {"Set-Cookie", "Vary", "Cache-Control"} & set(app.test_client().get(path).headers.keys())
    assert server.received == []


def test_whatever_answers_has_its_cookies_once(app: Flask) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answers = {path: app.test_client().get(path) for path in ("/gone", "/failing", "/moved", "/streamed")}
    assert [answer.status_code for answer in answers.values()] == [404, 500, 302, 200]
    assert all(sorted(names(answer))[:2] == ["mbox", "mboxEdgeCluster"] for answer in answers.values())
    assert names(answers["/moved"]) == ["own", "mbox", "mboxEdgeCluster"]
    assert answers["/moved"].headers["Cache-Control"] == "max-age=9, private"
    assert answers["/streamed"].text == "home"


def test_an_error_handler_has_the_visit_of_its_page(app: Flask) -> None:
    answer = app.test_client().get("/gone-for-good")
    assert (answer.status_code, answer.text) == (410, "home")
    assert names(answer) == ["mbox", "mboxEdgeCluster"]


def test_what_is_asked_while_a_page_is_streamed_has_the_session_of_the_page(app: Flask, server: Any) -> None:
    answer = app.test_client().get("/asked-while-streamed")
    assert answer.text == "home"
    assert len(server.received) == 2
    assert len({received.session_id for received in server.received}) == 1


def test_a_view_that_is_a_coroutine_awaits(app: Flask, server: Any) -> None:
    answer = app.test_client().get("/awaited")
    assert answer.text == "home"
    assert names(answer) == ["mbox", "mboxEdgeCluster"]
    assert len({received.session_id for received in server.received}) == 1


def test_what_the_application_says_in_several_headers_stays(app: Flask) -> None:
    assert app.test_client().get("/varying").headers.getlist("Vary") == ["Accept, Accept-Language, Cookie"]


def test_an_exception_that_flask_hands_on_is_the_one_of_the_page(app: Flask) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(ValueError, match="of the page"):
        app.test_client().get("/failing")


def test_an_application_inside_of_a_page_has_a_visit_of_its_own(app: Flask, server: Any) -> None:
    inner = shop(**options_of(server.domain, organization_id="inner@AdobeOrg"))

    @app.get("/outer/")
    def outer() -> Any:
        current_target.get_offers(request=REQUEST)
        return Response.from_app(inner, {**request.environ, "PATH_INFO": "/part/"})

    with inner.extensions["target"].client:
        app.test_client().get("/outer/")
    assert [received.query["imsOrgId"] for received in server.received] == ["1234@AdobeOrg", "inner@AdobeOrg"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/asked-while-streamed"])
def test_a_visit_ends_with_its_request(app: Flask, path: str) -> None:
    kept: list[weakref.ref[Any]] = []

    @app.before_request
    def keep() -> None:
        kept.append(weakref.ref(current_target._get_current_object()))  # type: ignore[attr-defined]

    gc.collect()
    gc.disable()
    try:
        body, _, _ = run_wsgi_app(app, EnvironBuilder(path).get_environ())
        list(body)
        body.close()  # type: ignore[attr-defined]
        assert [visit() for visit in kept] == [None]
    finally:
        gc.enable()


CHUNKED: Any = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}


class Bits:
    """A body that arrives bit by bit, as chunks do; without an end where ``body`` is None."""

    def __init__(self, body: bytes | None) -> None:
        self._body = None if body is None else io.BytesIO(body)

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "whoever reads all of it at once trusts the browser"
        return b" " * min(size, 9999) if self._body is None else self._body.read(min(size, 7))


@pytest.mark.parametrize("kind", ["by length", "chunked", "read before", "form first"])
def test_a_browser_tells_however_its_body_arrives(kind: str, app: Flask, server: Any) -> None:
    before: dict[str, Callable[[], object]] = {"read before": lambda: request.data, "form first": lambda: request.form}

    @app.before_request
    def reads_it() -> None:
        before.get(kind, bool)()

    browser = app.test_client()
    body = json.dumps({"handles": [browser.get("/").json["handle"]]}).encode()
    environ = CHUNKED if kind == "chunked" else {"CONTENT_LENGTH": str(len(body))}
    answer = browser.post("/seen", content_type="text/plain", environ_overrides={**environ, "wsgi.input": Bits(body)})
    assert answer.status_code == 204
    assert server.received[-1].body["notifications"][0]["tokens"] == ["t"]


def test_a_body_that_never_ends_is_refused(app: Flask) -> None:
    answer = app.test_client().post("/seen", environ_overrides={**CHUNKED, "wsgi.input": Bits(None)})
    assert answer.status_code == 413


def test_a_browser_tells_what_it_shows(app: Flask, server: Any) -> None:
    browser = app.test_client()
    handle = browser.get("/").json["handle"]
    assert browser.post("/seen", json={"handles": [handle]}).status_code == 204
    assert server.received[-1].body["notifications"][0]["tokens"] == ["t"]
    assert app.test_client().post("/seen", json={"handles": [handle]}).status_code == 400
    assert browser.post("/seen", data=b"x" * 1_000_000).status_code == 413


def test_under_an_outer_context_requests_share_no_visitor(app: Flask, server: Any) -> None:
    with app.app_context():
        for _ in range(3):
            app.test_client().get("/")
    assert len({received.session_id for received in server.received}) == 3


def test_visitors_at_once_share_nothing(app: Flask, server: Any) -> None:
    failed: list[str] = []

    def browse(name: str) -> None:
        for _ in range(10):
            browser = app.test_client(use_cookies=False)
            answer = browser.get("/", headers={"Cookie": f"mbox=session#{name}#9999999999"})
            if f"session#{name}#" not in answer.headers["Set-Cookie"]:
                failed.append(name)

    threads = [threading.Thread(target=browse, args=(f"s{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {received.session_id for received in server.received} == {f"s{number}" for number in range(6)}


def test_one_extension_serves_several_applications_by_their_configuration(server: Any) -> None:
    extension = Target(secure=False, edge_routing=False)
    for organization_id in ("1@AdobeOrg", "2@AdobeOrg"):
        app = Flask(__name__)
        app.config["TARGET"] = {"client": "acme", "organization_id": organization_id, "server_domain": server.domain}
        extension.init_app(app)
        fill(app)
        with app.app_context(), app.extensions["target"].client:
            app.test_client().get("/part/")
    assert [received.query["imsOrgId"] for received in server.received] == ["1@AdobeOrg", "2@AdobeOrg"]


def test_a_mistake_is_told_when_the_application_is_made() -> None:
    with pytest.raises(OptionsError, match="did you mean 'cookie_domain'"):
        shop(client="acme", organization_id="1@AdobeOrg", cookie_domian="x")


def test_a_configuration_that_is_no_dict_is_told() -> None:
    app = Flask(__name__)
    app.config["TARGET"] = "acme"
    with pytest.raises(OptionsError, match="must be a dict"):
        Target(app)


def test_an_application_has_one(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="already"):
        Target(app, **options_of("127.0.0.1:9"))


def test_where_there_is_no_visit_it_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"outside of a request: .* app.extensions\['target'\].client"):
        current_target.consents  # noqa: B018
    app = Flask(__name__)
    with app.test_request_context(), pytest.raises(RuntimeError, match="add the extension"):
        current_target.consents  # noqa: B018


def test_consent_is_asked_with_the_request(server: Any) -> None:
    app = shop(
        **options_of(server.domain, handle_key=KEY, consent=lambda request: request.cookies.get("consent") == "1")
    )
    with app.extensions["target"].client:
        browser = app.test_client()
        assert names(browser.get("/")) == []
        browser.set_cookie("consent", "1")
        assert names(browser.get("/")) == ["mbox", "mboxEdgeCluster"]


ODD = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=60)


@pytest.mark.parametrize("host", ["[a:.]", "[", "a/b", "::", "[::1]:x", "a]", ""])
def test_a_host_that_is_none_makes_no_page_fail(app: Flask, host: str) -> None:
    _, status, headers = run_wsgi_app(app, {**EnvironBuilder("/part/").get_environ(), "HTTP_HOST": host})
    assert status == "200 OK"
    assert len(headers.getlist("Set-Cookie")) == 2


@given(cookie=ODD, agent=ODD, forwarded=ODD, referrer=ODD, host=ODD, path=ODD, query=ODD, peer=ODD)
def test_no_header_cookie_or_address_makes_a_page_fail(
    cookie: str, agent: str, forwarded: str, referrer: str, host: str, path: str, query: str, peer: str
) -> None:
    app = Flask(__name__)
    Target(app, **options_of("127.0.0.1:9", trusted_proxies=1, experience_cloud=True, retries=0))

    @app.get("/", defaults={"rest": ""})
    @app.get("/<path:rest>")
    def page(rest: str) -> str:
        assert isinstance(current_target.get_offers(request=REQUEST).response, type(None))  # nothing listens there
        return "page"

    environ = EnvironBuilder("/").get_environ()
    environ |= {"HTTP_COOKIE": f"mbox={cookie}; mboxEdgeCluster={cookie}; target_qa_mode={cookie}; {cookie}"}
    environ |= {"HTTP_USER_AGENT": agent, "HTTP_X_FORWARDED_FOR": forwarded, "HTTP_REFERER": referrer}
    environ |= {"HTTP_HOST": host, "QUERY_STRING": query, "REMOTE_ADDR": peer, "PATH_INFO": f"/{path}"}
    with app.extensions["target"].client:
        _, status, headers = run_wsgi_app(app, environ)
    if status.startswith("200"):
        lines = headers.getlist("Set-Cookie")
        assert lines
        assert all(len(line) <= 4096 and "\n" not in line for line in lines)
    else:
        assert status[:3] in ("404", "400", "308")
