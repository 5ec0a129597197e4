"""Writes a request in wire form: models and dicts alike are held to the API's types, field by field, on the way.

What the API's document does not know is written as it is, as long as it is JSON. Null reads as unset, and is left out;
so is blank text where the API wants no text.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from operator import attrgetter
from typing import Any

from target.delivery.wire_values import (
    Misfit,
    mapping_of,
    name_of,
    read_by,
    refuse,
    unreadable,
    write_flag,
    write_free,
    write_free_map,
    write_id,
    write_integer,
    write_moment,
    write_number,
    write_own_id,
    write_text,
    write_texts,
    write_time,
)
from target.errors import OptionsError
from target.foreign import UNREADABLE, exact_dict, is_a
from target.notices import Notices
from target_delivery_api import models
from target_delivery_api.types import Kind, Model, Unusual, strict_dict

Write = Callable[[Any], Any]

# Where one of these is wrong, its notification is left out and logged, so that the others of its call are not lost.
_LEFT_OUT_LATER: dict[tuple[str, str], tuple[type | None, Write]] = {
    ("Notification", "id"): (None, write_own_id),
    ("Notification", "type"): (None, write_free),
    ("Notification", "timestamp"): (None, write_moment),
}
# Parts of a request in which a blank field says nothing, all the way down. CDNs and geo databases write "" where they
# know no city; the API refuses it (minLength, formats, numbers).
_PARTS = frozenset({"id", "context", "experienceCloud", "property", "preview", "qaMode"})
_ASKING = frozenset({"execute", "prefetch"})
# The same of what execute, prefetch and notifications ask for or report. A blank parameter is a value, and a view with
# a blank name is not all views.
_PLACES = ("pageLoad", "mboxes", "views")
_DETAILS = frozenset({"address", "order", "product"})
# Whether the request that is being written has a key that the API's document does not know. What writes is made once
# for all requests and has no other place to note it, and to look through each request for such keys would take long.
_has_unknown: ContextVar[bool] = ContextVar("has_unknown", default=False)


def parse_request(request: Any, notices: Notices) -> dict[str, Any]:
    """What a caller gave as ``request``, in wire form, and tidy. Raises OptionsError, as ``write_request``."""
    if type(request) is not dict and type(request) is not models.DeliveryRequest:
        if is_a(request, Mapping):
            request = exact_dict(request, "The request")
        elif not is_a(request, models.DeliveryRequest):
            request = {}
    if type(request) is dict and not request:
        raise OptionsError(
            "Request object of type DeliveryRequest is required: pass the option 'request', as a "
            "DeliveryRequest or as a dict in wire form"
        )
    body = write_request(request, notices)
    tidy_request(body)
    return body


def write_request(request: Any, notices: Notices | None = None) -> dict[str, Any]:
    """``request``, a DeliveryRequest or a mapping, in wire form: new dicts and lists, which hold nothing but JSON.

    Args:
        request: What a caller gave.
        notices: Is told of keys that the API's document does not know.

    Raises:
        OptionsError: It is something else, or a field is of a wrong type or nested too deeply; the message names it.
    """
    if type(request) is models.DeliveryRequest:
        try:
            return strict_dict(request)
        except (Unusual, AttributeError):
            pass  # what is unusual may still be right, and what is wrong has a place that is yet to be told
    try:
        body: dict[str, Any] = _write_request()(request)
    except Misfit as misfit:
        problem = str(misfit)
    except UNREADABLE as error:
        problem = f"The request cannot be read: it raised {type(error).__name__}"
    else:
        if _has_unknown.get():
            _has_unknown.set(False)
            if notices is not None:
                from target.delivery.unknown_keys import tell_unknown_keys  # nearly every request has none

                tell_unknown_keys(body, notices)
        return body
    # Not in an except clause: the error would carry the other one, which may quote what it read.
    raise OptionsError(problem)


@cache
def _write_request() -> Write:
    return _writer_of(models.DeliveryRequest)


def _writer_of(model: type[Model], above: tuple[type[Model], ...] = ()) -> Write:
    """What writes an object of the class ``model``: one of that class, or a mapping with its wire keys."""
    above = (*above, model)
    kinds = {
        key: _LEFT_OUT_LATER.get((model.__name__, key)) or _plain_and_writer(kind, key, above)
        for key, kind in model.FIELDS.values()
    }
    kinds_get = kinds.get
    rows = [(key, *kinds[key]) for key, _ in model.FIELDS.values()]
    # At least two attributes, since of one attrgetter would not give a tuple.
    read: Callable[[Any], tuple[Any, ...]] = attrgetter("additional_properties", *model.FIELDS)

    def write(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            if is_a(value, model):
                return write_model(value)
            value = mapping_of(value, f"an object ({model.__name__})")
        data = {}
        for key, item in value.copy().items():  # which somebody may change meanwhile
            plain, write_value = kinds_get(key, _FREE)
            if type(item) is not plain:
                if key not in kinds:
                    _has_unknown.set(True)
                elif item is None or (type(item) is str and not item.strip()):
                    continue
                try:
                    item = write_value(item)
                except Misfit as misfit:
                    raise misfit.within(name_of(key)) from None
            data[key if type(key) is str else name_of(key)] = item
        return data

    def write_model(value: Any) -> dict[str, Any]:
        try:
            more, *values = read(value)
        except UNREADABLE as error:
            raise unreadable(error) from None
        data = write(mapping_of(more)) if more else {}
        for (key, plain, write_value), item in zip(rows, values):  # noqa: B905  (asking takes as long)
            if item is None:
                continue
            if type(item) is not plain:
                if type(item) is str and not item.strip():
                    continue
                try:
                    item = write_value(item)
                except Misfit as misfit:
                    raise misfit.within(key) from None
            data[key] = item
        return data

    return write


def _writer_within_itself(model: type[Model]) -> Write:
    """The same for a class that holds itself, made when it is first needed: it would never be done."""

    def write(value: Any) -> Any:
        return _writer_made_once(model)(value)  # type: ignore[arg-type]  # models have no hash, classes do

    return write


@cache
def _writer_made_once(model: type[Model]) -> Write:
    return _writer_of(model)


def _plain_and_writer(kind: Kind, key: str, above: tuple[type[Model], ...]) -> tuple[type | None, Write]:
    """The class whose values are written as they are, and what writes, or refuses, all others."""
    if kind is str:
        return str, write_id if key == "id" or key.endswith(("Id", "Ids")) else write_text
    if isinstance(kind, list):
        return None, _list_writer(*_plain_and_writer(kind[0], key, above))
    if isinstance(kind, dict):
        return None, write_texts if kind[str] is str else write_free_map
    if isinstance(kind, type) and issubclass(kind, Model):
        return None, _writer_within_itself(kind) if kind in above else _writer_of(kind, above)
    if isinstance(kind, type) and issubclass(kind, datetime.date):  # which test tools that set the date replace
        return None, write_time
    return _SIMPLE[kind]


def _list_writer(plain: type | None, write_item: Write) -> Write:
    def write(value: Any) -> list[Any]:
        if type(value) is list:
            items = value.copy()
        elif is_a(value, list | tuple):
            items = read_by(list, value)
        else:
            refuse("a list", value)
        written = []
        for index, item in enumerate(items):
            if item is None:
                continue
            if type(item) is not plain:
                try:
                    item = write_item(item)
                except Misfit as misfit:
                    raise misfit.within(index) from None
            written.append(item)
        return written

    return write


def tidy_request(body: dict[str, Any]) -> None:
    """Take blank fields, which say nothing, out of ``body``, which is the caller's no more."""
    for name, part in list(body.items()):
        if part is None:
            del body[name]
        elif name in _PARTS:
            if part.__class__ is dict and _drop_blanks(part):
                del body[name]
        elif name == "notifications":
            _tidy_details(part)
        elif name in _ASKING and part.__class__ is dict:
            for place in _PLACES:
                if place in part:
                    asked = part[place]
                    _tidy_details([asked] if asked.__class__ is dict else asked)


def _tidy_details(items: Any) -> None:
    for item in items if items.__class__ is list else ():
        if item.__class__ is not dict or _DETAILS.isdisjoint(item):
            continue
        for name in _DETAILS & item.keys():
            if item[name].__class__ is dict and _drop_blanks(item[name]):
                del item[name]


def _drop_blanks(part: dict[str, Any]) -> bool:
    """Take blank texts out of ``part``; whether nothing is left of it that was there."""
    dropped = []
    for name, value in part.items():
        kind = value.__class__
        if kind is str:
            if not value or value.isspace():
                dropped.append(name)
        elif kind is dict and _drop_blanks(value):
            dropped.append(name)
    for name in dropped:
        del part[name]
    return bool(dropped) and not part


_FREE: tuple[type | None, Write] = (None, write_free)
_SIMPLE: dict[Kind, tuple[type | None, Write]] = {
    bool: (bool, write_flag),
    int: (None, write_integer),
    float: (None, write_number),
    object: _FREE,
}
