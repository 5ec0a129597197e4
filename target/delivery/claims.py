"""What a store gives back is of unknown origin, types included: checked here, before it is sent or told."""

from __future__ import annotations

from typing import Any, get_args

from target.delivery.entries import read_count, read_entry, read_seconds
from target.protocols import MOST_PER_BATCH, Claim, Counts, Death, DeathReason, Entry, LaneState, Moment, StoreBroken

_MOST_STATUS = 999
_MOST_COUNT = 10**9  # more has never waited anywhere
_REASONS = get_args(DeathReason)


def check_claim(claim: Claim, now: Moment, lease_s: float) -> Claim:
    """``claim`` with what is damaged in it mended, or set aside as ``unreadable`` where it could not be sent.

    Raises:
        StoreBroken: It is no claim, or holds what is no entry of its lane.
    """
    is_claim = isinstance(claim, Claim) and isinstance(claim.token, str) and isinstance(claim.state, LaneState)
    if not is_claim or not isinstance(claim.entries, tuple | list) or len(claim.entries) > MOST_PER_BATCH:
        raise StoreBroken("it gave a claim that is none")
    entries, unreadable = [], []
    for item in claim.entries:
        if not isinstance(item, Entry) or item.session_id != claim.session_id:
            raise StoreBroken("it gave a claim with entries that are none, or another lane's")
        entry = read_entry([*item[:7], *_since(item), item.misses], now)
        if entry is None:
            unreadable.append(Death(_remains(item, now), "unreadable", None))
        else:
            entries.append(entry)
    due_s, failures, suspects, status, message = claim.state
    state = LaneState(
        read_seconds(due_s, now.steady_s),
        read_count(failures),
        read_count(suspects, MOST_PER_BATCH),
        _read_status(status),
        _read_text(message),
    )
    ends_s = read_seconds(claim.ends_s, now.steady_s + lease_s)
    return Claim(
        claim.token, state, claim.session_id, tuple(entries), bool(claim.more), ends_s, unreadable=tuple(unreadable)
    )


def check_count(count: int) -> int:
    """``count``. Raises StoreBroken where that says nothing of how many there were."""
    if type(count) is not int or read_count(count, _MOST_COUNT) != count:
        raise StoreBroken("it gave a count that is none")
    return count


def check_counts(counts: Counts) -> Counts:
    """``counts`` with 0 for what is no number. Raises StoreBroken where they are none."""
    if not isinstance(counts, Counts):
        raise StoreBroken("it gave counts that are none")
    return Counts(*(read_count(count, None) for count in counts))


def check_death(death: Death, now: Moment) -> Death:
    """``death`` with what is wrong in it mended. Raises StoreBroken where it is none."""
    if not isinstance(death, Death) or not isinstance(death.entry, Entry):
        raise StoreBroken("it gave a dead letter that is none")
    entry, reason, status, message = death
    known = reason if reason in _REASONS else "unreadable"
    return Death(_remains(entry, now), known, _read_status(status), _read_text(message))


def _since(entry: Entry) -> tuple[Any, Any]:
    since: Any = entry.since
    return (since[0], since[1]) if isinstance(since, tuple | list) and len(since) == 2 else (None, None)


def _read_status(value: object) -> int | None:
    return value if isinstance(value, int) and 0 < value <= _MOST_STATUS else None


def _read_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _remains(entry: Entry, now: Moment) -> Entry:
    """What is left of an entry that is not sent, to tell of it."""
    notification = entry.notification if isinstance(entry.notification, str) else ""
    return Entry(entry.seq, "", None, "", notification, None, read_count(entry.queued_at, None), now)
