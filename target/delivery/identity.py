"""Who a call is for: session, device id and customer ids, from cookies, options and the request."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from target.config import RequestConfig
from target.delivery import cookies
from target.delivery.edge import cluster_of_device_id
from target.errors import OptionsError
from target.values import is_session_id, parse_cluster
from target_delivery_api.types import dump

_AUTH_STATES = {
    "0": "unknown",
    "1": "authenticated",
    "2": "logged_out",
    "unknown": "unknown",
    "authenticated": "authenticated",
    "logged_out": "logged_out",
}
_CUSTOMER_ID_KEYS = {
    "id": "id",
    "integrationCode": "integrationCode",
    "integration_code": "integrationCode",
    "authenticatedState": "authenticatedState",
    "authenticated_state": "authenticatedState",
    "authState": "authenticatedState",
}
_MAX_ID_LENGTH = 128


class Identity(NamedTuple):
    """What the cookies and options of one call say about its visitor."""

    session_id: str | None
    device_id: str | None
    location_hint: str | None


def parse_identity(options: RequestConfig, now_s: float, logger: logging.Logger) -> Identity:
    """Read the visitor's cookies. What breaks the API's rules is left out with a warning, never sent, never raised."""
    entries = cookies.parse_target_cookie(options.target_cookie, now_s)
    session_id = entries.get(cookies.SESSION) or None
    if session_id and not is_session_id(session_id):
        logger.warning("The session id in the mbox cookie breaks the API's rules and is replaced")
        session_id = None
    device_id = entries.get(cookies.DEVICE_ID) or None
    if device_id and not (len(device_id) <= _MAX_ID_LENGTH and device_id.isascii() and device_id.isprintable()):
        logger.warning("The device id in the mbox cookie breaks the API's rules and is ignored")
        device_id = None
    location_hint = parse_cluster(options.target_location_hint)
    if options.target_location_hint and location_hint is None:
        logger.warning("The target_location_hint of a call is not an edge cluster of 1 to 4 digits and is ignored")
    return Identity(session_id or options.session_id, device_id, location_hint)


def named_cluster(identity: Identity, sent_device_id: str | None, logger: logging.Logger) -> str | None:
    """The cluster this call names: by its device id, the cookie's first, else by its location hint."""
    device_id = identity.device_id or sent_device_id
    cluster = cluster_of_device_id(device_id)
    if cluster is None and device_id and "." in device_id:
        logger.warning("The device id of a call names no edge cluster of 1 to 4 digits; its suffix is ignored")
    return cluster or identity.location_hint


def parse_customer_ids(given: Any) -> list[dict[str, Any]]:
    """``customer_ids`` in wire form. Takes CustomerId objects, dicts, or ``{integration code: {"id", "authState"}}``.

    Raises:
        OptionsError: An entry lacks its id or code, or names an unknown key or state.
    """
    if given is None:
        return []
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
        if key not in _CUSTOMER_ID_KEYS:
            known = ", ".join(_CUSTOMER_ID_KEYS)
            raise OptionsError(f"customer_ids[{where!r}] has the unknown key {key!r}: known are {known}")
        entry[_CUSTOMER_ID_KEYS[key]] = item
    for key in ("id", "integrationCode"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise OptionsError(f"customer_ids[{where!r}] needs {key!r} as a string")
    state = entry.get("authenticatedState")
    state = "0" if state is None else state
    if isinstance(state, bool) or str(state) not in _AUTH_STATES:
        raise OptionsError(
            f"customer_ids[{where!r}] has an unknown authState: use 0 (unknown), 1 (authenticated) or 2 (logged_out)"
        )
    entry["authenticatedState"] = _AUTH_STATES[str(state)]
    return entry
