"""A hook that keeps what it is told, for tests."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from tests.kit.calls import options_of
from tests.kit.loopback import LoopbackServer


def hooked(server: LoopbackServer, *hooks: Any, **more: Any) -> Any:
    """Options of a client of ``server`` with these hooks."""
    return options_of(server.domain, hooks=list(hooks), **more)


class Watching:
    """Keeps each call of each method, by its name, with what it was given; ``adds`` is what ``before_call`` returns."""

    def __init__(self, adds: Any = None, name: str = "", into: list[tuple[str, str]] | None = None) -> None:
        self.adds = adds
        self.told: list[tuple[Any, ...]] = []
        self.threads: dict[str, set[int]] = {}
        self._name, self._into = name, into

    def _note(self, method: str, *arguments: Any) -> None:
        self.told.append((method, *arguments))
        self.threads.setdefault(method, set()).add(threading.get_ident())
        if self._into is not None:
            self._into.append((self._name, method))

    def on_start(self, client: Any) -> None:
        self._note("on_start", client)

    def on_close(self, client: Any) -> None:
        self._note("on_close", client)

    def before_call(self, call: Any) -> Any:
        self._note("before_call", call)
        return self.adds

    def after_call(self, call: Any, outcome: Any) -> None:
        self._note("after_call", call, outcome)

    def before_decision(self, call: Any) -> None:
        self._note("before_decision", call)

    def after_decision(self, call: Any, decisions: Any) -> None:
        self._note("after_decision", call, decisions)

    def on_notification(self, notification: Any) -> None:
        self._note("on_notification", notification)

    def of(self, method: str) -> list[Any]:
        """What this method was told, each time: one thing, or a tuple of several."""
        return [each[1] if len(each) == 2 else each[1:] for each in list(self.told) if each[0] == method]

    @property
    def order(self) -> list[str]:
        return [each[0] for each in list(self.told)]

    @property
    def outcome(self) -> Any:
        """How the only call ended."""
        ((_, outcome),) = self.of("after_call")
        return outcome


class Awaited:
    """The same in coroutine functions."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._watching, name)

        async def later(*arguments: Any) -> Any:
            await asyncio.sleep(0)
            return method(*arguments)

        return later
