"""Which hosts may be called now, and how often at once: one that fails or hangs does not take the others' time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from target.delivery.outgoing import Outcome, asked_pause_s, backoff_s, is_service_failure

_FAILURES_BEFORE_REST = 3
_FIRST_WINDOW = 4
_MOST_HOSTS = 1000


class _Host:
    """One host: how many calls to it may be in flight, and are, and how it fares."""

    __slots__ = ("failing_since_s", "failures", "in_flight", "rests_until_s", "was_asked", "window")

    def __init__(self) -> None:
        self.window = _FIRST_WINDOW
        self.in_flight = 0
        self.failures = 0
        self.failing_since_s: float | None = None
        self.rests_until_s = 0.0
        self.was_asked = False  # whether the host itself asked for the rest


class Hosts:
    """What is known of each host, by the steady clock. Safe to share between threads.

    A host that answers may be called by more and more senders at once, up to ``most``; one that fails by a single one
    until it answers again, and from the third failure on after growing pauses. A host that says for how long it wants
    to be left alone is left alone, whoever is in a hurry.

    Args:
        now_s: The steady clock.
        most: How many calls to one host, at most, are in flight at once.
    """

    def __init__(self, now_s: Callable[[], float], most: int) -> None:
        self._now_s = now_s
        self._most = most
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}

    def is_open(self, base_url: str) -> bool:
        """Whether ``base_url`` may be called now."""
        host = self._hosts.get(base_url)
        return host is None or (host.in_flight < min(host.window, self._most) and host.rests_until_s <= self._now_s())

    def begin(self, base_url: str) -> bool:
        """A call begins, if it may: then ``end`` must follow."""
        with self._lock:
            if not self.is_open(base_url):
                return False
            if base_url not in self._hosts and len(self._hosts) >= _MOST_HOSTS:
                idle = (name for name, host in self._hosts.items() if not host.in_flight)
                self._hosts.pop(next(idle, ""), None)
            self._hosts.setdefault(base_url, _Host()).in_flight += 1
            return True

    def end(self, base_url: str, outcome: Outcome, jitter: float) -> bool:
        """How a call to ``base_url`` ended: whether the host is left alone from now on, and was not before."""
        with self._lock:
            host, now_s = self._hosts[base_url], self._now_s()
            host.in_flight -= 1
            if not is_service_failure(outcome):
                if not (outcome.interrupted or outcome.unsendable):
                    host.window = min(host.window + 1, self._most)
                    host.failures, host.failing_since_s = 0, None
                    host.rests_until_s, host.was_asked = 0.0, False
                return False
            host.window = 1
            host.failures += 1
            host.failing_since_s = now_s if host.failing_since_s is None else host.failing_since_s
            pause_s = asked_pause_s(outcome)
            if pause_s:
                host.rests_until_s, host.was_asked = max(host.rests_until_s, now_s + pause_s), True
            elif host.failures >= _FAILURES_BEFORE_REST:
                rest_s = backoff_s(host.failures - _FAILURES_BEFORE_REST + 1, jitter)
                host.rests_until_s = max(host.rests_until_s, now_s + rest_s)
            return host.failures == _FAILURES_BEFORE_REST

    def has_failed_for_s(self, base_url: str) -> float:
        """For how many seconds no call to ``base_url`` has succeeded; 0 where the last one did."""
        host = self._hosts.get(base_url)
        return 0.0 if host is None or host.failing_since_s is None else self._now_s() - host.failing_since_s

    def rests_until_s(self, base_url: str) -> float:
        """Until when ``base_url`` is left alone; 0 where it is not."""
        host = self._hosts.get(base_url)
        return 0.0 if host is None else host.rests_until_s

    def next_open_s(self) -> float | None:
        """When the first host that rests may be called again; None when none does."""
        now_s = self._now_s()
        with self._lock:
            ends_s = [host.rests_until_s for host in self._hosts.values()]
        return min((end_s for end_s in ends_s if end_s > now_s), default=None)

    def wake(self) -> None:
        """Let every host be called at once, but for those that asked to be left alone; one that fails again rests
        again, as long as before and longer."""
        with self._lock:
            for host in self._hosts.values():
                if not host.was_asked:
                    host.rests_until_s = 0.0
