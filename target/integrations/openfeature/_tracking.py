"""Tracking events: what is told of one, as calls of a client, whichever makes them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple

from openfeature.track import TrackingEventDetails

from target import Notification, TargetDeliveryResponse, TargetError
from target.integrations.openfeature._contexts import Asking, written
from target.integrations.openfeature._flag_keys import shown
from target.integrations.openfeature._settings import logger

#: Fields of an event that say what it is; all others are parameters of the notification.
FIELDS = ("mbox", "type", "order_id", "purchased_product_ids")


class Say(NamedTuple):
    """A call of a client: the method, the result that it begins with if it does, and its options."""

    method: str
    arguments: tuple[TargetDeliveryResponse, ...]
    options: Mapping[str, Any]


#: Calls to make one after the other; each gets what it returned, or raised.
Saying = Generator[Say, Any, None]


class Event(NamedTuple):
    """What happened.

    Attributes:
        key: The mbox or flag key that it is of.
        type: ``"click"`` or ``"display"``; None for what Target wants to hear of.
        more: Fields of the notification: order, parameters.
        at_ms: When, in milliseconds since 1970.
    """

    key: str
    type: str | None
    more: dict[str, Any]
    at_ms: int


def read_event(name: str, details: TrackingEventDetails | None) -> Event:
    """What was tracked. Raises ValueError and InvalidContextError."""
    fields = {} if details is None else dict(details.attributes)
    said = {field: fields.pop(field, None) for field in FIELDS}
    key = name if said["mbox"] is None else said["mbox"]
    if not isinstance(key, str) or not key.strip():
        raise ValueError("its name, or the field mbox, has to be a name of an mbox")
    if said["type"] not in (None, "click", "display"):
        raise ValueError("the field type has to be 'click' or 'display'")
    more: dict[str, Any] = {}
    total = None if details is None else details.value
    if total is not None or said["order_id"] is not None or said["purchased_product_ids"] is not None:
        order = {"id": said["order_id"] or uuid.uuid4().hex, "total": total}
        order["purchasedProductIds"] = said["purchased_product_ids"]
        more["order"] = {field: value for field, value in order.items() if value is not None}
    if parameters := written(fields):
        more["parameters"] = parameters
    return Event(key, said["type"], more, int(time.time() * 1000))


def tell_event(
    event: Event,
    names: Sequence[str],
    asking: Asking,
    result: TargetDeliveryResponse | None,
    ask: Mapping[str, Any] | None,
    has_outbox: bool,
) -> Saying:
    """Tell of ``event``: by the answer that the visitor was shown, else by one that is asked for now.

    Args:
        event: What happened.
        names: The mboxes that it may be of, the longest name first.
        asking: Who the visitor is.
        result: The answer of this transaction that shows something of one of them; None where there is none.
        ask: Options of the call that gets one; None where none is to be made.
        has_outbox: Whether the client has an outbox.
    """
    if result is None and ask is not None:
        try:
            result = yield Say("get_offers", (), ask)
        except TargetError as error:  # what was bought counts all the same
            logger.warning("An event is told without what was shown to its visitor: %s", error)
    mbox = next((name for name in names if result is not None and result.options(name)), event.key)
    told = _notifications(event, mbox, result)
    if result is not None:
        yield Say("queue" if has_outbox else "notify", (result,), {"clicked": told})
        return
    options = {**asking.options, "request": {**asking.request, "notifications": told}}
    yield Say("queue_notifications" if has_outbox else "send_notifications", (), options)


def _notifications(event: Event, mbox: str, result: TargetDeliveryResponse | None) -> list[Any]:
    """A click, where Target wants to hear of clicks of this mbox; else that the mbox was seen, which conversions are
    counted by, too."""
    told: list[Notification] = []
    if result is not None and result.mbox(mbox) is not None:
        if event.type != "display":
            told = result.clicked(mbox, timestamp=event.at_ms)
        elif result.options(mbox):
            told = result.displayed(mbox, timestamp=event.at_ms)
    plain = [notification.to_dict() for notification in told]
    if not plain:
        made = {"id": uuid.uuid4().hex, "type": event.type or "display", "timestamp": event.at_ms}
        plain = [{**made, "mbox": {"name": mbox}}]
    plain[0] |= event.more
    return plain


def say_shown(result: TargetDeliveryResponse, mboxes: Sequence[str], has_outbox: bool) -> Saying:
    """Tell that these mboxes of an answer were shown."""
    yield Say("queue" if has_outbox else "notify", (result,), {"displayed": list(mboxes)})


def log_failure(error: Exception) -> None:
    """Log that something could not be told; the words of foreign errors may quote anything."""
    why = error if isinstance(error, TargetError) else type(error).__name__
    logger.warning("What became of a flag could not be told: %s", why)


def not_tracked(name: object, why: object) -> None:
    """Log that an event is not tracked."""
    named = shown(name) if issubclass(type(name), str) else type(name).__name__  # type: ignore[arg-type]
    logger.warning("The event %s is not tracked: %s", named, why)
