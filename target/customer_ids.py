"""Customer ids: a visitor's ids in the caller's own systems, read from every form that callers write them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from target.errors import OptionsError
from target_delivery_api.types import dump

#: Wire names of the states, in the order of their numbers.
AUTH_STATES = ("unknown", "authenticated", "logged_out")

_STATES = {**{str(number): name for number, name in enumerate(AUTH_STATES)}, **{name: name for name in AUTH_STATES}}
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

    Raises:
        OptionsError: It is something else, or an entry lacks its id or code, or names an unknown key or state.
    """
    if given is None:
        return []
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        raise OptionsError(f"customer_ids must be a list of CustomerId or a dict, not {type(given).__name__}")
    if not isinstance(given, Mapping):
        return [_customer_id(index, value) for index, value in enumerate(dump(list(given)))]
    if given.keys() & {"integrationCode", "integration_code"}:
        raise OptionsError("customer_ids must be a list: put this one id into brackets")
    return [_customer_id(code, _with_code(value, code)) for code, value in dump(given).items()]


def merge_customer_ids(given: list[dict[str, Any]], own: list[Any]) -> list[Any]:
    """The call's ids ahead of the request's own; the same id and code once, with the state the request gives it."""
    merged: dict[Any, Any] = {}
    for position, entry in enumerate([*given, *own]):
        known = isinstance(entry, Mapping) and "id" in entry and "integrationCode" in entry
        merged[(str(entry["id"]), str(entry["integrationCode"])) if known else position] = entry
    return list(merged.values())


def _with_code(value: Any, code: object) -> Any:
    if isinstance(value, str):
        return {"integrationCode": code, "id": value}
    return {"integrationCode": code, **value} if isinstance(value, dict) else value


def _customer_id(where: object, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionsError(f"customer_ids[{where!r}] must be a CustomerId or a dict, not {type(value).__name__}")
    entry: dict[str, Any] = {}
    for key, item in value.items():
        if key not in _KEYS:
            raise OptionsError(f"customer_ids[{where!r}] has the unknown key {key!r}: known are {', '.join(_KEYS)}")
        entry[_KEYS[key]] = item
    for key in ("id", "integrationCode"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise OptionsError(f"customer_ids[{where!r}] needs {key!r} as a string")
    state = entry.get("authenticatedState")
    state = "0" if state is None else state
    if str(state) not in _STATES:
        raise OptionsError(
            f"customer_ids[{where!r}] has an unknown authState: use 0 (unknown), 1 (authenticated) or 2 (logged_out)"
        )
    entry["authenticatedState"] = _STATES[str(state)]
    return entry
