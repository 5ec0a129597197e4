"""The providers that each scenario runs against, and what is done to what stands behind them."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from openfeature.client import OpenFeatureClient

from target import AsyncTargetClient, TargetClient
from target.emulator import Emulator
from target.integrations.openfeature import AsyncTargetProvider, TargetProvider
from tests.kit.calls import eventually
from tests.openfeature.memory import MemoryProvider


class Loop:
    """An event loop of another thread, whose coroutines have the context of whoever waits for them."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Way(ABC):
    """A kind of provider."""

    def __init__(self, loop: Loop | None) -> None:
        self._loop = loop

    def details(self, client: OpenFeatureClient, kind: str, *arguments: Any) -> Any:
        """What ``client.get_{kind}_details`` gives; awaited, where this way has a loop."""
        if self._loop is None:
            return getattr(client, f"get_{kind}_details")(*arguments)
        return self._loop.run(getattr(client, f"get_{kind}_details_async")(*arguments))

    def track(self, client: OpenFeatureClient, *arguments: Any) -> None:
        """``client.track``; on the loop, where this way has one."""
        if self._loop is None:
            client.track(*arguments)
            return

        async def track() -> None:
            client.track(*arguments)

        self._loop.run(track())

    @abstractmethod
    def provider(self, property_token: str | None = None) -> Any:
        """A new one, which was not set yet."""

    @abstractmethod
    def visitor(self, provider: Any) -> str | None:
        """The targeting key that the provider was asked for last."""

    @abstractmethod
    def tracked(self, provider: Any, event: str) -> tuple[str | None, float | None]:
        """For whom an event was tracked, and its value."""

    def reasons(self) -> set[str]:
        """Which reasons there may be where nothing went wrong."""
        return {"TARGETING_MATCH", "SPLIT", "DEFAULT", "CACHED"}

    def close(self) -> None:
        """Whatever was made is closed."""
        if self._loop is not None:
            self._loop.close()


class InMemory(Way):
    """The provider of openfeature-sdk."""

    def provider(self, property_token: str | None = None) -> MemoryProvider:
        return MemoryProvider()

    def reasons(self) -> set[str]:
        return {"STATIC"}

    def visitor(self, provider: MemoryProvider) -> str | None:
        return provider.asked[-1].targeting_key

    def tracked(self, provider: MemoryProvider, event: str) -> tuple[str | None, float | None]:
        name, context, details = provider.tracked[-1]
        assert name == event
        return context.targeting_key, details and details.value


class OfTarget(Way):
    """Ours, over an emulator; ``method`` is the clients' decisioning method."""

    def __init__(self, loop: Loop | None, method: str, emulator: Emulator) -> None:
        super().__init__(loop)
        self._method = method
        self.emulator = emulator
        self._clients: list[Any] = []

    def provider(self, property_token: str | None = None) -> Any:
        options: Any = {
            "client": "acmeclient",
            "organization_id": "1234567890@AdobeOrg",
            "server_domain": self.emulator.server_domain,
            "secure": False,
            "decisioning_method": self._method,
            "property_token": property_token,
            "telemetry_enabled": False,
        }
        if self._method == "on-device":
            options |= {"cdn_base_path": self.emulator.url, "polling_interval": 1000, "maximum_wait_ready": 200}
        if self._loop is None:
            self._clients.append(TargetClient.create(options))
            return TargetProvider(self._clients[-1], ready_timeout=300)
        self._clients.append(self._loop.run(AsyncTargetClient.create(options)))
        return AsyncTargetProvider(self._clients[-1], ready_timeout=300)

    def visitor(self, provider: Any) -> str | None:
        assert eventually(lambda: self.emulator.received, 5)
        return self.emulator.received[-1].body["id"].get("thirdPartyId")

    def tracked(self, provider: Any, event: str) -> tuple[str | None, float | None]:
        def told() -> Iterator[tuple[str | None, float | None]]:
            for received in self.emulator.received:
                for notification in received.body.get("notifications", ()):
                    if notification["mbox"]["name"] == event:
                        yield received.body["id"].get("thirdPartyId"), notification.get("order", {}).get("total")

        assert eventually(lambda: list(told()), 5)
        (found,) = told()
        return found

    def close(self) -> None:
        for client in self._clients:
            if self._loop is None:
                client.close(1000)
            else:
                self._loop.run(client.aclose(1000))
        super().close()


WAYS = ("in memory", "in memory, async", "server-side", "server-side, async", "on-device", "on-device, async")


@contextmanager
def way_of(name: str, emulator: Emulator) -> Iterator[Way]:
    """The way of that name, of ``WAYS``; closed at the end."""
    method, _, asynchronous = name.partition(", ")
    loop = Loop() if asynchronous else None
    way = InMemory(loop) if method == "in memory" else OfTarget(loop, method, emulator)
    try:
        yield way
    finally:
        way.close()


def tags_of(name: str) -> frozenset[str]:
    """What the way of that name has that not every one has."""
    method = name.partition(", ")[0]
    return frozenset() if method == "in memory" else frozenset({"provider", method})
