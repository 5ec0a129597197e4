"""Display notifications: what Target is told about the offers that execute has shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


class Notifications:
    """The display notifications of one call: one for each mbox and event token, however often they come up."""

    __slots__ = ("_new_id", "_now_s", "_seen", "items")

    def __init__(self, now_s: float, new_id: Callable[[], str]) -> None:
        self._now_s = now_s
        self._new_id = new_id
        self._seen: set[tuple[str, str]] = set()
        self.items: list[dict[str, Any]] = []

    def add(self, mbox: str, event_tokens: Iterable[str]) -> list[dict[str, Any]]:
        """Note that the offers of ``event_tokens`` were shown in ``mbox``; returns what that adds."""
        added: list[dict[str, Any]] = []
        for token in event_tokens:
            if (mbox, token) in self._seen:
                continue
            self._seen.add((mbox, token))
            added.append(
                {
                    "id": self._new_id(),
                    "impressionId": self._new_id(),
                    "timestamp": int(self._now_s * 1000),
                    "type": "display",
                    "mbox": {"name": mbox},
                    "tokens": [token],
                }
            )
        self.items += added
        return added
