"""Which call each queued notification came from, as far as this process knows; for hooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from target.delivery.entries import notification_id, read_notification
from target.delivery.request import Call
from target.protocols import Entry

if TYPE_CHECKING:
    from target.hooks import CallInfo, NotificationState

_MOST = 10_000


class Notified(Protocol):
    """Tells hooks of a notification in wire form."""

    def __call__(
        self, info: CallInfo | None, notification: Mapping[str, Any], state: NotificationState, /
    ) -> object: ...


class Origins:
    """Of one outbox: the latest ones. Safe to share between threads: each step is one of a dict's own.

    Args:
        notified: What is told of each notification.
    """

    def __init__(self, notified: Notified) -> None:
        self._notified = notified
        self._calls: dict[str, CallInfo] = {}

    def come(self, call: Call, entries: Iterable[Entry]) -> None:
        """These are about to be queued by ``call``."""
        if (info := _info_of(call)) is not None:
            self._calls.update((notification_id(entry), info) for entry in entries)
        while len(self._calls) > _MOST:
            self._calls.pop(next(iter(self._calls), ""), None)

    def queued(self, call: Call, entries: Iterable[Entry]) -> None:
        """They were."""
        for entry in entries:
            self._notified(_info_of(call), read_notification(entry.notification), "queued")

    def of(self, entries: Iterable[Entry]) -> tuple[CallInfo, ...]:
        """The calls that queued these, each once."""
        found = (self._calls.get(notification_id(entry)) for entry in entries)
        return tuple(dict.fromkeys(info for info in found if info is not None))

    def settled(self, entry: Entry, state: NotificationState) -> None:
        """It was taken, or given up."""
        self._notified(self._calls.pop(notification_id(entry), None), read_notification(entry.notification), state)


def _info_of(call: Call) -> CallInfo | None:
    return call.info or next(iter(call.causes), None)
