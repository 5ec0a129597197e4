"""Owns what a valid request is answered: request and offers in, response out; no clock, no chance, no state.

Event tokens and states are digests of the offers, so the same offers file gives the same text in every run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from target.emulator.offers import Offers, Placement

Wire = dict[str, Any]

_NOTHING = Placement()
_CLUSTER = re.compile(r"mboxedge(\d+)\.")
_ID_FIELDS = ("thirdPartyId", "marketingCloudVisitorId")
_CUSTOMER_ID_FIELDS = ("id", "integrationCode", "authenticatedState")


def answer(body: Wire, offers: Offers, *, session_id: str, request_id: str) -> Wire:
    """The response to `body`, a request that `validation.find_problem` found nothing wrong with.

    `request_id` is used where the request has none; a visitor without a tntId gets one made from `session_id`.
    """
    response: Wire = {
        "status": 200,
        "requestId": body.get("requestId") or request_id,
        "client": offers.client,
        "id": _visitor_id(body.get("id") or {}, offers.edge_host, session_id),
        "edgeHost": offers.edge_host,
    }
    served = offers if _has_property(body, offers) else Offers(client=offers.client)
    if body.get("execute") is not None:
        response["execute"] = _execute(body, served)
    if body.get("prefetch") is not None:
        response["prefetch"] = _prefetch(body, served)
    if body.get("notifications"):
        response["notifications"] = [{"id": notification["id"]} for notification in body["notifications"]]
    return response


def analytics_of(shown: Iterable[str]) -> Wire:
    """What an Analytics hit says of what was shown: ``ACTIVITY:EXPERIENCE`` each."""
    return {"payload": {"pe": "tnt", "tnta": ",".join(f"{each}:0|2" for each in shown)}}


def tnt_id_of_session(session_id: str) -> str:
    """The tntId of a visitor who names nobody: the same for all calls of a session."""
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def without_cluster(tnt_id: str) -> str:
    """A tntId without the suffix that names where its visitor was last routed to."""
    return tnt_id.partition(".")[0]


def known_tokens(offers: Offers) -> dict[str, frozenset[str]]:
    """Every event token these offers give out, by the notification type that may carry it."""
    display: set[str] = set()
    click: set[str] = set()
    for kind, name, placement in _all_placements(offers):
        display.update(_event_tokens(kind, name, "option", placement.options))
        tokens = _event_tokens(kind, name, "metric", placement.metrics)
        for metric, token in zip(placement.metrics, tokens, strict=True):
            (click if metric["type"] == "click" else display).add(token)
    return {"display": frozenset(display), "click": frozenset(click)}


def _execute(body: Wire, offers: Offers) -> Wire:
    execute = body["execute"]
    answered: Wire = {}
    if execute.get("pageLoad") is not None:
        answered["pageLoad"] = _executed(body, "pageLoad", "", offers.page_load or _NOTHING)
    if execute.get("mboxes") is not None:
        answered["mboxes"] = [
            _named(entry) | _executed(body, "mbox", entry["name"], offers.mboxes.get(entry["name"], _NOTHING))
            for entry in numbered(execute["mboxes"])
        ]
    return answered


def _prefetch(body: Wire, offers: Offers) -> Wire:
    prefetch = body["prefetch"]
    answered: Wire = {}
    if prefetch.get("pageLoad") is not None:
        answered["pageLoad"] = _prefetched(body, "pageLoad", "", offers.page_load or _NOTHING)
    if prefetch.get("views") is not None:
        answered["views"] = [
            _view_names(name, view) | _prefetched(body, "view", name, view)
            for name, view in offers.views.items()
            if any(_asks_for(asked, name, view) for asked in prefetch["views"])
        ]
    if prefetch.get("mboxes") is not None:
        answered["mboxes"] = [
            _named(entry) | _prefetched(body, "mbox", entry["name"], offers.mboxes.get(entry["name"], _NOTHING))
            for entry in numbered(prefetch["mboxes"])
        ]
    return answered


def _executed(body: Wire, kind: str, name: str, placement: Placement) -> Wire:
    # The impression is counted at once, so an option needs no token, and default content is nothing to answer.
    options = [option for option in placement.options if "type" in option]
    return _placed(body, kind, name, placement, options)


def _prefetched(body: Wire, kind: str, name: str, placement: Placement) -> Wire:
    tokens = _event_tokens(kind, name, "option", placement.options)
    options = [option | {"eventToken": token} for option, token in zip(placement.options, tokens, strict=True)]
    state = {"state": digest(kind, name, "state", placement.options)}
    return _placed(body, kind, name, placement, options) | state


def _placed(body: Wire, kind: str, name: str, placement: Placement, options: list[Wire]) -> Wire:
    placed: Wire = {}
    if options:
        placed["options"] = options
    if placement.metrics:
        tokens = _event_tokens(kind, name, "metric", placement.metrics)
        placed["metrics"] = [
            metric | {"eventToken": token} for metric, token in zip(placement.metrics, tokens, strict=True)
        ]
    if options and wants_analytics(body):
        placed["analytics"] = analytics_of(_activity_and_experience(kind, name, option) for option in options)
    if body.get("trace") is not None:
        placed["trace"] = {"emulator": {"kind": kind, "name": name, "options": len(options)}}
    return placed


def _visitor_id(given: Wire, edge_host: str, session_id: str) -> Wire:
    tnt_id = given.get("tntId") or tnt_id_of_session(session_id)
    cluster = _CLUSTER.match(edge_host)
    if cluster is None:  # a cluster that came with it would lead the next call away from here
        tnt_id = without_cluster(tnt_id)
    elif "." not in tnt_id:
        tnt_id = f"{tnt_id}.{cluster[1]}_0"
    visitor: Wire = {"tntId": tnt_id}
    visitor |= {key: given[key] for key in _ID_FIELDS if given.get(key) is not None}
    if given.get("customerIds"):
        visitor["customerIds"] = [{key: one[key] for key in _CUSTOMER_ID_FIELDS} for one in given["customerIds"]]
    return visitor


def _has_property(body: Wire, offers: Offers) -> bool:
    return offers.properties is None or (body.get("property") or {}).get("token") in offers.properties


def wants_analytics(body: Wire) -> bool:
    """Whether the caller sends Analytics hits itself, and so asks for what belongs into them."""
    analytics = (body.get("experienceCloud") or {}).get("analytics") or {}
    return bool(analytics.get("logging") == "client_side")


def _activity_and_experience(kind: str, name: str, option: Wire) -> str:
    tokens = option.get("responseTokens", {})
    made_up = int(hashlib.sha256(f"{kind} {name}".encode()).hexdigest()[:5], 16)
    return f"{tokens.get('activity.id', made_up)}:{tokens.get('experience.id', 0)}"


def numbered(mboxes: list[Wire]) -> list[Wire]:
    """The mboxes of a request with an index each: the position where they have none. So answers can be told apart."""
    return [
        {**mbox, "index": position if mbox.get("index") is None else mbox["index"]}
        for position, mbox in enumerate(mboxes)
    ]


def _named(mbox: Wire) -> Wire:
    return {"index": mbox["index"], "name": mbox["name"]}


def _view_names(name: str, view: Placement) -> Wire:
    return {"name": name} if view.key is None else {"name": name, "key": view.key}


def _asks_for(asked: Wire, name: str, view: Placement) -> bool:
    # A view request that names nothing asks for all views.
    return asked.get("name") in (None, name) and asked.get("key") in (None, view.key)


def _all_placements(offers: Offers) -> Iterator[tuple[str, str, Placement]]:
    if offers.page_load is not None:
        yield "pageLoad", "", offers.page_load
    for kind, placements in (("mbox", offers.mboxes), ("view", offers.views)):
        for name, placement in placements.items():
            yield kind, name, placement


def _event_tokens(kind: str, name: str, what: str, entries: tuple[Wire, ...]) -> list[str]:
    return [digest(kind, name, f"{what} {position}", entry) for position, entry in enumerate(entries)]


def digest(kind: str, name: str, what: str, content: Any) -> str:
    """A text as the API makes event tokens and states of, the same for the same content."""
    # Sixty-four bytes in base64: the length of the API's own tokens.
    text = json.dumps([kind, name, what, content], sort_keys=True)
    return base64.b64encode(hashlib.sha512(text.encode()).digest()).decode()
