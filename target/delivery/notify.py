"""Tells Target what became of an earlier answer: the request, and the options that make it one of the same visitor."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from target.config import REQUEST_OPTION_NAMES, Runtime
from target.delivery.identity import DEVICE_ID, SESSION, build_target_cookie, parse_target_cookie
from target.delivery.wire_form import write_request
from target.errors import OptionsError
from target.foreign import attribute_of, exact_dict, is_a, is_text, items_of, kind_of
from target.response import TargetDeliveryResponse
from target.shown import CLICK, DISPLAY, Shown, build_notifications, parse_names, parse_shown
from target.values import parse_text, reject_unknown
from target_delivery_api.models import DeliveryRequest, Notification

_OPTIONS = ("displayed", "clicked", "page_load", "views", "order", "timestamp")
_KNOWN = dict.fromkeys((*_OPTIONS, *REQUEST_OPTION_NAMES))
# What says who the visitor is, and where; the rest of a request is what it asked.
_KEPT = ("id", "property", "environmentId", "context", "experienceCloud", "preview", "qaMode")
_VISITOR = {"visitor", "visitor_cookie"}
_MOST_NOTIFICATIONS = 1000


def build_notify_options(
    result: TargetDeliveryResponse, options: Mapping[str, Any], runtime: Runtime
) -> dict[str, Any]:
    """Options of ``send_notifications`` that tell what ``options`` of ``notify`` say; its ``request`` is in wire form.

    There is no notification in it where there is nothing to tell.

    Raises:
        OptionsError: ``result`` is no result, or an option is wrong or names what the answer does not hold.
    """
    if not is_a(result, TargetDeliveryResponse):
        raise OptionsError(f"What get_offers returned is needed first: a TargetDeliveryResponse, not {kind_of(result)}")
    reject_unknown(options, _KNOWN)
    given = {name: value for name, value in options.items() if value is not None}
    said = {name: given.pop(name, None) for name in _OPTIONS}
    told = _notifications(result, said, runtime)
    own = given.pop("request", None)
    request = {name: result._sent[name] for name in _KEPT if name in result._sent}
    cookie, is_same = _target_cookie(result, given, runtime.now_s())
    if is_same:
        hint = result.target_location_hint_cookie
        given = {"target_location_hint": None if hint is None else hint.value} | given
    # Of another visitor than the caller means nothing is told; of the same, nothing that the caller says anew.
    request["id"] = _ids(request.get("id") or {}, given) if is_same else {}
    request["experienceCloud"] = _experience_cloud(request.get("experienceCloud") or {}, given) if is_same else {}
    if own is not None:
        if not is_a(own, Mapping | DeliveryRequest):
            raise OptionsError(f"Option 'request' must be a DeliveryRequest or a dict, not {kind_of(own)}")
        request |= write_request(own)  # field by field, what it says wins
    if told:
        request["notifications"] = [*request.get("notifications", ()), *told]
    return {**given, "target_cookie": cookie, "request": request}


def _ids(kept: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    ids = {name: value for name, value in kept.items() if name != "tntId"}  # which the cookie has, or a newer one
    if _VISITOR & given.keys():
        ids.pop("marketingCloudVisitorId", None)
    if "customer_ids" in given:
        ids.pop("customerIds", None)
    elif "customerIds" in ids and "visitor" in given:
        of_visitor = attribute_of(given["visitor"], "customer_ids")  # an AmcvVisitor's, or an error follows
        codes = [entry["integrationCode"] for entry in of_visitor] if isinstance(of_visitor, list) else ()
        ids["customerIds"] = [entry for entry in ids["customerIds"] if entry.get("integrationCode") not in codes]
    return ids


def _experience_cloud(kept: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    known = dict(kept)
    if _VISITOR & given.keys():
        known.pop("audienceManager", None)
    if "consumer_id" in given and "analytics" in known:  # which asks for a hit of its own
        known["analytics"] = {name: value for name, value in known["analytics"].items() if name != "supplementalDataId"}
    return known


def _notifications(result: TargetDeliveryResponse, said: Mapping[str, Any], runtime: Runtime) -> list[Any]:
    """What is told: made of the answer for each name, and as it is given. The order is told once: with the first click,
    or where there is none, with the first display."""
    displayed, displays = _names_and_others("displayed", said["displayed"])
    clicked, clicks = _names_and_others("clicked", said["clicked"])
    shown = parse_shown(displayed, said["page_load"], said["views"], said["timestamp"])
    used = Shown(clicked, timestamp=shown.timestamp)
    displays = build_notifications(result.response, DISPLAY, shown, runtime) + displays
    clicks = build_notifications(result.response, CLICK, used, runtime) + clicks
    order = said["order"]
    if order is None:
        return displays + clicks
    of_override = {decision.name for decision in result.meta.decisions if decision.reason == "override"}
    if not displays and not clicks:  # what was bought counts, even where Target wants to hear of nothing else
        used = used._replace(mboxes=[name for name in clicked if name not in of_override])
        shown = shown._replace(mboxes=[name for name in displayed if name not in of_override])
        clicks = build_notifications(result.response, CLICK, used._replace(without_token=True), runtime)[:1]
        if not clicks:
            displays = build_notifications(result.response, DISPLAY, shown._replace(without_token=True), runtime)[:1]
    if not displays and not clicks:
        if of_override.intersection((*displayed, *clicked)):
            return []  # Target is to hear nothing of what it did not decide
        raise OptionsError("An order belongs to what was shown or clicked: name an mbox in displayed or clicked")
    (clicks or displays)[0] = _with_order((clicks or displays)[0], order)
    return displays + clicks


def _names_and_others(name: str, value: object) -> tuple[list[str], list[Any]]:
    """Names of mboxes, and notifications that are there already."""
    if value is not None and not is_text(value) and not is_a(value, list | tuple | set | frozenset):
        raise OptionsError(f"{name} must be a list of names of mboxes, not {kind_of(value)}")
    items = [value] if is_text(value) else items_of(value or (), _MOST_NOTIFICATIONS, name)
    is_made = [is_a(item, Notification | Mapping) for item in items]
    names = [item for item, made in zip(items, is_made, strict=True) if not made]
    return parse_names(name, names), [item for item, made in zip(items, is_made, strict=True) if made]


def _with_order(notification: Any, order: object) -> Any:
    if not is_a(notification, Notification):
        return {**exact_dict(notification, "A notification"), "order": order}
    changed = copy.copy(notification)  # which may be the caller's
    changed.order = order
    return changed


def _target_cookie(result: TargetDeliveryResponse, given: Mapping[str, Any], now_s: float) -> tuple[str | None, bool]:
    """The cookie to send, and whether it is of the visitor of ``result``: session and device id of that call, however
    long ago it was, unless the caller's own cookie knows newer ones."""
    known = parse_target_cookie(result.target_cookie.value, 0.0)
    own = parse_text("target_cookie", given["target_cookie"]) if "target_cookie" in given else None
    said = parse_target_cookie(own, now_s)
    if said and not any(name in known and said.get(name) == known[name] for name in (SESSION, DEVICE_ID)):
        return own, False
    ids = {**known, **said}
    if "session_id" in given and SESSION not in said:
        ids.pop(SESSION, None)
    return build_target_cookie(ids.get(SESSION), ids.get(DEVICE_ID), now_s).value or None, True
