"""Notifications that are sent later: how they are stored, batched, sent as a call, and settled by what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from target.config import Runtime
from target.delivery.request import Call, add_to_call
from target.errors import OptionsError
from target.outbox import DeathReason

MOST_PER_BATCH = 50
MOST_RESENDS = 3
FIRST_DELAY_S = 0.25
_FIRST_MISS = 3  # an answer that lists nothing came from a service at work: give it seconds, not moments
LONGEST_DELAY_S = 60.0
_MOST_DOUBLINGS = 16  # past the longest delay, and far from what a float cannot hold
_VOIDED = frozenset({400, 413})  # one bad notification voids its whole request

_write_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_write_sorted = json.JSONEncoder(separators=(",", ":"), allow_nan=False, sort_keys=True).encode


class Entry(NamedTuple):
    """One notification as it is stored.

    Attributes:
        seq: Its place in the order of queueing; given by the store.
        session_id: Its session, whose notifications are sent in order, one batch at a time.
        envelope: JSON of what its request holds besides notifications, and where it goes; equal ones may share a call.
        notification: JSON of the notification itself.
        telemetry: JSON of the telemetry entries that came with it; they are tried once.
        queued_at: When it was queued, in ms since the epoch.
        since_s: What its age counts from, in seconds since the epoch.
        misses: How many answers of success did not list it.
    """

    seq: int
    session_id: str
    envelope: str
    notification: str
    telemetry: str | None
    queued_at: int
    since_s: float
    misses: int = 0


class Lane(NamedTuple):
    """How sending stands for one session.

    Attributes:
        due_s: When its next batch may be sent, in seconds since the epoch.
        failures: How many batches in a row got no usable answer.
        suspects: How many of its first entries hold one, at least, that made the API refuse them together.
        status: The last HTTP status that meant failure.
    """

    due_s: float
    failures: int = 0
    suspects: int = 0
    status: int | None = None


class Outcome(NamedTuple):
    """What came of a call: its status (None when no usable answer came) and the ids that the answer listed.

    ``interrupted`` is a call that the client's own end cut off, which says nothing about the service.
    """

    status: int | None
    listed: frozenset[str] = frozenset()
    interrupted: bool = False


class Death(NamedTuple):
    """An entry that is given up, and why."""

    entry: Entry
    reason: DeathReason
    status: int | None


class Settlement(NamedTuple):
    """What becomes of a lane and its entries; those not named stay as they are."""

    lane: Lane
    acknowledged: tuple[Entry, ...] = ()
    missed: tuple[Entry, ...] = ()
    dead: tuple[Death, ...] = ()


def pack(call: Call, runtime: Runtime) -> list[Entry]:
    """The notifications of ``call``, ready to be stored. Raises OptionsError for what needs an answer, or for none."""
    body = json.loads(call.content)  # as it would have been sent: a copy, with nothing in it but JSON
    notifications = body.pop("notifications", None)
    telemetry = (body.pop("telemetry", None) or {}).get("entries")
    if "execute" in body or "prefetch" in body:
        raise OptionsError("Only notifications can be queued: ask for offers with get_offers")
    if not notifications:
        raise OptionsError("Notifications list is required in request, with at least one that has id, type, timestamp")
    for name in ("requestId", "impressionId"):  # of the request that is not made now
        body.pop(name, None)
    if body["context"].get("timeOffsetInMinutes") == runtime.utc_offset_minutes():
        # What the call was given because its caller named none changes with daylight saving, and is given again.
        body["context"] = {key: value for key, value in body["context"].items() if key != "timeOffsetInMinutes"}
    envelope = _write_sorted({"body": body, "cluster": call.cluster})
    now_s = runtime.now_s()
    return [
        Entry(
            seq=0,
            session_id=call.session_id,
            envelope=envelope,
            notification=_write_json(notification),
            telemetry=_write_json(telemetry) if telemetry and position == 0 else None,
            queued_at=int(now_s * 1000),
            since_s=now_s,
        )
        for position, notification in enumerate(notifications)
    ]


def cut_batch(entries: Sequence[Entry], lane: Lane) -> tuple[Entry, ...]:
    """The first of ``entries`` that make one call: one envelope, no id twice, half of the suspects where there are any.

    Halving the suspects until one is left is what finds the entry that voids its request.
    """
    most = max(1, lane.suspects // 2) if lane.suspects else MOST_PER_BATCH
    batch: list[Entry] = []
    ids: set[str] = set()
    for entry in entries[:most]:
        entry_id = notification_id(entry)
        if entry.envelope != entries[0].envelope or entry_id in ids:
            break
        ids.add(entry_id)
        batch.append(entry)
    return tuple(batch)


def carries_telemetry(batch: Sequence[Entry], lane: Lane) -> bool:
    """Whether the telemetry that came with ``batch`` is sent with it: at the first attempt only, since nothing makes
    a repeat of it harmless."""
    return not lane.failures and not lane.suspects and any(entry.telemetry and not entry.misses for entry in batch)


def build_call(batch: Sequence[Entry], lane: Lane, runtime: Runtime, base_url_of: Callable[[str | None], str]) -> Call:
    """The call that sends ``batch``: its envelope with a request id of its own, and the notifications as queued."""
    envelope = json.loads(batch[0].envelope)
    body: dict[str, Any] = envelope["body"]
    trace_id = runtime.new_id()
    body["requestId"], body["impressionId"] = trace_id, runtime.new_id()
    body.setdefault("context", {}).setdefault("timeOffsetInMinutes", runtime.utc_offset_minutes())
    body["notifications"] = [json.loads(entry.notification) for entry in batch]
    told: list[dict[str, Any]] = []
    if carries_telemetry(batch, lane):
        told = [item for entry in batch if entry.telemetry and not entry.misses for item in json.loads(entry.telemetry)]
    device_id = body.get("id", {}).get("tntId")
    call = Call(
        body=body,
        content=_write_json(body).encode(),
        base_url=base_url_of(envelope["cluster"]),
        session_id=batch[0].session_id,
        device_id=device_id if isinstance(device_id, str) else None,
        cluster=envelope["cluster"],
        names_cluster=True,
        trace_id=trace_id,
        visitor=None,
    )
    return add_to_call(call, told) if told else call


def notification_id(entry: Entry) -> str:
    """The ``id`` of the notification in ``entry``."""
    return str(json.loads(entry.notification)["id"])


def backoff_s(failures: int, jitter: float) -> float:
    """Seconds to wait after so many failures in a row: exponential, bounded, and anywhere from 0 up to that.

    Args:
        failures: From 1 up.
        jitter: A random number from 0 to 1, so that what failed together does not come back together.
    """
    return float(min(FIRST_DELAY_S * 2 ** min(failures - 1, _MOST_DOUBLINGS), LONGEST_DELAY_S) * jitter)


def expire(entries: Sequence[Entry], lane: Lane, now_s: float, max_age_s: float) -> Settlement | None:
    """The end of those of ``entries`` that are too old; None when none is."""
    old = tuple(entry for entry in entries if now_s - entry.since_s >= max_age_s)
    if not old:
        return None
    lane = lane._replace(suspects=max(0, lane.suspects - len(old)))
    return Settlement(lane, dead=tuple(Death(entry, "expired", lane.status) for entry in old))


def is_service_failure(outcome: Outcome) -> bool:
    """Whether the host as a whole seems to be at fault, and not one visitor or one notification."""
    status = outcome.status
    if status is None:
        return not outcome.interrupted
    return not 200 <= status < 300 and status not in _VOIDED and status != 420  # 420 is about one session


def settle(batch: Sequence[Entry], lane: Lane, outcome: Outcome, now_s: float, jitter: float) -> Settlement:
    """What becomes of a batch that was sent.

    - An answer of success that lists an id, or 204: acknowledged. Not listed: sent again, ``MOST_RESENDS`` times.
    - 400 and 413 void the whole request: halves are tried, at once, until the bad one is alone; then it is dead.
    - Whatever else: sent again later. Other 4xx say that the configuration is wrong, which someone may mend in time.
    """
    status = outcome.status
    if outcome.interrupted:
        return Settlement(lane._replace(due_s=now_s))
    if status in _VOIDED:
        if len(batch) > 1 or carries_telemetry(batch, lane):
            return Settlement(lane._replace(due_s=now_s, failures=0, suspects=len(batch), status=status))
        lane = lane._replace(due_s=now_s, failures=0, suspects=max(0, lane.suspects - 1), status=status)
        return Settlement(lane, dead=(Death(batch[0], "refused", status),))
    if status is None or not 200 <= status < 300:
        failures = lane.failures + 1
        return Settlement(
            lane._replace(due_s=now_s + backoff_s(failures, jitter), failures=failures, status=status or lane.status)
        )
    acknowledged = tuple(entry for entry in batch if status == 204 or notification_id(entry) in outcome.listed)
    missed = tuple(entry for entry in batch if entry not in acknowledged)
    dead = tuple(Death(entry, "unacknowledged", status) for entry in missed if entry.misses >= MOST_RESENDS)
    again = tuple(entry for entry in missed if entry.misses < MOST_RESENDS)
    # What is sent again stands before the suspects that are left, and is no suspect.
    suspects = max(0, lane.suspects - len(acknowledged) - len(dead))
    wait_s = backoff_s(max(entry.misses for entry in again) + _FIRST_MISS, jitter) if again else 0.0
    return Settlement(Lane(now_s + wait_s, suspects=suspects), acknowledged, again, dead)
