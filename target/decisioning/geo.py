"""Where a visitor is: what rules and response tokens say about it, and whether it has to be looked up."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

# Field of the request -> header or JSON key of the lookup's answer.
_ANSWER = {
    "latitude": "x-geo-latitude",
    "longitude": "x-geo-longitude",
    "countryCode": "x-geo-country-code",
    "stateCode": "x-geo-region-code",
    "city": "x-geo-city",
}
_VARIABLES = {
    "country": "countryCode",
    "region": "stateCode",
    "city": "city",
    "latitude": "latitude",
    "longitude": "longitude",
}
_PLACES = ("country", "region", "city")
_MAX_PLACE = 256
RESPONSE_TOKENS = {"geo.city": "city", "geo.country": "countryCode", "geo.state": "stateCode"}


def geo_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The geo object of a request in wire form; empty where there is none."""
    context = body.get("context")
    if context is None:
        return {}
    geo = context.get("geo") if context.__class__ is dict or isinstance(context, Mapping) else None
    if geo is None:
        return {}
    return geo if geo.__class__ is dict or isinstance(geo, Mapping) else {}


def ip_to_look_up(geo: Mapping[str, Any]) -> str | None:
    """The visitor's address where it is all that ``geo`` holds; None where there is nothing to look up."""
    ip = geo.get("ipAddress")
    if not isinstance(ip, str) or ip == "":
        return None
    is_alone = all(key == "ipAddress" or value is None or value == "" for key, value in geo.items())
    return ip if is_alone else None


def parse_geo(answer: Any) -> dict[str, Any]:
    """The geo fields in a lookup's answer, JSON or headers, under the keys of a request. Never fails."""
    if not isinstance(answer, Mapping):
        return {}
    given = {str(name).lower(): value for name, value in answer.items()}
    found = {key: given.get(name) for key, name in _ANSWER.items()}
    return {
        key: value
        for key, value in found.items()
        if (value.strip() if isinstance(value, str) else value.__class__ in (int, float))
    }


def build_geo_variables(geo: Mapping[str, Any]) -> dict[str, Any]:
    """What rules read as ``geo.*``."""
    return {name: geo[key] for name, key in _VARIABLES.items() if geo.get(key) is not None}


def build_places(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Country, region and city among ``variables`` (``geo.*``), in the spelling of ``normalize_place``."""
    return {name: normalize_place(variables[name]) for name in _PLACES if name in variables}


def normalize_place(value: Any) -> Any:
    """The name of a place as Target publishes it: in upper case, without spaces, and without accents.

    Lookups, CDNs and authors write "San Francisco", "SAN FRANCISCO", "SANFRANCISCO". In a list, each item; anything
    else stays as it is.
    """
    if isinstance(value, list | tuple):
        return [normalize_place(item) for item in value]
    if not isinstance(value, str):
        return value
    return _normalized(value) if len(value) <= _MAX_PLACE else _normalize(value)


def _normalize(text: str) -> str:
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text)
        text = "".join(part for part in parts if not unicodedata.combining(part))
    return "".join(text.upper().split())


_normalized = lru_cache(maxsize=1024)(_normalize)


def build_geo_tokens(geo: Mapping[str, Any], tokens: tuple[str, ...]) -> dict[str, Any]:
    """The response tokens among ``tokens`` that tell where the visitor is, as far as it is known."""
    if not geo or not tokens:
        return {}
    return {token: geo[key] for token in tokens if (key := RESPONSE_TOKENS[token]) in geo and geo[key] is not None}
