"""A Background that sends over real HTTP, and the threads it begins."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from target._background.breaker import Breaker
from target._http.routes import Routes
from target._http.transport import Transport
from target._on_device.background import Background
from target._on_device.delivery import Delivery
from target.config import Runtime, parse_client_options, parse_request_options
from target.delivery.request import Call, build_notifications_call
from target.delivery.telemetry import TelemetryBuffer
from tests.kit.calls import options_of
from tests.kit.cdn import LOGGER
from tests.kit.loopback import LoopbackServer
from tests.kit.threads import threads_of

RUNTIME = Runtime(now_s=lambda: 1585098300.0, new_id=lambda: "made-id", utc_offset_minutes=lambda: 0)


class Sender:
    """Owns a Background that sends to ``domain``, and notes what it is told."""

    def __init__(self, domain: str, **options: Any) -> None:
        own = {key: options.pop(key) for key in ("compose", "most_pending", "most_at_once") if key in options}
        self.config = parse_client_options(options_of(domain, logger=LOGGER, **options))
        self.transport = transport = Transport(self.config)
        self.failures: list[tuple[Call, BaseException]] = []

        self.background = Background(
            Delivery(transport.send_aside, Breaker(0, 30), Routes(self.config), self.config.timeout_s),
            lambda call, error: self.failures.append((call, error)),
            LOGGER,
            **{"most_at_once": 1, "most_pending": 1000, **own},
        )

    def call(self, number: int = 0, session_id: str | None = None) -> Call:
        notification = {"id": f"n{number}", "type": "display", "timestamp": 1, "mbox": {"name": "home"}}
        session_id = session_id or f"s{number}"
        options = parse_request_options({"request": {"notifications": [notification]}, "session_id": session_id})
        return build_notifications_call(self.config, options, RUNTIME, None)

    def submit(self, *numbers: int) -> None:
        for number in numbers:
            self.background.submit(self.call(number))

    def failed_ids(self) -> list[str]:
        return [call.body["notifications"][0]["id"] for call, _ in self.failures]


@contextmanager
def sender(domain: str, **options: Any) -> Iterator[Sender]:
    made = Sender(domain, **options)
    try:
        yield made
    finally:
        made.background.close(0)
        made.transport.close()


def sent_ids(server: LoopbackServer) -> list[str]:
    return [received.body["notifications"][0]["id"] for received in server.received]


def composing(server: LoopbackServer, buffer: TelemetryBuffer) -> tuple[Sender, list[float]]:
    """A sender whose Background makes a call of what waits in ``buffer``."""
    moments: list[float] = []

    def compose() -> Call | None:
        moments.append(time.monotonic())
        entries = buffer.take_all()
        if not entries:
            return None
        options = parse_request_options({"request": {"telemetry": {"entries": entries}}})
        return build_notifications_call(made.config, options, RUNTIME, None)

    made = Sender(server.domain, compose=compose)
    return made, moments


def threads() -> list[threading.Thread]:
    return threads_of("target-background")
