"""Owns what the emulator received: requests and notifications, the newest of each, safe to read from any thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

# Enough for a day of development; older entries go, so that a long run does not grow without end.
_KEPT = 10_000


@dataclass(slots=True)
class Received:
    """One POST to the Delivery API: query and headers (names in lower case) as sent, `body` None if not JSON.

    `status` is what was answered, None while the answer is being made.
    """

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    status: int | None = None


class Journal:
    """What was received since the start or the last `clear`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._received: deque[Received] = deque(maxlen=_KEPT)
        self._notifications: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._impressions: dict[str, None] = {}  # a set in order of arrival

    @property
    def received(self) -> list[Received]:
        """The requests in order of arrival, refused ones included."""
        with self._lock:
            return list(self._received)

    @property
    def notifications(self) -> list[dict[str, Any]]:
        """The accepted notifications in order: {"notification", "sessionId", "known", "repeat"}.

        `known` is whether it carries tokens and these offers give out every one of them; `repeat` is whether its
        impressionId came before, so that the API would not count it again.
        """
        with self._lock:
            return list(self._notifications)

    def add(self, received: Received) -> None:
        """Take in a request."""
        with self._lock:
            self._received.append(received)

    def add_notification(self, notification: dict[str, Any], *, session_id: str, known: bool) -> None:
        """Take in a notification of a valid request."""
        impression = notification.get("impressionId")
        with self._lock:
            entry = {
                "notification": notification,
                "sessionId": session_id,
                "known": known,
                "repeat": impression in self._impressions,
            }
            self._notifications.append(entry)
            if impression is not None:
                self._impressions[impression] = None
                if len(self._impressions) > _KEPT:
                    del self._impressions[next(iter(self._impressions))]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._received.clear()
            self._notifications.clear()
            self._impressions.clear()
