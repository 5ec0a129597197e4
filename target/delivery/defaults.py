"""The answer to a call that nothing decides: default content for all that it asks for, as if no activity applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from target.config import ON_DEVICE
from target.delivery.reply import assemble
from target.delivery.request import Call
from target.reasons import PartDecision, Reason
from target.response import Meta, TargetDeliveryResponse
from target_delivery_api.models import DeliveryResponse

_MODES = ("execute", "prefetch")
_GLOBAL_MBOX = "target-global-mbox"
_STATUS = 200


def answer_with_defaults(call: Call, client: str, now_s: float, reason: Reason) -> TargetDeliveryResponse:
    """What the caller of ``call`` gets, in the shape of an answer in which no activity applies.

    Every mbox asked for is in it, without options, and so is the page load; views are not, as in any answer. No
    notification is acknowledged; a call that only tells has no answer at all, as where there is nothing to tell. The
    visitor keeps the ids that it came with, and gets no new one.

    Args:
        call: What nothing decides.
        client: The client code.
        now_s: Epoch seconds.
        reason: Why nothing does.
    """
    asks = any(mode in call.body for mode in _MODES)
    response = DeliveryResponse.from_dict(_answer(call.body, client)) if asks else None
    return assemble(call, response, now_s, Meta(ON_DEVICE, [], [], partial(_decisions, call.body, reason)))


def _answer(body: Mapping[str, Any], client: str) -> dict[str, Any]:
    answer = {"status": _STATUS, "requestId": body.get("requestId"), "client": client, "id": body.get("id") or {}}
    for mode in _MODES:
        asked = body.get(mode)
        if asked is None:
            continue
        part = answer[mode] = {}
        if "pageLoad" in asked:
            part["pageLoad"] = {"options": [], "metrics": []}
        if "mboxes" in asked:
            part["mboxes"] = [{key: mbox[key] for key in ("index", "name")} for mbox in asked["mboxes"]]
        if "views" in asked:
            part["views"] = []
    return answer


def _decisions(body: Mapping[str, Any], reason: Reason) -> Iterator[PartDecision]:
    """One for each part asked for, in order. A view without a name, which asks for all of them, has none here, too."""
    for mode in _MODES:
        asked = body.get(mode) or {}
        if "pageLoad" in asked:
            yield PartDecision("pageLoad", _GLOBAL_MBOX, mode, reason)
        for mbox in asked.get("mboxes") or ():
            yield PartDecision("mbox", mbox["name"], mode, reason)
        for view in asked.get("views") or ():
            yield PartDecision("view", view.get("name") or "", mode, reason)
