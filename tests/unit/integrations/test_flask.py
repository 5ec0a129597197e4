"""Flask: one visit for each request, whatever answers it; cookies once; nothing of one visitor for another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, jsonify, redirect, stream_with_context
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, run_wsgi_app

from target import MetricType, Notification, NotificationMbox, OptionsError
from target.integrations.flask import Target, browser_blueprint, current_target
from tests.kit.calls import options_of
from tests.kit.loopback import serving

ASKED: Any = {"execute": {"mboxes": [{"name": "home"}]}}
SHOWN = Notification(id="n", type=MetricType.DISPLAY, timestamp=1, mbox=NotificationMbox(name="home"), tokens=["t"])
KEY = "a secret of this test"


@pytest.fixture
def server() -> Iterator[Any]:
    with serving() as server:
        yield server


def shop(**options: Any) -> Flask:
    app = Flask(__name__)
    Target(app, **options)
    fill(app)
    return app


def fill(app: Flask) -> None:
    app.register_blueprint(browser_blueprint("/seen"))

    @app.get("/")
    def home() -> Response:
        results = [current_target.get_offers(request=ASKED) for _ in range(2)]
        return jsonify(mbox=results[0].mbox("home").name, handle=current_target.handle([SHOWN]))

    @app.get("/nothing")
    def nothing() -> str:
        return "nothing"

    @app.get("/gone")
    def gone() -> str:
        current_target.get_offers(request=ASKED)
        abort(404)

    @app.get("/failing")
    def failing() -> str:
        current_target.get_offers(request=ASKED)
        raise ValueError("of the page")

    @app.get("/moved")
    def moved() -> Any:
        current_target.get_offers(request=ASKED)
        answer = redirect("/")
        answer.headers["Cache-Control"] = "public, max-age=9"
        answer.set_cookie("own", "1")
        return answer

    @app.get("/streamed")
    def streamed() -> Response:
        result = current_target.get_offers(request=ASKED)

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


def test_where_there_is_no_visit_it_says_why() -> None:
    with pytest.raises(RuntimeError, match="request"):
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


@given(cookie=ODD, agent=ODD, forwarded=ODD, referrer=ODD, host=ODD, path=ODD, query=ODD, peer=ODD)
def test_no_header_cookie_or_address_makes_a_page_fail(
    cookie: str, agent: str, forwarded: str, referrer: str, host: str, path: str, query: str, peer: str
) -> None:
    app = Flask(__name__)
    Target(app, **options_of("127.0.0.1:9", trusted_proxies=1, experience_cloud=True, retries=0))

    @app.get("/", defaults={"rest": ""})
    @app.get("/<path:rest>")
    def page(rest: str) -> str:
        assert isinstance(current_target.get_offers(request=ASKED).response, type(None))  # nothing listens there
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
