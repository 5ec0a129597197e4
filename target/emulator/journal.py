"""Owns what the emulator received: the newest of it to look at, counts of all of it, and who waits to hear of it.

Safe to use from any thread. Every entry has a number; numbers go up over all kinds, and none is given twice.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from threading import Condition
from typing import Any, NamedTuple, Unpack

from target.emulator.entries import Entry, Filters, Received, fits_notification, fits_request, shown
from target.loggers import Log

# Enough for a day of development; older entries go, so that a long run does not grow without end.
_KEPT = 10_000
#: How long is waited for what was not there yet, where nobody says.
WAIT_MS = 5000
_LOGGER = Log(logging.getLogger("target.emulator"))


class Event(NamedTuple):
    """What a listener is told: `kind` "request", "notification", "cleared", or whatever else was published."""

    kind: str
    number: int
    data: Entry


class Counts(NamedTuple):
    """How many of a kind came since the start or the last `reset`, are kept, and were dropped to make room."""

    received: int
    kept: int
    dropped: int


class _Log:
    """The newest entries of one kind, and how many there were."""

    def __init__(self, most: int) -> None:
        self.entries: deque[Any] = deque(maxlen=most)
        self.received = self.dropped = 0

    def add(self, entry: Any) -> bool:
        """Whether this is the first time that an older one had to go."""
        is_full = len(self.entries) == self.entries.maxlen
        self.entries.append(entry)
        self.received += 1
        self.dropped += is_full
        return is_full and self.dropped == 1

    def counts(self) -> Counts:
        return Counts(self.received, len(self.entries), self.dropped)


class Journal:
    """What was received since the start or the last `clear`."""

    def __init__(self, most: int = _KEPT) -> None:
        self._changed = Condition()
        self._numbers = count(1)
        self._listeners: list[Callable[[Event], object]] = []
        self._logs = {kind: _Log(most) for kind in ("requests", "notifications", "fetches")}
        self._most = most
        self._impressions: dict[str, None] = {}  # a set in order of arrival

    @property
    def received(self) -> list[Received]:
        """The delivery calls in order of arrival, refused ones included."""
        return self._kept("requests")

    @property
    def fetched(self) -> list[Received]:
        """The requests for rules and places in order of arrival."""
        return self._kept("fetches")

    @property
    def notifications(self) -> list[Entry]:
        """The accepted notifications in order: {"number", "at", "notification", "sessionId", "known", "repeat", ...}.

        `known` is whether it carries tokens and every one of them was given out; `repeat` is whether its impressionId
        came before, so that the API would not count it again.
        """
        return self._kept("notifications")

    def counts(self) -> dict[str, Counts]:
        """Counts of "requests", "notifications" and "fetches"."""
        with self._changed:
            return {kind: log.counts() for kind, log in self._logs.items()}

    def find_requests(self, of: str = "delivery", **filters: Unpack[Filters]) -> list[Received]:
        """The requests of a kind ("delivery", "rules", "geo") that fit: see `fits_request`."""
        kept = self.received if of == "delivery" else [one for one in self.fetched if one.of == of]
        return [received for received in kept if fits_request(received, **filters)]

    def find_notifications(self, **filters: Unpack[Filters]) -> list[Entry]:
        """The notifications that fit: see `fits_notification`."""
        return [entry for entry in self.notifications if fits_notification(entry, **filters)]

    def wait_for_requests(
        self, n: int, timeout_ms: float, of: str = "delivery", **filters: Unpack[Filters]
    ) -> list[Received]:
        """The requests that fit, once there are `n`; TimeoutError where there are not within `timeout_ms`."""
        return self._wait(n, timeout_ms, "requests", lambda: self.find_requests(of, **filters))

    def wait_for_notifications(self, n: int, timeout_ms: float, **filters: Unpack[Filters]) -> list[Entry]:
        """The notifications that fit, once there are `n`; TimeoutError where there are not within `timeout_ms`."""
        return self._wait(n, timeout_ms, "notifications", lambda: self.find_notifications(**filters))

    def add(self, received: Received) -> None:
        """Take in a request that was answered."""
        with self._changed:
            received.number, received.at = next(self._numbers), _now_ms()
            self._add("requests" if received.of == "delivery" else "fetches", received)
        self._tell(Event("request", received.number, shown(received)))

    def add_notification(self, notification: Entry, *, session_id: str, known: bool, **more: Any) -> None:
        """Take in a notification of a valid request; `more` goes into its entry."""
        with self._changed:
            number = next(self._numbers)
            entry = {
                "number": number,
                "at": _now_ms(),
                "notification": notification,
                "sessionId": session_id,
                "known": known,
                "repeat": self._is_repeat(notification.get("impressionId")),
                **more,
            }
            self._add("notifications", entry)
        self._tell(Event("notification", number, entry))

    def publish(self, kind: str, data: Entry) -> None:
        """Tell listeners of something that is not kept here."""
        with self._changed:
            number = next(self._numbers)
        self._tell(Event(kind, number, data))

    def listen(self, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Tell `listener` of each event, on the thread where it happens, so it has to return at once.

        Returns what ends it.
        """
        with self._changed:
            self._listeners.append(listener)

        def end() -> None:
            with self._changed:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def clear(self, *kinds: str) -> None:
        """Forget the entries of these kinds ("requests", "notifications", "fetches"), of all if none is named.

        What is counted goes on.
        """
        with self._changed:
            for kind in kinds or self._logs:
                self._logs[kind].entries.clear()
            if not kinds or "notifications" in kinds:
                self._impressions.clear()
        self.publish("cleared", {"kinds": list(kinds or self._logs)})

    def reset(self) -> None:
        """Forget everything, and count from 0."""
        with self._changed:
            for log in self._logs.values():
                log.received = log.dropped = 0
        self.clear()

    def _kept(self, kind: str) -> list[Any]:
        with self._changed:
            return list(self._logs[kind].entries)

    def _add(self, kind: str, entry: Any) -> None:
        if self._logs[kind].add(entry):
            _LOGGER.warning("More than %d %s came: the oldest are no longer listed, all are counted", self._most, kind)
        self._changed.notify_all()

    def _is_repeat(self, impression: Any) -> bool:
        if not isinstance(impression, str):
            return False
        if impression in self._impressions:
            return True
        self._impressions[impression] = None
        if len(self._impressions) > self._most:
            del self._impressions[next(iter(self._impressions))]
        return False

    def _wait(self, n: int, timeout_ms: float, kind: str, find: Callable[[], list[Any]]) -> list[Any]:
        found: list[Any] = []

        def is_enough() -> bool:
            found[:] = find()
            return len(found) >= n

        with self._changed:
            if not self._changed.wait_for(is_enough, max(0.0, timeout_ms / 1000)):
                raise TimeoutError(f"{len(found)} of {n} {kind} came within {timeout_ms:g} ms")
        return found

    def _tell(self, event: Event) -> None:
        with self._changed:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(event)


def _now_ms() -> int:
    return round(time.time() * 1000)
