"""A notification as it is queued: packed from a call, checked when it is read back, and made a call again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from target.config import Runtime
from target.delivery.notifications import fault_of
from target.delivery.request import Call, add_to_call
from target.errors import OptionsError
from target.protocols import Entry, Moment
from target.reading import parse_json, weighs_more
from target.values import is_session_id, parse_cluster

#: Above this, in characters, one entry is neither queued nor read back.
MOST_CHARACTERS = 4 * 1024 * 1024
_MOST_VALUES = 100_000  # the same for JSON values, an object counted as four: parsed, they take 10 MB
_MOST_COUNT = 1000  # far above any count that is kept, and far from what arithmetic with it could do harm
_NOT_KEPT = ("requestId", "impressionId", "notifications", "telemetry", "execute", "prefetch")

_write_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_write_sorted = json.JSONEncoder(separators=(",", ":"), allow_nan=False, sort_keys=True).encode


def pack(call: Call, runtime: Runtime, now: Moment) -> list[Entry]:
    """The notifications of ``call``, ready to be stored. Raises OptionsError for what needs an answer, or for none."""
    body = json.loads(call.content)  # as it would have been sent: a copy, with nothing in it but JSON
    if "execute" in body or "prefetch" in body:
        raise OptionsError("Only notifications can be queued: ask for offers with get_offers")
    notifications = body.get("notifications")
    if not notifications:
        raise OptionsError("Notifications list is required in request, with at least one that has id, type, timestamp")
    telemetry = (body.get("telemetry") or {}).get("entries")
    for name in _NOT_KEPT:
        body.pop(name, None)
    if body["context"].get("timeOffsetInMinutes") == runtime.utc_offset_minutes():
        # What the call was given because its caller named none changes with daylight saving, and is given again.
        body["context"] = {key: value for key, value in body["context"].items() if key != "timeOffsetInMinutes"}
    envelope = _write_sorted({"body": body})
    entries = [
        Entry(
            seq=0,
            session_id=call.session_id,
            cluster=call.cluster,
            envelope=envelope,
            notification=_write_json(notification),
            telemetry=_write_json(telemetry) if telemetry and position == 0 else None,
            queued_at=int(now.wall_s * 1000),
            since=now,
        )
        for position, notification in enumerate(notifications)
    ]
    if any(_is_too_much(entry) for entry in entries):
        raise OptionsError(
            f"A notification and its request may have {MOST_CHARACTERS} characters and {_MOST_VALUES} values as JSON "
            "(an object counts as four): put less in it"
        )
    return entries


def read_entry(values: Sequence[Any], now: Moment) -> Entry | None:
    """The entry in ``values``, which are of unknown origin, types included; None where it could not be sent.

    Args:
        values: As the fields of Entry, with ``since`` as two; what is wrong with those that do not matter is mended.
        now: For an entry that does not say how old it is.
    """
    seq, session_id, cluster, envelope, notification, telemetry, queued_at, wall_s, steady_s, misses = values
    if not (is_session_id(session_id) and isinstance(envelope, str) and isinstance(notification, str)):
        return None
    try:
        body = _object(_object(_read_json(envelope)).get("body"))
        _object(body.get("context", {}))
        _object(body.get("id", {}))
        unsound = fault_of(_read_json(notification))
    except (ValueError, RecursionError):
        return None
    if unsound or any(name in body for name in _NOT_KEPT):
        return None
    return Entry(
        seq=seq,
        session_id=session_id,
        cluster=parse_cluster(cluster),
        envelope=envelope,
        notification=notification,
        telemetry=telemetry if _telemetry_of(telemetry) else None,
        queued_at=read_count(queued_at, None),
        since=Moment(read_seconds(wall_s, now.wall_s), read_seconds(steady_s, now.steady_s)),
        misses=read_count(misses),
    )


def read_count(value: object, most: int | None = _MOST_COUNT) -> int:
    """``value`` where it is a whole number from 0 up to ``most``, else the nearest that is, or 0."""
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return max(0, value) if most is None else min(max(0, value), most)


def read_seconds(value: object, otherwise: float) -> float:
    """``value`` where it is a finite number, else ``otherwise``."""
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else otherwise
    except OverflowError:  # a whole number that no float can hold
        return otherwise


def read_notification(text: object) -> dict[str, Any]:
    """The notification in ``text``, which is of unknown origin; an empty dict where none is."""
    try:
        return _object(_read_json(text)) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}


def build_call(
    batch: Sequence[Entry], telemetry: bool, runtime: Runtime, base_url_of: Callable[[str | None], str]
) -> Call:
    """The call that sends ``batch``: its envelope with a request id of its own, and the notifications as queued.

    Args:
        batch: Of one session, one cluster and one envelope.
        telemetry: Whether what came with it goes with it.
        runtime: Time and ids.
        base_url_of: Scheme and host for an edge cluster, or for none: nothing that was stored gets into either.

    Raises:
        ValueError, RecursionError: What was stored cannot be written as JSON.
    """
    cluster = parse_cluster(batch[0].cluster)
    body: dict[str, Any] = json.loads(batch[0].envelope)["body"]
    trace_id = runtime.new_id()
    body["requestId"], body["impressionId"] = trace_id, runtime.new_id()
    body.setdefault("context", {}).setdefault("timeOffsetInMinutes", runtime.utc_offset_minutes())
    body["notifications"] = [json.loads(entry.notification) for entry in batch]
    device_id = body.get("id", {}).get("tntId")
    call = Call(
        body=body,
        base_url=base_url_of(cluster),
        session_id=batch[0].session_id,
        device_id=device_id if isinstance(device_id, str) else None,
        cluster=cluster,
        names_cluster=True,
        trace_id=trace_id,
        visitor=None,
        written=[_write_json(body).encode()],
        method="outbox",
    )
    told = [item for entry in batch if telemetry and not entry.misses for item in _telemetry_of(entry.telemetry)]
    return add_to_call(call, told) if told else call


def notification_id(entry: Entry) -> str:
    """The ``id`` of the notification in ``entry``; of one that could not be read, "" where none is found."""
    found = read_notification(entry.notification).get("id")
    return found if isinstance(found, str) else ""


def _is_too_much(entry: Entry) -> bool:
    texts = (entry.envelope, entry.notification, entry.telemetry or "")
    return sum(map(len, texts)) > MOST_CHARACTERS or any(weighs_more(text.encode(), _MOST_VALUES) for text in texts)


def _telemetry_of(text: object) -> list[Any]:
    if not isinstance(text, str):
        return []
    try:
        found = _read_json(text)
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) and all(isinstance(item, dict) for item in found) else []


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _read_json(text: str) -> Any:
    return parse_json(text.encode(), _MOST_VALUES)
