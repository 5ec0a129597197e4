"""Finds the keys of a request that the API's document does not know: a later one may, but most are misspelt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from target.notices import Notices
from target.values import nearest_of
from target_delivery_api import models
from target_delivery_api.types import Kind, Model

_MOST_SHOWN = 40


def tell_unknown_keys(body: Mapping[str, Any], notices: Notices) -> None:
    """Tell of each place in ``body``, a request in wire form, that has such a key. What is not a field's name may be a
    visitor's data, and is not shown."""
    for place, key, model in _find(models.DeliveryRequest, body, "request"):
        is_name = key.isidentifier() and len(key) <= _MOST_SHOWN
        where = f"{place}.{key if is_name else '*'}"
        if not notices.has_told(cause := ("unknown key", where)):
            shown = where if is_name else f"A key in {place}, which no field has for a name,"
            nearest = nearest_of(key, (known for known, _ in model.FIELDS.values()))
            notices.warn_once(
                cause,
                "%s is not known to the Delivery API, and is sent as it is: is %r meant?",
                shown,
                nearest,
            )


def _find(model: type[Model], data: Mapping[str, Any], place: str) -> Iterator[tuple[str, str, type[Model]]]:
    """Where an object of the class ``model`` has a key that is not known, the key, and whose fields are."""
    kinds = dict(model.FIELDS.values())
    for key, value in data.items():
        if key in kinds:
            yield from _find_in(kinds[key], value, f"{place}.{key}")
        else:
            yield place, key, model


def _find_in(kind: Kind, value: Any, place: str) -> Iterator[tuple[str, str, type[Model]]]:
    if isinstance(kind, list):
        for item in value:
            yield from _find_in(kind[0], item, f"{place}[]")
    elif isinstance(kind, type) and issubclass(kind, Model):
        yield from _find(kind, value, place)
