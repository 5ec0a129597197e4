"""Puts a call and its answer together into the TargetDeliveryResponse that the caller gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from target.config import SERVER_SIDE
from target.delivery.identity import build_location_hint_cookie, build_target_cookie, cluster_of_edge_host
from target.delivery.request import Call
from target.response import Meta, TargetDeliveryResponse

if TYPE_CHECKING:
    from target_delivery_api.models import DeliveryResponse


def assemble(
    call: Call, response: DeliveryResponse | None, now_s: float, meta: Meta | None = None
) -> TargetDeliveryResponse:
    """The result of ``call``; ``response`` is None after a 204, ``meta`` None when the server decided."""
    parts = [] if response is None else list(_parts(response))
    answered = None if response is None else cluster_of_edge_host(response.edge_host)
    return TargetDeliveryResponse(
        sent=call.body,
        response=response,
        target_cookie=build_target_cookie(call.session_id, _device_id(call, response), now_s),
        target_location_hint_cookie=build_location_hint_cookie(call.cluster or answered),
        analytics_details=[part.analytics for part in parts if part.analytics is not None] or None,
        trace=[part.trace for part in parts if part.trace is not None] or None,
        response_tokens=[
            option.response_tokens
            for part in parts
            for option in part.options or ()
            if option.response_tokens is not None
        ]
        or None,
        meta=meta or Meta(SERVER_SIDE, [], []),
        visitor_state=None if call.visitor is None else call.visitor.state(),
    )


def _device_id(call: Call, response: DeliveryResponse | None) -> str | None:
    """The answer's tntId; where it names none, the one sent, so that a 204 does not make the visitor a new one."""
    answered = None if response is None or response.id is None else response.id.tnt_id
    return answered if isinstance(answered, str) and answered else call.device_id


def _parts(response: DeliveryResponse) -> Iterator[Any]:
    """Every part of an answer that carries options: page load and mboxes of execute, then all of prefetch."""
    execute, prefetch = response.execute, response.prefetch
    if execute is not None:
        if execute.page_load is not None:
            yield execute.page_load
        yield from execute.mboxes or ()
    if prefetch is not None:
        if prefetch.page_load is not None:
            yield prefetch.page_load
        yield from prefetch.views or ()
        yield from prefetch.mboxes or ()
