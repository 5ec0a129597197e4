"""A CDN, a geo service and a Delivery API on one loopback server, for clients that decide in process."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, LoopbackServer, Received, ok

HOME: dict[str, Any] = {"execute": {"mboxes": [{"name": "home", "index": 1}]}}
PREFETCH: dict[str, Any] = {"prefetch": {"mboxes": [{"name": "home", "index": 1}]}}
ETAG = '"one"'


class Shop:
    """Answers well, unless ``cdn``, ``geo`` or ``delivery`` says otherwise; knows what it was asked."""

    def __init__(self, server: LoopbackServer) -> None:
        self.server = server
        self.artifact: dict[str, Any] = artifact()
        self.cdn: Callable[[Received], Any] = self._send_artifact
        self.geo: Callable[[Received], Any] = lambda _: Answer({"x-geo-city": "BERN"})
        self.delivery: Callable[[Received], Any] = ok
        server.answer = self._answer

    @property
    def options(self) -> dict[str, Any]:
        """Options of a client of this shop, without telemetry."""
        return {
            "decisioning_method": "on-device",
            "cdn_base_path": self.server.url,
            "polling_interval": 0,
            "telemetry_enabled": False,
        }

    @property
    def downloads(self) -> list[Received]:
        return [item for item in self.server.received if "rules.json" in item.target]

    @property
    def lookups(self) -> list[str]:
        """The addresses that the geo service was asked for."""
        return [item.headers["x-forwarded-for"] for item in self.server.received if item.target.endswith("/v1/geo")]

    @property
    def delivered(self) -> list[Received]:
        return [item for item in self.server.received if "/rest/v1/delivery" in item.target]

    @property
    def notified(self) -> list[dict[str, Any]]:
        """Every notification that arrived."""
        return [each for item in self.delivered for each in item.body.get("notifications", ())]

    @property
    def entries(self) -> list[list[dict[str, Any]]]:
        """The telemetry entries of each request to the Delivery API."""
        return [item.body.get("telemetry", {}).get("entries", []) for item in self.delivered]

    def _answer(self, received: Received) -> Any:
        if "rules.json" in received.target:
            return self.cdn(received)
        return self.geo(received) if received.target.endswith("/v1/geo") else self.delivery(received)

    def _send_artifact(self, received: Received) -> Answer:
        if received.headers.get("If-None-Match") == ETAG:
            return Answer(b"", 304)
        return Answer(self.artifact, headers={"ETag": ETAG})


def shown(result: Any) -> list[Any]:
    """What each mbox of the answer offers."""
    response = result.response
    return [option.content for mbox in (response.execute or response.prefetch).mboxes for option in mbox.options or ()]


def events_of(*names: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Handlers of these events, and what they were told."""
    told: list[dict[str, Any]] = []
    return dict.fromkeys(names, told.append), told


def hang_a_second(_: Received) -> Callable[[socket.socket], None]:
    return lambda _: time.sleep(1)
