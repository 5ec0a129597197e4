"""Evaluation contexts: what of one becomes which part of a call."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import InvalidContextError, OpenFeatureError, TargetingKeyMissingError

from target.integrations.openfeature._settings import Settings

#: Attributes that are no mbox parameter: where in a call each goes. What begins with "option" is an option of the call.
RESERVED: dict[str, tuple[str, ...]] = {
    "page_url": ("context", "address", "url"),
    "referring_url": ("context", "address", "referringUrl"),
    "user_agent": ("context", "userAgent"),
    "ip": ("context", "geo", "ipAddress"),
    "geo.city": ("context", "geo", "city"),
    "geo.country": ("context", "geo", "countryCode"),
    "geo.state": ("context", "geo", "stateCode"),
    "geo.zip": ("context", "geo", "zip"),
    "geo.latitude": ("context", "geo", "latitude"),
    "geo.longitude": ("context", "geo", "longitude"),
    "property": ("property", "token"),
    "target_cookie": ("option", "target_cookie"),
    "session_id": ("option", "session_id"),
}
PROFILE = "profile."
_GEO = "geo."
_MOST_ATTRIBUTES = 1000
_MOST_DEPTH = 8
_MOST_SHOWN = 40
_MOST_NUMBER = 1.7976931348623157e308  # of 64 bits
_PLAIN = frozenset({str, int, float, bool, uuid.UUID, decimal.Decimal, datetime.date, datetime.datetime})


class Asking(NamedTuple):
    """Who asks, and with what.

    Attributes:
        options: Options of the call: the visitor's cookie, session and customer ids.
        request: The request, without its mboxes.
        mbox: What each mbox asked for gets: parameters and profile parameters.
        is_somebody: Whether something says who the visitor is.
        mark: Equal for all that ask the same; None where that cannot be told.
    """

    options: dict[str, Any]
    request: dict[str, Any]
    mbox: dict[str, Any]
    is_somebody: bool
    mark: Hashable | None


def written(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as the parameters that attributes become. Raises InvalidContextError."""
    return {name: _written(name, value) for name, value in _flat(fields)}


class _Unmarked(Exception):
    """Nobody can tell whether two values of this kind are the same."""


def read_context(context: EvaluationContext | None, settings: Settings) -> Asking:
    """What ``context`` asks with.

    Raises:
        TargetingKeyMissingError: It has no targeting key, and the provider needs one.
        InvalidContextError: It cannot be read, or an attribute is of no use. No message holds a value of it.
    """
    try:
        return _read(context or EvaluationContext(), settings)
    except OpenFeatureError:
        raise
    except Exception as error:  # noqa: BLE001  (a value of the application's own class may raise anything)
        raised = type(error).__name__
    raise InvalidContextError(f"The evaluation context cannot be read: it raised {raised}")


def _read(context: EvaluationContext, settings: Settings) -> Asking:
    key = context.targeting_key
    if key is None or (isinstance(key, str) and not key):
        key = None
        if settings.requires_targeting_key:
            raise TargetingKeyMissingError("The evaluation context has no targeting key, which this provider requires")
    parts: dict[str, dict[str, Any]] = {"option": {}, "context": {"channel": "web"}}
    parameters: dict[str, Any] = {}
    profile: dict[str, Any] = {}
    for name, value in _flat(context.attributes):
        if (place := RESERVED.get(name)) is not None:
            part = parts
            for step in place[:-1]:
                part = part.setdefault(step, {})
            part[place[-1]] = value
        elif name.startswith(PROFILE):
            profile[name[len(PROFILE) :]] = _written(name, value)
        elif name.startswith(_GEO):
            known = ", ".join(known for known in RESERVED if known.startswith(_GEO))
            raise InvalidContextError(f"There is no attribute {name[:_MOST_SHOWN]!r}: known are {known}")
        else:
            parameters[name] = _written(name, value)
    options = parts.pop("option")
    if (ids := settings.identify(context, key)) is not None:
        parts["id"] = ids
    elif key is not None and settings.integration_code is not None:
        options["customer_ids"] = {settings.integration_code: key}
    elif key is not None:
        parts["id"] = {settings.id_field: key}
    mbox = {}
    if parameters:
        mbox["parameters"] = parameters
    if profile:
        mbox["profileParameters"] = profile
    try:
        mark = _mark((options, parts, mbox))
    except _Unmarked:
        mark = None
    is_somebody = bool(parts.get("id") or options)
    return Asking(options, parts, mbox, is_somebody, mark)


def _flat(attributes: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Attributes by name, those of a mapping under ``name.key``; what is None is left out."""
    if depth > _MOST_DEPTH:
        raise InvalidContextError(f"The evaluation context is nested more than {_MOST_DEPTH} deep, or holds itself")
    if len(attributes) > _MOST_ATTRIBUTES:
        raise InvalidContextError(f"The evaluation context holds more than {_MOST_ATTRIBUTES} attributes")
    for name, value in list(attributes.items()):
        if not issubclass(type(name), str):
            raise InvalidContextError(f"Names of attributes must be texts, not {type(name).__name__}")
        name = str.__str__(name)  # of a member of a StrEnum: its text
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.", depth + 1)
        elif value is not None:
            yield before + name, value


def _written(name: str, value: Any) -> Any:
    """As text, which is what Target's servers take: numbers, flags and, as JSON, lists. Anything else is written by the
    client, which says what it does not take."""
    kind = value.__class__
    if kind is str:
        return value
    if kind is bool:
        return "true" if value else "false"
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int | float):  # members of an IntEnum, too, and NumPy's float64
        number = int.__int__(value) if issubclass(kind, int) else float.__float__(value)
        if not abs(number) <= _MOST_NUMBER:
            raise InvalidContextError(f"The attribute {name[:_MOST_SHOWN]!r} must be a finite number of 64 bits")
        return str(int(number) if number == int(number) else number)
    if not isinstance(value, list | tuple):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raised = type(error).__name__
    raise InvalidContextError(f"The attribute {name[:_MOST_SHOWN]!r} is a list that JSON cannot hold: {raised}")


def _mark(value: Any) -> Hashable:
    kind = value.__class__
    if kind in _PLAIN:
        return kind, value  # 1, 1.0 and True are equal to Python, and not to an audience
    if kind is dict:
        return tuple(sorted((name, _mark(item)) for name, item in value.items()))
    if kind is tuple or kind is list:
        return tuple(_mark(item) for item in value)
    raise _Unmarked
