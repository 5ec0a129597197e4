"""The options of on-device decisioning: which URL they make, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from target.config import parse_client_options
from target.errors import OptionsError
from target.on_device_config import without_query
from tests.kit.calls import ACCOUNT

BASE = {**ACCOUNT, "decisioning_method": "on-device"}
CDN = "https://assets.adobetarget.com"
STAGING = "https://assets.staging.adobetarget.com"


def parse(**options: Any) -> Any:
    return parse_client_options({**BASE, **options}).on_device


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, f"{CDN}/acme/production/v1/rules.json"),
        ({"property_token": "tok-1"}, f"{CDN}/acme/production/v1/tok-1/rules.json"),
        ({"property_token": "a/b c"}, f"{CDN}/acme/production/v1/a%2Fb%20c/rules.json"),
        ({"environment": "Staging"}, f"{CDN}/acme/staging/v1/rules.json"),
        ({"environment": "My Env/\u00dc"}, f"{CDN}/acme/my%20env%2F%C3%BC/v1/rules.json"),
        ({"environment": "", "property_token": ""}, f"{CDN}/acme/production/v1/rules.json"),
        ({"cdn_environment": "staging"}, f"{STAGING}/acme/production/v1/rules.json"),
        ({"cdn_environment": "Development"}, f"{STAGING}/acme/production/v1/rules.json"),
        ({"cdn_environment": "production"}, f"{CDN}/acme/production/v1/rules.json"),
        ({"cdn_base_path": "http://127.0.0.1:8080/cdn/"}, "http://127.0.0.1:8080/cdn/acme/production/v1/rules.json"),
        ({"cdn_base_path": "HTTPS://cdn.example", "cdn_environment": "staging"}, "https://cdn.example/acme/production"),
        (
            {"artifact_location": "http://x.example/r.json?sig=1#part", "environment": "e"},
            "http://x.example/r.json?sig=1",
        ),
        ({"artifact_location": "https://x.example"}, "https://x.example/"),
        ({"artifact_location": "https://x.example?a=/"}, "https://x.example/?a=/"),
        ({"artifact_location": "http://[::1]:80/r.json"}, "http://[::1]:80/r.json"),
    ],
)
def test_where_the_artifact_is(options: dict[str, Any], url: str) -> None:
    assert parse(**options).artifact_location.startswith(url)
    if url.endswith("json"):
        assert parse(**options).artifact_location == url


def test_the_geo_service_is_beside_the_artifacts() -> None:
    assert parse().geo_url == f"{CDN}/v1/geo"
    assert parse(cdn_environment="staging").geo_url == f"{STAGING}/v1/geo"
    assert parse(cdn_base_path="http://127.0.0.1:8080/cdn/").geo_url == "http://127.0.0.1:8080/cdn/v1/geo"
    assert parse(artifact_location="http://x.example/r.json").geo_url == f"{CDN}/v1/geo"


@pytest.mark.parametrize(
    ("options", "seconds", "is_told"),
    [
        ({}, 300, False),
        ({"polling_interval": 0}, 0, False),
        ({"polling_interval": 1}, 300, True),
        ({"polling_interval": 299_999}, 300, True),
        ({"polling_interval": 300_001.5}, 300.0015, False),
        ({"polling_interval": 5000, "artifact_location": "https://ASSETS.adobetarget.com./x"}, 300, True),
        ({"polling_interval": 5000, "cdn_environment": "staging"}, 300, True),
        ({"polling_interval": 5000, "artifact_location": "https://notadobetarget.com/x"}, 5, False),
        ({"polling_interval": 5000, "cdn_base_path": "http://127.0.0.1:8080"}, 5, False),
        ({"polling_interval": 999, "cdn_base_path": "http://127.0.0.1:8080"}, 1, True),
        ({"polling_interval": 0, "cdn_base_path": "http://127.0.0.1:8080"}, 0, False),
    ],
)
def test_how_often_it_is_fetched(
    options: dict[str, Any], seconds: float, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("shop")
    assert parse(**options, logger=logger).polling_interval_s == seconds
    assert [record.name for record in caplog.records] == (["shop"] if is_told else [])


def test_the_rest() -> None:
    assert parse().maximum_wait_ready_s == 5
    assert parse(maximum_wait_ready=0).maximum_wait_ready_s == 0
    assert parse(maximum_wait_ready=1500).maximum_wait_ready_s == 1.5
    payload = {"version": "1.0.0"}
    assert parse(artifact_payload=payload).artifact_payload == payload
    assert parse().artifact_payload is None
    assert parse().artifact_cache is None
    assert parse(artifact_cache="").artifact_cache is None
    for path in ("rules.cache", Path("rules.cache")):
        assert parse(artifact_cache=path).artifact_cache == Path.cwd() / "rules.cache"


@pytest.mark.parametrize(
    "options",
    [
        {"environment": 7},
        {"environment": ".."},
        {"property_token": "."},
        {"cdn_environment": "moon"},
        {"cdn_environment": "moon", "cdn_base_path": "https://assets.example"},
        {"cdn_base_path": "assets.example"},
        {"cdn_base_path": "ftp://assets.example"},
        {"cdn_base_path": "https://assets.example/?a=1"},
        {"cdn_base_path": "https://assets.example/#a"},
        {"artifact_location": "/rules.json"},
        {"artifact_location": "file:///etc/passwd"},
        {"artifact_location": "https://"},
        {"artifact_location": "https://x.example:99999/"},
        {"artifact_location": "https://x.example:port/"},
        {"artifact_location": "https://user:hunter2@x.example/"},
        {"artifact_location": "https://x.example/a b"},
        {"artifact_location": "https://x.example/a\r\nb"},
        {"artifact_location": "https://x.example\\@y.example/"},
        {"artifact_location": "http://[::1/"},
        {"artifact_location": 7},
        {"artifact_payload": "{}"},
        {"artifact_payload": []},
        {"artifact_cache": 7},
        {"artifact_cache": "a\0b"},
        {"polling_interval": -1},
        {"polling_interval": float("nan")},
        {"polling_interval": "300000"},
        {"polling_interval": True},
        {"maximum_wait_ready": -1},
        {"client": "a/b"},
        {"client": None},
    ],
)
def test_what_cannot_be_used_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionsError, match=next(iter(options))) as caught:
        parse(**options)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_query_stays_out_of_the_log() -> None:
    assert without_query("https://x.example/r.json?signature=secret") == "https://x.example/r.json"
