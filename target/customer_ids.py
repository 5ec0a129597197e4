"""Customer ids: a visitor's ids in the caller's own systems, read from every form that callers write them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from target.errors import OptionsError
from target.foreign import exact_dict, exact_text, is_a, is_text, items_of, kind_of, shown, text_of_id
from target_delivery_api.types import Model

#: Wire names of the states, in the order of their numbers.
AUTH_STATES = ("unknown", "authenticated", "logged_out")

_STATES: dict[int | str, str] = {
    **dict(enumerate(AUTH_STATES)),
    **{str(number): name for number, name in enumerate(AUTH_STATES)},
    **{name: name for name in AUTH_STATES},
}
_MOST = 1000  # the API takes 50
_KEYS = {
    "id": "id",
    "integrationCode": "integrationCode",
    "integration_code": "integrationCode",
    "authenticatedState": "authenticatedState",
    "authenticated_state": "authenticatedState",
    "authState": "authenticatedState",
}


def parse_customer_ids(given: Any) -> list[dict[str, Any]]:
    """``customer_ids`` in wire form. Takes CustomerId objects, dicts, or ``{integration code: {"id", "authState"}}``.

    An id may be a whole number or a UUID, as a database has them; it becomes text.

    Raises:
        OptionsError: It is something else, or an entry lacks its id or code, or names an unknown key or state.
    """
    if given is None:
        return []
    if is_a(given, Mapping):
        by_code = exact_dict(given, "customer_ids")
        if by_code.keys() & {"integrationCode", "integration_code"}:
            raise OptionsError("customer_ids must be a list: put this one id into brackets")
        return [_customer_id(code, value, {"integrationCode": code}) for code, value in by_code.items()]
    if is_a(given, str | bytes | bytearray | memoryview) or not hasattr(given, "__iter__"):
        raise OptionsError(f"Option 'customer_ids' must be a list of CustomerId or a dict, not {kind_of(given)}")
    items = items_of(given, _MOST, "customer_ids")
    return [_customer_id(index, value, {}) for index, value in enumerate(items)]


def merge_customer_ids(given: list[dict[str, Any]], own: list[Any]) -> list[Any]:
    """The call's ids ahead of the request's own; the same id and code once, with the state the request gives it."""
    merged: dict[Any, Any] = {}
    for position, entry in enumerate([*given, *own]):
        known = isinstance(entry, Mapping) and "id" in entry and "integrationCode" in entry
        merged[(str(entry["id"]), str(entry["integrationCode"])) if known else position] = entry
    return list(merged.values())


def _customer_id(where: object, value: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """One id in wire form; ``where`` is its place, ``entry`` what that place says of it already."""
    place = f"customer_ids[{shown(where)}]"
    if is_a(value, Model):
        value = value.to_dict()
    elif entry and text_of_id(value) is not None:
        value = {"id": value}
    if not is_a(value, Mapping):
        raise OptionsError(f"{place} must be a CustomerId or a dict, not {kind_of(value)}")
    for key, item in exact_dict(value, place).items():
        if not is_text(key) or key not in _KEYS:
            raise OptionsError(f"{place} has the unknown key {shown(key)}: known are {', '.join(_KEYS)}")
        entry[_KEYS[key]] = item
    entry["id"] = text_of_id(entry.get("id"))
    for key in ("id", "integrationCode"):
        if not is_text(entry.get(key)) or not entry[key]:
            raise OptionsError(f"{place} needs {key!r} as a string")
        entry[key] = exact_text(entry[key])
    state = entry.get("authenticatedState")
    state = 0 if state is None else exact_text(state) if is_text(state) else state
    if type(state) not in (int, str) or state not in _STATES:
        raise OptionsError(f"{place} has an unknown authState: use 0 (unknown), 1 (authenticated) or 2 (logged_out)")
    entry["authenticatedState"] = _STATES[state]
    return entry
