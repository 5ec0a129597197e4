"""Notifications that are sent later: how they are batched, and settled by what came of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from target.delivery.entries import notification_id
from target.delivery.retry import LONGEST_PAUSE_S
from target.protocols import MOST_PER_BATCH, Death, DeathReason, Entry, LaneState, Moment, Settlement

MOST_RESENDS = 3
FIRST_DELAY_S = 0.25
_FIRST_MISS = 3  # an answer that lists nothing came from a service at work: give it seconds, not moments
LONGEST_DELAY_S = 60.0
_MOST_DOUBLINGS = 16  # past the longest delay, and far from what a float cannot hold
_VOIDED = frozenset({400, 413})  # one bad notification voids its whole request


class Outcome(NamedTuple):
    """What came of a call.

    Attributes:
        status: Its HTTP status; None when no usable answer came.
        listed: The ids that the answer listed.
        message: What was wrong, in the API's own words where it said anything; without ids.
        retry_after_s: For how many seconds the host asked to be left alone.
        interrupted: Whether the client's own end cut the call off, which says nothing about the service.
        unsendable: Whether the batch holds what cannot be sent at all.
    """

    status: int | None
    listed: frozenset[str] = frozenset()
    message: str | None = None
    retry_after_s: float | None = None
    interrupted: bool = False
    unsendable: bool = False


def cut_batch(entries: Sequence[Entry], state: LaneState) -> tuple[Entry, ...]:
    """The first of ``entries`` that make one call: one envelope, no id twice, half of the suspects where there are any.

    Halving the suspects until one is left is what finds the entry that voids its request.
    """
    most = max(1, state.suspects // 2) if state.suspects else MOST_PER_BATCH
    batch: list[Entry] = []
    ids: set[str] = set()
    for entry in entries[:most]:
        entry_id = notification_id(entry)
        if (entry.envelope, entry.cluster) != (entries[0].envelope, entries[0].cluster) or entry_id in ids:
            break
        ids.add(entry_id)
        batch.append(entry)
    return tuple(batch)


def carries_telemetry(batch: Sequence[Entry], state: LaneState) -> bool:
    """Whether the telemetry that came with ``batch`` is sent with it: at the first attempt only, since nothing makes
    a repeat of it harmless."""
    return not state.failures and not state.suspects and any(entry.telemetry and not entry.misses for entry in batch)


def backoff_s(failures: int, jitter: float) -> float:
    """Seconds to wait after so many failures in a row: exponential, bounded, and anywhere from 0 up to that.

    Args:
        failures: From 1 up.
        jitter: A random number from 0 to 1, so that what failed together does not come back together.
    """
    return float(min(FIRST_DELAY_S * 2 ** min(failures - 1, _MOST_DOUBLINGS), LONGEST_DELAY_S) * jitter)


def asked_pause_s(outcome: Outcome) -> float:
    """For how many seconds the host asked to be left alone; 0 where it did not, and never absurdly long."""
    wanted_s = outcome.retry_after_s or 0.0
    return min(wanted_s, LONGEST_PAUSE_S) if wanted_s > 0 else 0.0


def expire(entries: Sequence[Entry], state: LaneState, now: Moment, max_age_s: float) -> Settlement | None:
    """The end of those of ``entries`` that are too old, whose host took nothing for as long; None when none is."""
    old = tuple(entry for entry in entries if entry.age_s(now) >= max_age_s)
    if not old:
        return None
    state = state._replace(suspects=max(0, state.suspects - len(old)))
    return Settlement(state, dead=tuple(Death(entry, "expired", state.status, state.message) for entry in old))


def is_service_failure(outcome: Outcome) -> bool:
    """Whether the host as a whole seems to be at fault, and not one visitor or one notification."""
    status = outcome.status
    if status is None:
        return not (outcome.interrupted or outcome.unsendable)
    return not 200 <= status < 300 and status not in _VOIDED and status != 420  # 420 is about one session


def settle(
    batch: Sequence[Entry], state: LaneState, outcome: Outcome, now: Moment, jitter: float, max_age_s: float
) -> Settlement:
    """What becomes of a batch that was sent.

    - An answer of success that lists an id, or 204: acknowledged. Not listed: sent again, ``MOST_RESENDS`` times.
    - 400 and 413 void the whole request: halves are tried, at once, until the bad one is alone; then it is dead.
    - Whatever else: sent again later, but for what is too old. Other 4xx say that the configuration is wrong, which
      someone may mend in time.
    """
    status, now_s = outcome.status, now.steady_s
    if outcome.interrupted:
        return Settlement(state._replace(due_s=now_s))
    if status in _VOIDED or outcome.unsendable:
        return _split(batch, state, outcome, now_s)
    if status is None or not 200 <= status < 300:
        failures = state.failures + 1
        wait_s = max(backoff_s(failures, jitter), asked_pause_s(outcome))
        said = (state.status, state.message) if status is None and state.status else (status, outcome.message)
        state = LaneState(now_s + wait_s, failures, state.suspects, *said)
        return expire(batch, state, now, max_age_s) or Settlement(state)
    acknowledged = tuple(entry for entry in batch if status == 204 or notification_id(entry) in outcome.listed)
    missed = tuple(entry for entry in batch if entry not in acknowledged)
    dead = tuple(Death(entry, "unacknowledged", status) for entry in missed if entry.misses >= MOST_RESENDS)
    again = tuple(entry for entry in missed if entry.misses < MOST_RESENDS)
    # What is sent again stands before the suspects that are left, and is no suspect.
    suspects = max(0, state.suspects - len(acknowledged) - len(dead))
    wait_s = backoff_s(max(entry.misses for entry in again) + _FIRST_MISS, jitter) if again else 0.0
    return Settlement(LaneState(now_s + wait_s, suspects=suspects), acknowledged, again, dead)


def _split(batch: Sequence[Entry], state: LaneState, outcome: Outcome, now_s: float) -> Settlement:
    told = carries_telemetry(batch, state)
    state = LaneState(now_s, 0, state.suspects, outcome.status, outcome.message)
    if len(batch) > 1 or told:
        return Settlement(state._replace(suspects=len(batch)))
    reason: DeathReason = "unreadable" if outcome.unsendable else "refused"
    death = Death(batch[0], reason, outcome.status, outcome.message)
    return Settlement(state._replace(suspects=max(0, state.suspects - 1)), dead=(death,))
