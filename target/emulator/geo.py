"""Owns where an address is: the table of places, and GET /v1/geo, which SDKs ask.

The file that `--geo` takes is one JSON object; both keys are optional:

    {
      "addresses": {"203.0.113.0/24": PLACE, "2001:db8::7": PLACE},    by network or address; the narrowest counts
      "default": PLACE                                                  of every other address; null: nowhere
    }

PLACE has any of `countryCode`, `stateCode`, `city`, `latitude`, `longitude`, as a request's `context.geo`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from target.emulator.desk import Desk
from target.emulator.faults import suffer
from target.emulator.replies import error, failed, fetch_of, json_answer
from target.reading import pointer_to

try:
    from starlette.requests import Request
    from starlette.responses import Response
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

Place: TypeAlias = Mapping[str, Any]

#: Field of a request -> header and JSON key of an answer.
FIELDS = {
    "latitude": "x-geo-latitude",
    "longitude": "x-geo-longitude",
    "countryCode": "x-geo-country-code",
    "stateCode": "x-geo-region-code",
    "city": "x-geo-city",
}
_NUMBERS = {"latitude": 90, "longitude": 180}


def _place(country: str, state: str, city: str, latitude: float, longitude: float) -> Place:
    return {
        "latitude": latitude,
        "longitude": longitude,
        "countryCode": country,
        "stateCode": state,
        "city": city,
    }


#: Without a file: the networks that are set aside for documentation have a place each, all others the last.
SAMPLE = {
    "addresses": {
        "192.0.2.0/24": _place("US", "NY", "NEW YORK", 40.71, -74.01),
        "198.51.100.0/24": _place("GB", "ENG", "LONDON", 51.51, -0.13),
        "203.0.113.0/24": _place("DE", "BE", "BERLIN", 52.52, 13.4),
        "2001:db8::/32": _place("CH", "ZH", "ZURICH", 47.37, 8.54),
    },
    "default": _place("US", "CA", "SAN FRANCISCO", 37.75, -122.4),
}


class GeoError(ValueError):
    """The file of places cannot be read or breaks the format; the message says file, place (JSON pointer) and why."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where addresses are: the narrowest networks first."""

    networks: tuple[tuple[IPv4Network | IPv6Network, Place], ...]
    default: Place

    def find(self, address: str | None) -> Place:
        """Where an IP address is; empty where that is not known, or it is none."""
        try:
            parsed = ip_address((address or "").strip().partition("%")[0])
        except ValueError:
            return {}
        for network, place in self.networks:
            if parsed in network:
                return place
        return self.default


class Atlas:
    """The places that are in use, which may be swapped."""

    def __init__(self, places: Places) -> None:
        self.places = places

    def find(self, address: str | None) -> Place:
        """See `Places.find`."""
        return self.places.find(address)

    def read(self, path: str) -> None:
        """Use what a file says from now on. Raises GeoError."""
        self.places = load_places(path)


def load_places(path: str | Path) -> Places:
    """Read and check a file of places. Raises GeoError."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as cause:
        raise GeoError(f"{path}: cannot be read ({cause.strerror}); name an existing file of places") from cause
    except (ValueError, RecursionError) as cause:
        raise GeoError(f"{path}: is not JSON in UTF-8 ({cause})") from cause
    return parse_places(data, str(path))


def parse_places(data: Any, source: str = "geo") -> Places:
    """Check a table of places, already decoded; `source` names it in errors. Raises GeoError."""
    root = _object(data, ("addresses", "default"), source, "")
    addresses = root.get("addresses")
    if not isinstance(addresses, dict | None):
        _fail(source, "/addresses", "must be an object: a network or address and its place each")
    networks = []
    for written, place in (addresses or {}).items():
        pointer = pointer_to("addresses", written)
        try:
            network = ip_network(written, strict=False)
        except ValueError:
            _fail(source, pointer, "is no network and no address; write one as 203.0.113.0/24 or 2001:db8::7")
        networks.append((network, _checked(place, source, pointer)))
    networks.sort(key=lambda entry: -entry[0].prefixlen)
    default = root.get("default")
    return Places(tuple(networks), {} if default is None else _checked(default, source, "/default"))


def address_of(request: Request) -> str | None:
    """The address that a request is for: the first that a proxy names, else the one that it came from."""
    named = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    return named or (request.client.host if request.client else None)


class GeoService:
    """GET /v1/geo."""

    def __init__(self, atlas: Atlas, desk: Desk) -> None:
        self._atlas, self._desk = atlas, desk

    async def answer(self, request: Request) -> Response:
        """Where the address of a request is: the same in headers and as JSON."""
        address = address_of(request)
        fault = self._desk.faults.take("geo")
        if fault is not None and fault.stops_early:
            response = failed(fault.status)
        else:
            response = _located(address, self._atlas.find(address))
        self._desk.journal.add(fetch_of(request, "geo", response, fault))
        return await suffer(request, response, fault, self._desk.stopping)


def _located(address: str | None, place: Place) -> Response:
    if not place:
        return error(404, "It is not known where this address is")
    found = {header: place[key] for key, header in FIELDS.items() if key in place}
    response = json_answer(200, {"x-forwarded-for": address, **found})
    for header, value in found.items():
        if str(value).isascii():
            response.headers[header] = str(value)
    # What is answered is for one address: nothing on the way may answer another with it.
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "x-forwarded-for"
    return response


def _checked(value: Any, source: str, pointer: str) -> Place:
    place = _object(value, tuple(FIELDS), source, pointer)
    for key, said in place.items():
        most = _NUMBERS.get(key)
        if most is None:
            if not isinstance(said, str) or not said.strip() or not said.isprintable():
                _fail(source, f"{pointer}/{key}", "must be text that is not empty")
        elif isinstance(said, bool) or not isinstance(said, int | float) or not -most <= said <= most:
            _fail(source, f"{pointer}/{key}", f"must be a number from -{most} to {most}")
    return dict(place)


def _object(value: Any, known: tuple[str, ...], source: str, pointer: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _fail(source, pointer, f"must be an object with {', '.join(known)}")
    for key in value:
        if key not in known:
            _fail(source, f"{pointer}/{key}", f"is no key of the format; use {', '.join(known)}")
    return value


def _fail(source: str, pointer: str, problem: str) -> NoReturn:
    raise GeoError(f"{source}: {pointer}: {problem}" if pointer else f"{source}: {problem}")
