"""Calls as hooks are told of them, made without a client."""

from __future__ import annotations

from typing import Any

from target import Attempt, CallInfo, CallOutcome, ClientStatus, PartDecision

URL = "https://acme.tt.omtrdc.net/rest/v1/delivery"
ASKED: dict[str, Any] = {
    "client": "acme",
    "method": "get_offers",
    "kind": "execute",
    "mboxes": ("home", "cart"),
    "views": (),
    "property_token": None,
    "host": "acme.tt.omtrdc.net",
    "decisioning_method": "server-side",
    "url": URL,
}
IN_PROCESS: dict[str, Any] = {"host": None, "url": None, "decisioning_method": "on-device"}
SPLIT = PartDecision("mbox", "home", "execute", "split", "125873", "Summer", "1", "Experience B")


def call(**changes: Any) -> CallInfo:
    return CallInfo(**ASKED | changes)


def outcome(**changes: Any) -> CallOutcome:
    """Of an answer at the first attempt, unless ``changes`` say otherwise."""
    answered: dict[str, Any] = {
        "milliseconds": 38.0,
        "status": 200,
        "host": "acme.tt.omtrdc.net",
        "attempts": (Attempt("acme.tt.omtrdc.net", 0.5, 37.0, 200, 812),),
        "request_bytes": 214,
        "response_bytes": 812,
    }
    return CallOutcome(**answered | changes)


def status(**changes: Any) -> ClientStatus:
    quiet = {"method": "server-side", "ready": True, "artifact": None, "breaker": {}, "outbox": None}
    counts = dict.fromkeys(("pending", "sent", "failed", "dropped"), 0)
    return ClientStatus(quiet | {"background": counts, "callbacks": 0, "connections": None} | changes)
