"""Whether a failed attempt is made again, and when: a decision, taken from facts alone."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 1.0
LONGEST_PAUSE_S = 3600.0
_MOST_DOUBLINGS = 10  # past the longest delay, and far from what a float cannot hold
_HOST_STATUSES = frozenset({502, 503, 504})
_STATUSES = frozenset({429, *_HOST_STATUSES})


class Stage(Enum):
    """How far a failed attempt got."""

    CONNECTING = "no connection was made"
    UNANSWERED = "the connection died before the first byte of an answer"
    ANSWERED = "an answer began"


class Failure(NamedTuple):
    """A failed attempt: its stage, the HTTP status where there was one, and the seconds its Retry-After asked for."""

    stage: Stage
    status: int | None = None
    retry_after_s: float | None = None


def retry_delay_s(failure: Failure, attempts: int, retries: int, remaining_s: float, jitter: float) -> float | None:
    """Seconds to wait before the next attempt, or None when there is none to be.

    Repeating is safe because request and notifications carry impression ids, which the API counts once.

    Args:
        failure: What went wrong.
        attempts: How many attempts were made, this one included.
        retries: How many may follow the first.
        remaining_s: What is left of the call's deadline.
        jitter: A random number from 0 to 1, so that clients that failed together do not come back together.
    """
    if attempts > retries or not _is_retriable(failure):
        return None
    delay_s = min(FIRST_DELAY_S * 2 ** min(attempts - 1, _MOST_DOUBLINGS), LONGEST_DELAY_S) * (0.5 + jitter / 2)
    if failure.retry_after_s is not None:
        delay_s = max(delay_s, failure.retry_after_s)
    return delay_s if delay_s < remaining_s else None


def pause_s(status: int, retry_after_s: float | None) -> float | None:
    """Seconds for which a host that answered with ``status`` asked to be left alone; None where it did not.

    It did not take the call then, which may be sent again. An hour is the longest pause that is kept to: a mistake in
    a header must not silence a process until it ends.

    Args:
        status: The HTTP status.
        retry_after_s: The seconds of its Retry-After.
    """
    if status not in _STATUSES or not retry_after_s or retry_after_s < 0:
        return None
    return min(retry_after_s, LONGEST_PAUSE_S)


def is_of_host(failure: Failure) -> bool:
    """Whether another host may well do better."""
    return failure.status in _HOST_STATUSES or (failure.status is None and failure.stage is not Stage.ANSWERED)


def _is_retriable(failure: Failure) -> bool:
    if failure.status is not None:
        return failure.status in _STATUSES
    return failure.stage is not Stage.ANSWERED
