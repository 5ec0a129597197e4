"""Telemetry entries that wait for a request to ride on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from target._background.forks import renew_in_children

MOST_ENTRIES = 1000


class TelemetryBuffer:
    """At most ``most`` entries in the order they came; the oldest go first. Safe to share between threads.

    A child process begins with none: what was there at the fork is its parent's to send.
    """

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        self._most = most
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """Hold nothing; so in a forked child."""
        self._entries: deque[Mapping[str, Any]] = deque(maxlen=self._most)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Let ``entry`` wait."""
        with self._lock:
            self._entries.append(entry)

    def take_all(self) -> list[Mapping[str, Any]]:
        """All that waits, oldest first; afterwards nothing does."""
        if not self._entries:
            return []
        with self._lock:
            taken = list(self._entries)
            self._entries.clear()
        return taken

    def put_back(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Let what was taken, and not sent, wait again before what came since; without room the oldest are dropped."""
        returned = list(entries)
        with self._lock:
            room = self._most - len(self._entries)
            self._entries.extendleft(islice(reversed(returned), max(0, room)))
