"""Owns what is asked and for whom: flags of a command become a request, and the options of its call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from target.cli.inputs import read_object

_GEO = {
    "ip": "ipAddress",
    "country": "countryCode",
    "region": "stateCode",
    "city": "city",
    "zip": "zip",
    "latitude": "latitude",
    "longitude": "longitude",
}
_NUMBERS = ("latitude", "longitude")
_NAMES = (
    "view",
    "views",
    "page_load",
    "prefetch",
    "param",
    "profile_param",
    "url",
    "referrer",
    "user_agent",
    "geo",
    "tnt_id",
    "third_party_id",
    "ecid",
    "customer_id",
    "session_id",
    "cookie",
    "location_hint",
    "trace",
    "request",
)

_FLAGS = [
    click.option("--view", multiple=True, metavar="NAME", help="Ask for this view; repeat for several."),
    click.option("--views", is_flag=True, help="Ask for all views."),
    click.option("--page-load", is_flag=True, help="Ask for the page as a whole."),
    click.option("--prefetch", is_flag=True, help="Ask for later: it counts when it is told."),
    click.option("--param", multiple=True, metavar="NAME=VALUE", help="A parameter of every mbox; repeat for several."),
    click.option("--profile-param", multiple=True, metavar="NAME=VALUE", help="A profile parameter, likewise."),
    click.option("--url", metavar="URL", help="Address of the page."),
    click.option("--referrer", metavar="URL", help="Address of the page before it."),
    click.option("--user-agent", metavar="TEXT", help="The visitor's browser, as its header says."),
    click.option(
        "--geo",
        multiple=True,
        metavar="NAME=VALUE",
        help=f"Where the visitor is: {', '.join(_GEO)}; repeat for several.",
    ),
    click.option("--tnt-id", metavar="ID", help="The visitor's device id."),
    click.option("--third-party-id", metavar="ID", help="The visitor's id in your systems."),
    click.option("--ecid", metavar="ID", help="The visitor's Experience Cloud id."),
    click.option("--customer-id", multiple=True, metavar="CODE=ID", help="An id by its integration code; repeat."),
    click.option("--session-id", metavar="ID", help="The visitor's session."),
    click.option("--cookie", metavar="VALUE", help="Value of the visitor's mbox cookie."),
    click.option("--location-hint", metavar="N", help="Value of the visitor's mboxEdgeCluster cookie."),
    click.option("--trace", is_flag=True, help="Ask for a trace (on device; an account wants a token in --request)."),
    click.option("--request", metavar="FILE", help="The request as JSON, - for standard input; flags add to it."),
]


def asking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags; a command gets them by their names."""
    for option in reversed(_FLAGS):
        command = option(command)
    return command


def take_asked(given: dict[str, Any]) -> dict[str, Any]:
    """Those of the flags that ``asking_options`` adds, out of all that a command was given."""
    return {name: given.pop(name) for name in _NAMES}


def build_request(mboxes: Iterable[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The request in wire form: what the file of ``--request`` has, with what flags add.

    Raises:
        BadParameter: A flag is not as it has to be.
        ClickException: The file cannot be read.
    """
    request: dict[str, Any] = {} if asked["request"] is None else read_object(asked["request"])
    part: dict[str, Any] = {}
    for name, key in (("param", "parameters"), ("profile_param", "profileParameters")):
        if pairs := _pairs(asked[name], f"--{name.replace('_', '-')}"):
            part[key] = pairs
    section: dict[str, Any] = {}
    names = list(mboxes)
    if names:
        section["mboxes"] = [{"index": index, "name": name, **part} for index, name in enumerate(names)]
    if asked["page_load"]:
        section["pageLoad"] = part
    if section:
        _add(request, "prefetch" if asked["prefetch"] else "execute", section)
    if asked["views"] or asked["view"]:
        views = [{**part}] if asked["views"] else [{"name": name, **part} for name in asked["view"]]
        _add(request, "prefetch", {"views": views})
    for key, value in (("context", _context(asked)), ("id", _ids(asked))):
        if value:
            _add(request, key, value)
    if asked["trace"]:
        request.setdefault("trace", {})
    return request


def call_options(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the call besides its request. Raises BadParameter."""
    named = {"target_cookie": "cookie", "target_location_hint": "location_hint", "session_id": "session_id"}
    options = {option: asked[name] for option, name in named.items() if asked[name] is not None}
    if codes := _pairs(asked["customer_id"], "--customer-id"):
        options["customer_ids"] = {code: {"id": value, "authState": "unknown"} for code, value in codes.items()}
    return options


def _context(asked: Mapping[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = {}
    address = {"url": asked["url"], "referringUrl": asked["referrer"]}
    if any(address.values()):
        context["address"] = {key: value for key, value in address.items() if value}
    if asked["user_agent"]:
        context["userAgent"] = asked["user_agent"]
    if geo := {_geo_key(name): _geo_value(name, value) for name, value in _pairs(asked["geo"], "--geo").items()}:
        context["geo"] = geo
    return context


def _geo_key(name: str) -> str:
    if name not in _GEO:
        raise click.BadParameter(f"{name!r} is none of {', '.join(_GEO)}", param_hint="--geo")
    return _GEO[name]


def _geo_value(name: str, value: str) -> Any:
    if name not in _NUMBERS:
        return value
    try:
        return float(value)
    except ValueError:
        raise click.BadParameter(f"{name} is a number, not {value!r}", param_hint="--geo") from None


def _ids(asked: Mapping[str, Any]) -> dict[str, Any]:
    named = {"tntId": "tnt_id", "thirdPartyId": "third_party_id", "marketingCloudVisitorId": "ecid"}
    return {key: asked[name] for key, name in named.items() if asked[name] is not None}


def _pairs(given: Iterable[str], flag: str) -> dict[str, str]:
    pairs = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE", param_hint=flag)
        pairs[name] = value
    return pairs


def _add(request: dict[str, Any], key: str, added: Mapping[str, Any]) -> None:
    """Add to an object of the request: lists grow, anything else that flags say wins."""
    own = request.get(key)
    if own is None:
        own = {}
    if not isinstance(own, dict):
        raise click.ClickException(f"--request: /{key}: must be an object, not {type(own).__name__}")
    merged = dict(own)
    for name, value in added.items():
        there = merged.get(name)
        if isinstance(value, list) and isinstance(there, list):
            merged[name] = [*there, *value]
        elif isinstance(value, dict) and isinstance(there, dict):
            merged[name] = {**there, **value}
        else:
            merged[name] = value
    request[key] = merged
