"""The control API is for programs and for the emulator's own pages: no page from elsewhere gets in, by any name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import urllib3
from starlette.testclient import TestClient

from target.emulator import Emulator, create_app, running

PATHS = [("GET", "state"), ("PUT", "rules"), ("POST", "reset"), ("GET", "events"), ("DELETE", "forced")]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Emulator]:
    with running(allow_hosts=["emulator.test"]) as emulator:
        yield emulator


def asked(
    emulator: Emulator, pool: urllib3.PoolManager, method: str = "GET", path: str = "state", **headers: str
) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return pool.request(method, f"{emulator.url}/_/{path}", headers=named).status


def test_by_its_own_names(guarded: Emulator, pool: urllib3.PoolManager) -> None:
    for host in (
        "localhost",
        "LOCALHOST:80",
        "shop.localhost",
        "127.0.0.1",
        "127.9.9.9:1",
        "[::1]:80",
        "emulator.test",
    ):
        assert asked(guarded, pool, host=host) == 200
    for host in (
        *("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1"),
        *("[::2]", "[::1", "xlocalhost", "emulator.test.evil.example", "0.0.0.0", "a b"),
    ):
        assert asked(guarded, pool, host=host) == 403


def test_by_no_page_of_another_origin(guarded: Emulator, pool: urllib3.PoolManager) -> None:
    own = f"http://{guarded.server_domain}"
    assert asked(guarded, pool, origin=own, sec_fetch_site="same-origin") == 200
    assert asked(guarded, pool, sec_fetch_site="none") == 200
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{guarded.port + 1}", f"{own}.evil.example", ""):
        assert asked(guarded, pool, origin=origin) == 403
    for site in ("cross-site", "same-site", "what"):
        assert asked(guarded, pool, sec_fetch_site=site) == 403


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_endpoint_is_guarded(method: str, path: str, guarded: Emulator, pool: urllib3.PoolManager) -> None:
    assert asked(guarded, pool, method, path, origin="https://evil.example") == 403
    assert asked(guarded, pool, method, path, host="evil.example") == 403


def test_the_api_itself_stays_open(guarded: Emulator, pool: urllib3.PoolManager) -> None:
    url = f"{guarded.url}/rest/v1/delivery?imsOrgId=o&sessionId=s"
    elsewhere = {"Host": "mboxedge38.tt.omtrdc.net", "Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}
    assert pool.request("POST", url, body=b'{"context": {"channel": "web"}}', headers=elsewhere).status == 200
    for path in ("/v1/geo", "/acme/production/v1/rules.json"):
        assert pool.request("GET", guarded.url + path, headers=elsewhere).status == 200
        assert pool.request("GET", guarded.url + path, headers={"Host": "[::1"}).status == 200


def test_a_test_client_may_name_the_application_as_it_likes() -> None:
    assert TestClient(create_app()).get("/_/state").status_code == 200
