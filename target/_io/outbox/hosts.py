"""Which hosts are left alone for a while, so that one that fails does not take the time of those that work."""

from __future__ import annotations

import threading

from target.delivery.outgoing import LONGEST_DELAY_S, backoff_s

_FAILURES_BEFORE_REST = 3


class Hosts:
    """How many calls in a row each host failed, and until when it rests. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._rests_until_s: dict[str, float] = {}

    def rests_until_s(self, base_url: str, now_s: float) -> float | None:
        """When ``base_url`` may be called again, in seconds since the epoch; None when it may be now."""
        until_s = self._rests_until_s.get(base_url, now_s)
        return until_s if now_s < until_s <= now_s + LONGEST_DELAY_S else None  # later: the clock was set back

    def record(self, base_url: str, failed: bool, now_s: float, jitter: float) -> bool:
        """Take note of how a call to ``base_url`` ended: whether it is left alone from now on, and was not before."""
        with self._lock:
            if not failed:
                self._failures.pop(base_url, None)
                self._rests_until_s.pop(base_url, None)
                return False
            failures = self._failures[base_url] = self._failures.get(base_url, 0) + 1
            if failures >= _FAILURES_BEFORE_REST:
                self._rests_until_s[base_url] = now_s + backoff_s(failures - _FAILURES_BEFORE_REST + 1, jitter)
            return failures == _FAILURES_BEFORE_REST

    def wake(self) -> None:
        """Let every host be called at once; one that fails again rests again, as long as before and longer."""
        with self._lock:
            self._rests_until_s.clear()
