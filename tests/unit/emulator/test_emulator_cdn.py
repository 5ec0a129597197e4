"""Rules as a CDN serves them, and a client of ours that decides by them over real HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from target import TargetClient
from target.emulator import Emulator, running
from target.emulator.cdn import _takes_gzip
from tests.kit.cdn import artifact

RULES = artifact("home", meta={"clientCode": "acmeclient"}, geoTargetingEnabled=True, responseTokens=["geo.city"])
URLS = ("/acmeclient/production/v1/rules.json", "/acmeclient/staging/v1/a-property/rules.json")


@pytest.fixture(scope="module")
def serving() -> Iterator[Emulator]:
    with running(rules=RULES) as emulator:
        yield emulator


@pytest.fixture
def emulator(serving: Emulator) -> Emulator:
    serving.reset()
    serving.use_rules(RULES)
    return serving


def test_every_client_environment_and_property_has_the_rules(emulator: Emulator, pool: urllib3.PoolManager) -> None:
    for path in URLS:
        answer = pool.request("GET", emulator.url + path)
        assert answer.json() == RULES
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-cache"
    assert [(one.of, one.path, one.status) for one in emulator.fetched] == [("rules", path, 200) for path in URLS]
    assert emulator.received == []


def test_who_has_them_is_told_so(emulator: Emulator, pool: urllib3.PoolManager) -> None:
    url = emulator.url + URLS[0]
    etag = pool.request("GET", url).headers["ETag"]
    assert etag.startswith('"')
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        answer = pool.request("GET", url, headers={"If-None-Match": known})
        assert (answer.status, answer.data, answer.headers["ETag"]) == (304, b"", etag)
    for other in ('"other"', etag.strip('"')):
        assert pool.request("GET", url, headers={"If-None-Match": other}).status == 200
    emulator.use_rules(artifact("other"))
    swapped = pool.request("GET", url, headers={"If-None-Match": etag})
    assert (swapped.status, "other" in swapped.json()["rules"]["mboxes"]) == (200, True)


def test_gzip_for_those_who_take_it(emulator: Emulator, pool: urllib3.PoolManager) -> None:
    url = emulator.url + URLS[0]
    for _ in range(2):
        packed = pool.request("GET", url, headers={"Accept-Encoding": "br, gzip"}, decode_content=False)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(packed.data)) == RULES
        assert packed.headers["Vary"] == "Accept-Encoding"
    plain = pool.request("GET", url, headers={"Accept-Encoding": "identity"}, decode_content=False)
    assert "Content-Encoding" not in plain.headers
    head = pool.request("HEAD", url, headers={"Accept-Encoding": "identity"})
    assert (head.status, head.data, head.headers["Content-Length"]) == (200, b"", str(len(plain.data)))
    emulator.use_rules(artifact("other"))
    assert pool.request("GET", url, headers={"Accept-Encoding": "gzip"}).json() == artifact("other")


@pytest.mark.parametrize(
    ("given", "takes"),
    [
        ([], False),
        (["gzip"], True),
        (["GZIP;q=0.5, br"], True),
        (["br", "gzip"], True),
        (["gzip;q=0"], False),
        (["gzip; q=0.0"], False),
        (["*"], True),
        (["*;q=0"], False),
        (["gzip;q=0, *"], False),
        (["identity"], False),
        (["gzip;q=soon"], False),
    ],
)
def test_accept_encoding(given: list[str], takes: bool) -> None:
    assert _takes_gzip(given) is takes


def test_faults_of_the_artifact(emulator: Emulator, pool: urllib3.PoolManager) -> None:
    url = emulator.url + URLS[0]
    emulator.fail_next(1, 403, of="rules")
    emulator.fail_next(1, 304, of="rules")
    assert [pool.request("GET", url).status for _ in range(3)] == [403, 304, 200]
    emulator.fail_next(1, "half", of="rules")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        pool.request("GET", url)


def client(emulator: Emulator, **options: Any) -> TargetClient:
    return TargetClient.create(
        client="acmeclient",
        organization_id="1@AdobeOrg",
        decisioning_method="on-device",
        cdn_base_path=emulator.url,
        server_domain=emulator.server_domain,
        secure=emulator.ca_file is not None,
        edge_routing=False,
        **options,
    )


def test_our_client_decides_by_them_and_looks_places_up(emulator: Emulator) -> None:
    ask = {
        "context": {"channel": "web", "geo": {"ipAddress": "203.0.113.7"}},
        "prefetch": {"mboxes": [{"name": "home"}]},
    }
    with client(emulator) as deciding:
        assert deciding.wait_until_ready(timeout=5000)
        result = deciding.get_offers(request=ask)
        assert result.meta.decisioning_method == "on-device"
        assert result.content("home") == {"from": "home"}
        assert result.options("home")[0].response_tokens["geo.city"] == "BERLIN"
        deciding.notify(result, displayed=["home"])
    (told,) = emulator.wait_for_notifications(1, mbox="home")
    assert told["known"]
    assert [one.of for one in emulator.fetched] == ["rules", "geo"]


def test_our_client_fetches_them_over_https() -> None:
    with running(rules=RULES, tls=True) as emulator, client(emulator, ca_certs=emulator.ca_file) as deciding:
        assert deciding.wait_until_ready(timeout=5000)
        assert deciding.get_offers(request={"prefetch": {"mboxes": [{"name": "home"}]}}).content("home")
