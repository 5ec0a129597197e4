"""Owns what is asked and for whom: flags of a command become a request, and the options of its call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from target import OptionsError
from target.cli.inputs import named, read_object
from target.cli.warned import kept_warnings

_GEO = {
    "ip": "ipAddress",
    "country": "countryCode",
    "region": "stateCode",
    "city": "city",
    "zip": "zip",
    "latitude": "latitude",
    "longitude": "longitude",
}
_PLACE = re.compile(r"request((?:\.\w+|\[\d+\])+):? (.*)", re.DOTALL)
_NUMBERS = ("latitude", "longitude")
_VISITOR = {
    "tnt_id": click.option("--tnt-id", metavar="ID", help="The visitor's device id."),
    "third_party_id": click.option("--third-party-id", metavar="ID", help="The visitor's id in your systems."),
    "ecid": click.option("--ecid", metavar="ID", help="The visitor's Experience Cloud id."),
    "customer_id": click.option(
        "--customer-id", multiple=True, metavar="CODE=ID", help="An id by its integration code; repeat for several."
    ),
    "session_id": click.option("--session-id", metavar="ID", help="The visitor's session."),
    "cookie": click.option("--cookie", metavar="VALUE", help="Value of the visitor's mbox cookie."),
    "location_hint": click.option(
        "--location-hint", metavar="N", help="Value of the visitor's mboxEdgeCluster cookie."
    ),
}
_ASKED = {
    "view": click.option("--view", multiple=True, metavar="NAME", help="Ask for this view; repeat for several."),
    "views": click.option("--views", is_flag=True, help="Ask for all views."),
    "page_load": click.option("--page-load", is_flag=True, help="Ask for the page as a whole."),
    "prefetch": click.option("--prefetch", is_flag=True, help="Ask for later: it counts when it is told."),
    "param": click.option(
        "--param", multiple=True, metavar="NAME=VALUE", help="A parameter of all that is asked; repeat for several."
    ),
    "profile_param": click.option(
        "--profile-param", multiple=True, metavar="NAME=VALUE", help="A profile parameter, likewise."
    ),
    "url": click.option("--url", metavar="URL", help="Address of the page."),
    "referrer": click.option("--referrer", metavar="URL", help="Address of the page before it."),
    "user_agent": click.option("--user-agent", metavar="TEXT", help="The visitor's browser, as its header says."),
    "geo": click.option(
        "--geo",
        multiple=True,
        metavar="NAME=VALUE",
        help=f"Where the visitor is: {', '.join(_GEO)}; repeat for several.",
    ),
    "trace": click.option(
        "--trace", is_flag=True, help="Ask for a trace (on device; an account wants a token in --request)."
    ),
    "request": click.option(
        "--request",
        type=click.Path(),
        metavar="FILE",
        help="The request as JSON, - for standard input; flags add to it.",
    ),
}


def visitor_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that say who the visitor is; a command gets them by their names."""
    for option in reversed(_VISITOR.values()):
        command = option(command)
    return command


def asking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and those that say what is asked."""
    command = visitor_options(command)
    for option in reversed(_ASKED.values()):
        command = option(command)
    return command


def take_asked(given: dict[str, Any]) -> dict[str, Any]:
    """Those of the flags that are here, out of all that a command was given."""
    return {name: given.pop(name) for name in (*_ASKED, *_VISITOR) if name in given}


def build_request(mboxes: Iterable[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The request in wire form: what the file of ``--request`` has, with what flags add.

    Raises:
        UsageError: A flag is not as it has to be.
        ClickException: The file cannot be read.
    """
    request: dict[str, Any] = {} if asked["request"] is None else read_object(asked["request"])
    section: dict[str, Any] = {}
    if names := list(mboxes):
        section["mboxes"] = [{"name": name} for name in names]
    if asked["page_load"]:
        section["pageLoad"] = {}
    if section:
        _add(request, "prefetch" if asked["prefetch"] else "execute", section)
    if asked["views"] or asked["view"]:
        _add(request, "prefetch", {"views": [{}] if asked["views"] else [{"name": name} for name in asked["view"]]})
    for name, key in (("param", "parameters"), ("profile_param", "profileParameters")):
        if pairs := _pairs(asked[name], f"--{name.replace('_', '-')}"):
            for part in _parts(request):
                _add(part, key, pairs)
    for key, value in (("context", _context(asked)), ("id", build_ids(asked))):
        if value:
            _add(request, key, value)
    if asked["trace"]:
        request.setdefault("trace", {})
    return request


def build_ids(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The ids of the request that flags name."""
    named = {"tntId": "tnt_id", "thirdPartyId": "third_party_id", "marketingCloudVisitorId": "ecid"}
    return {key: asked[name] for key, name in named.items() if asked[name] is not None}


def call_options(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the call besides its request. Raises UsageError."""
    named = {"target_cookie": "cookie", "target_location_hint": "location_hint", "session_id": "session_id"}
    options = {option: asked[name] for option, name in named.items() if asked[name] is not None}
    if codes := _pairs(asked["customer_id"], "--customer-id"):
        options["customer_ids"] = {code: {"id": value, "authState": "unknown"} for code, value in codes.items()}
    return options


@contextmanager
def placed(source: str | None) -> Iterator[None]:
    """What is wrong with a request is told with the file that it came from and the place in it, or is a flag's mistake.

    Raises:
        ClickException: The request cannot be sent.
    """
    with kept_warnings() as warnings:
        try:
            yield
        except OptionsError as problem:
            said = str(problem)
            if source is None or said.startswith("Option "):
                raise click.UsageError(said) from problem
            # What was left out of a request is logged with its place before nothing is left of it.
            found = next((found for each in [said, *warnings] if (found := _PLACE.search(each))), None)
            where = f"{re.sub(r'[.[]', '/', found[1].replace(']', ''))}: {found[2]}" if found else said
            raise click.ClickException(f"{named(source)}: {where}") from problem


def _parts(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a request asks for, one by one, so far as it is as it has to be: what is not is told later."""
    for section in (request.get("execute"), request.get("prefetch")):
        if isinstance(section, dict):
            lists = [each for each in (section.get("mboxes"), section.get("views")) if isinstance(each, list)]
            yield from (part for each in [*lists, [section.get("pageLoad")]] for part in each if isinstance(part, dict))


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
        raise click.UsageError(f"--geo: {name!r} is none of {', '.join(_GEO)}")
    return _GEO[name]


def _geo_value(name: str, value: str) -> Any:
    if name not in _NUMBERS:
        return value
    try:
        return float(value)
    except ValueError:
        raise click.UsageError(f"--geo: {name} is a number, not {value!r}") from None


def _pairs(given: Iterable[str], flag: str) -> dict[str, str]:
    pairs = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:  # which may be an id: it is not quoted
            raise click.UsageError(f"{flag}: write NAME=VALUE")
        pairs[name] = value
    return pairs


def _add(request: dict[str, Any], key: str, added: Mapping[str, Any]) -> None:
    """Add to an object of the request: lists grow, anything else that flags say wins."""
    own = request.get(key)
    if own is None:
        own = {}
    if not isinstance(own, dict):
        raise click.ClickException(f"{key} of the request must be an object, not {type(own).__name__}")
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
