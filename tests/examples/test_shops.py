"""The example shops: a visitor sees an offer, the browser tells so, buys; without Target too; under real servers."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings
from fastapi.testclient import TestClient

import tests.kit.django_shop  # noqa: F401  (which makes Django's settings)
from examples import django_shop, fastapi_shop, flask_shop
from target.emulator import Emulator, load_offers, running
from tests.kit.calls import options_of
from tests.kit.processes import ROOT, environment

OFFERS = load_offers(ROOT / "examples" / "offers.json")
SECRET = "a secret of this test"
Ask = Callable[..., tuple[int, str]]
"""Method, path and body: status and text of the answer, as a browser that keeps cookies."""


@contextmanager
def flask_browser(options: Any) -> Iterator[Ask]:
    app = flask_shop.create_app(**options)
    browser = app.test_client()

    def ask(method: str, path: str, body: Any = None) -> tuple[int, str]:
        answer = browser.open(path, method=method, json=body)
        return answer.status_code, answer.text

    with app.extensions["target"].client:
        yield ask


@contextmanager
def fastapi_browser(options: Any) -> Iterator[Ask]:
    with TestClient(fastapi_shop.create_app(**options)) as browser:

        def ask(method: str, path: str, body: Any = None) -> tuple[int, str]:
            answer = browser.request(method, path, json=body)
            return answer.status_code, answer.text

        yield ask


@contextmanager
def django_browser(options: Any) -> Iterator[Ask]:
    templates = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
    with override_settings(TARGET=options, ROOT_URLCONF=django_shop, TEMPLATES=templates):
        browser = Client()

        def ask(method: str, path: str, body: Any = None) -> tuple[int, str]:
            answer: Any = browser.generic(method, path, json.dumps(body), "application/json")
            return answer.status_code, answer.content.decode()

        yield ask


BROWSERS = {"flask": flask_browser, "fastapi": fastapi_browser, "django": django_browser}
SERVERS = {
    "flask under gunicorn": ["gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}", "flask_shop:served()"],
    "flask preloaded": ["gunicorn", "--workers", "2", "--preload", "--bind", "127.0.0.1:{port}", "flask_shop:served()"],
    "django under gunicorn": ["gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}", "django_shop:application"],
    "django under uvicorn": ["uvicorn", "--workers", "2", "--port", "{port}", "django_shop:asgi_application"],
    "fastapi under uvicorn": ["uvicorn", "--workers", "2", "--port", "{port}", "--factory", "fastapi_shop:served"],
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with running(offers=OFFERS) as emulator:
        yield emulator


def see_tell_and_buy(ask: Ask, emulator: Emulator) -> None:
    status, page = ask("GET", "/")
    assert status == 200
    assert "Summer sale" in page
    assert "Checkout: express" in page
    (handle,) = set(re.findall(r'handles: \["([^"]+)"\]', page))
    handle = handle.replace("\\u002D", "-")  # as Django writes it in a script
    assert ask("POST", "/seen", {"handles": [handle]})[0] == 204
    assert "Thank you" in ask("POST", "/bought")[1]
    display, click = (received["notification"] for received in emulator.notifications)
    assert (display["type"], click["type"]) == ("display", "click")
    assert click["order"] == {"id": "order-1", "total": 49.9, "purchasedProductIds": ["7"]}
    assert len({received["sessionId"] for received in emulator.notifications}) == 1


@pytest.mark.parametrize("shop", BROWSERS)
def test_a_visitor_sees_tells_and_buys(shop: str, emulator: Emulator) -> None:
    options = {**options_of(emulator.server_domain), "client": "acmeclient", "cookie_secure": False}
    with BROWSERS[shop]({**options, "handle_key": SECRET}) as ask:
        see_tell_and_buy(ask, emulator)


@pytest.mark.parametrize("shop", BROWSERS)
def test_without_target_it_shows_its_own_page(shop: str) -> None:
    with BROWSERS[shop]({**options_of("127.0.0.1:9"), "retries": 0, "handle_key": SECRET}) as ask:
        page = ask("GET", "/")[1]
        assert "Welcome to our shop" in page
        assert "Checkout: standard" in page
        assert "sendBeacon" not in page or 'if ("")' in page
        assert "Thank you" in ask("POST", "/bought")[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVERS)
def test_a_real_server_serves_it(name: str, emulator: Emulator, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [part.format(port=port) for part in SERVERS[name]]
    of_shop = {"TARGET_CLIENT": "acmeclient", "TARGET_ORGANIZATION_ID": "acme@AdobeOrg", "SHOP_SECRET": SECRET}
    variables = environment(**of_shop, TARGET_SERVER_DOMAIN=emulator.server_domain)
    variables["PYTHONPATH"] += f":{ROOT / 'examples'}"
    jar: SimpleCookie = SimpleCookie()

    def ask(method: str, path: str, body: Any = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            cookies = "; ".join(f"{name}={morsel.coded_value}" for name, morsel in jar.items())
            headers = {"Cookie": cookies, "Content-Type": "application/json"}
            if "csrftoken" in jar:
                headers["X-CSRFToken"] = jar["csrftoken"].value
            connection.request(method, path, json.dumps(body), headers)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie", ()):
                jar.load(line)
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", *command], cwd=tmp_path, env=variables, stdout=log, stderr=log)
    try:
        for _ in range(100):
            try:
                ask("GET", "/unknown")
                break
            except ConnectionError:
                time.sleep(0.2)
        see_tell_and_buy(ask, emulator)
    finally:
        server.terminate()
        server.wait(20)
        said = (tmp_path / "log").read_text()
    assert "Traceback" not in said, said
