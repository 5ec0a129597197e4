"""Owns hearing of what others publish: one connection and one thread, for as long as somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._background.runtime import chance
from target._background.service import Service
from target.protocols import StoreBroken
from target.stores.redis._server import Server

_LOOK_S = 0.25  # between two looks at whether anybody still wants to know
_SHORTEST_S, _LONGEST_S = 0.5, 5.0  # between two tries of a Redis that is away


class Listener:
    """Calls ``changed`` for whatever is said on a channel, and after each time that it began to listen.

    Args:
        server: The Redis.
        channel: The channel.
        changed: Is called on the thread. It must not hold whoever starts and ends this.
    """

    def __init__(self, server: Server, channel: str, changed: Callable[[], object]) -> None:
        self._server = server
        self._channel = channel
        self._changed = changed
        self._ended = Flag()
        self._service = Service("target-redis-listener")
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child: the thread stayed behind."""
        was_ended = self._ended.is_set()
        self._ended = Flag()
        if was_ended:
            self._ended.set()
        self._listens = False

    def start(self) -> None:
        """Listen, unless that has begun."""
        if not self._listens and not self._ended.is_set():
            self._listens = True
            self._service.put(self._listen)

    def end(self) -> None:
        """Listen no more. Does not wait for that."""
        self._ended.set()
        self._service.end()

    def _listen(self) -> None:
        ended, pause_s = self._ended, _SHORTEST_S
        while not ended.is_set():
            try:
                self._server.run(lambda client: self._hear(client, ended))
            except StoreBroken:  # whoever fetches says so
                pass
            else:
                pause_s = _SHORTEST_S
            if ended.wait(pause_s * (0.5 + chance() / 2)):  # so that a fleet does not come back at once
                break
            pause_s = min(2 * pause_s, _LONGEST_S)
        self._server.close()

    def _hear(self, client: Any, ended: Flag) -> None:
        channel = client.pubsub(ignore_subscribe_messages=True)
        try:
            channel.subscribe(self._channel)
            self._changed()
            while not ended.is_set():
                if channel.get_message(timeout=_LOOK_S) is not None:
                    self._changed()
        finally:
            channel.close()
