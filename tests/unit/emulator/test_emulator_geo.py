"""Where an address is: the table, its file, and what SDKs read of it over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import urllib3

from target.decisioning.geo import parse_geo
from target.emulator import Emulator
from target.emulator.geo import SAMPLE, GeoError, load_places, parse_places

BERLIN = {"countryCode": "DE", "stateCode": "BE", "city": "BERLIN", "latitude": 52.52, "longitude": 13.4}


def asked(emulator: Emulator, pool: urllib3.PoolManager, **headers: str) -> urllib3.BaseHTTPResponse:
    return pool.request(
        "GET", f"{emulator.url}/v1/geo", headers={key.replace("_", "-"): headers[key] for key in headers}
    )


def test_headers_and_body_say_the_same_place(emulator: Emulator, pool: urllib3.PoolManager) -> None:
    answer = asked(emulator, pool, x_forwarded_for="203.0.113.9")
    assert answer.json() == {
        "x-forwarded-for": "203.0.113.9",
        "x-geo-latitude": 52.52,
        "x-geo-longitude": 13.4,
        "x-geo-country-code": "DE",
        "x-geo-region-code": "BE",
        "x-geo-city": "BERLIN",
    }
    assert parse_geo(answer.json()) == BERLIN
    assert parse_geo(answer.headers) == {key: str(value) for key, value in BERLIN.items()}
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_first_address_counts_and_without_one_that_of_the_caller(
    emulator: Emulator, pool: urllib3.PoolManager
) -> None:
    first = asked(emulator, pool, x_forwarded_for="198.51.100.1, 203.0.113.9").json()
    assert first["x-geo-city"] == "LONDON"
    own = asked(emulator, pool).json()
    assert (own["x-forwarded-for"], own["x-geo-city"]) == ("127.0.0.1", "SAN FRANCISCO")
    assert asked(emulator, pool, x_forwarded_for="elsewhere").status == 404


def test_lookups_are_journaled_and_fail_when_told(emulator: Emulator, pool: urllib3.PoolManager) -> None:
    emulator.fail_next(1, 503, of="geo")
    assert [asked(emulator, pool).status for _ in range(2)] == [503, 200]
    assert emulator.received == []


def test_the_narrowest_network_counts(tmp_path: Path) -> None:
    file = tmp_path / "geo.json"
    table = {"10.0.0.0/8": {"city": "A"}, "10.1.0.0/16": {"city": "B"}, "10.1.2.3": {"city": "C"}, "::1": {"city": "D"}}
    file.write_text(json.dumps({"addresses": table}), encoding="utf-8")
    places = load_places(file)
    found = [
        places.find(one).get("city") for one in ("10.2.0.1", "10.1.0.1", "10.1.2.3", "::1%lo", "11.0.0.1", "", None)
    ]
    assert found == ["A", "B", "C", "D", None, None, None]


def test_the_sample_is_of_its_own_format() -> None:
    assert parse_places(SAMPLE).find("2001:db8::1")["city"] == "ZURICH"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "geo: must be an object with addresses, default"),
        ({"adresses": {}}, "geo: /adresses: is no key of the format"),
        ({"addresses": []}, "geo: /addresses: must be an object"),
        ({"addresses": {"10.0/8": {}}}, "geo: /addresses/10.0~18: is no network and no address"),
        (
            {"addresses": {"::1": {"country": "DE"}}},
            "geo: /addresses/::1/country: is no key of the format; use latitude",
        ),
        ({"default": {"city": ""}}, "geo: /default/city: must be text that is not empty"),
        ({"default": {"city": "A\r\nB"}}, "geo: /default/city: must be text"),
        ({"default": {"latitude": 91}}, "geo: /default/latitude: must be a number from -90 to 90"),
        ({"default": {"longitude": "5"}}, "geo: /default/longitude: must be a number"),
    ],
)
def test_a_broken_table_is_named_with_the_place(data: Any, problem: str) -> None:
    with pytest.raises(GeoError) as refused:
        parse_places(data)
    assert str(refused.value).startswith(problem)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(GeoError, match=r"none\.json: cannot be read .*; name an existing file"):
        load_places(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"\xff")
    with pytest.raises(GeoError, match=r"broken\.json: is not JSON in UTF-8"):
        load_places(broken)
