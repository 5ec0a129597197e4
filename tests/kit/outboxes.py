"""Outboxes under test: entries, stores with a clock that tests move, and handles that send over real HTTP."""

from __future__ import annotations

import itertools
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from target._background.runtime import system_runtime
from target._http.transport import Transport
from target._outbox.durable import DurableStore
from target._outbox.handle import OutboxHandle
from target._outbox.sqlite import SqliteStore
from target.config import ClientConfig, parse_client_options, parse_request_options
from target.delivery.request import Call, build_notifications_call
from target.loggers import Log
from target.outbox import Outbox
from target.protocols import Entry, Moment, StoreSettings
from tests.kit.calls import options_of

START_S = 1_700_000_000.0
LOGGER = Log(logging.getLogger("target"))
TIMESTAMP = 1_700_000_000_000
ACKNOWLEDGED, DEAD = "notification_acknowledged", "notification_dead"  # events
CALLERS = 12
SOON_S = 1.5  # far below what the callers would wait for one after the other, far above what a loaded machine needs
MakeOutbox = Callable[..., Outbox]


class Clock:
    """Seconds since the epoch, and of the steady clock, moved by hand."""

    def __init__(self) -> None:
        self.now = START_S

    def __call__(self) -> float:
        return self.now

    def moment(self) -> Moment:
        return Moment(self.now, self.now)


def make_store(kind: str, path: Path, clock: Any, hold_s: float = 20.0, look_s: float = 20.0, **fields: Any) -> Any:
    settings = StoreSettings(
        **{
            "account": "acme",
            "max_pending": 100,
            "when_full": "raise",
            "lease_s": 30.0,
            "longest_wait_s": 3720.0,
            "now": clock.moment if isinstance(clock, Clock) else lambda: Moment(clock(), clock()),
            "logger": LOGGER,
            **fields,
        }
    )
    file = SqliteStore(str(path), settings)
    return file if kind == "sqlite" else DurableStore(file, settings, hold_s, look_s)


def put(store: Any, entries: list[Entry], due_s: float = 0.0) -> Any:
    """How many were dropped where ``store``, of either kind, stored ``entries``."""
    return (store.queue if isinstance(store, DurableStore) else store.add)(entries, due_s)


def entry(name: str, session_id: str = "s", since_s: float = START_S, **fields: Any) -> Entry:
    item = json.dumps({"id": name, "type": "display", "timestamp": TIMESTAMP}, ensure_ascii=False)
    moment = Moment(since_s, since_s)
    return Entry(0, session_id, None, '{"body":{}}', item, None, int(since_s * 1000), moment)._replace(**fields)


def always(_: object) -> bool:
    """Every host may be called."""
    return True


def names(entries: Any) -> list[str]:
    return [json.loads(item.notification)["id"] for item in entries]


def notification(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "type": "display", "timestamp": TIMESTAMP, **fields}


class Wired:
    """A handle with all that a client would give it."""

    def __init__(self, outbox: Outbox, domain: str, runtime: Any = None, **options: Any) -> None:
        self.config: ClientConfig = parse_client_options(options_of(domain, **options))
        self.runtime = runtime or system_runtime()
        self.transport = Transport(self.config)
        events = self.events = list[tuple[str, dict[str, Any]]]()

        def emit(name: str, /, **payload: Any) -> None:  # which must not keep the handle alive
            events.append((name, payload))

        self.handle = OutboxHandle(outbox, self.config, self.runtime, self.transport.send, emit)

    def call(self, *ids: str, session_id: str = "session-1", **request: Any) -> Call:
        wire = {"notifications": [notification(name) for name in ids], **request}
        parsed = parse_request_options({"request": wire, "session_id": session_id})
        return build_notifications_call(self.config, parsed, self.runtime, None)

    def queue(self, *ids: str, session_id: str = "session-1", **request: Any) -> list[str]:
        return self.handle.queue(self.call(*ids, session_id=session_id, **request))

    def told(self, name: str) -> list[str]:
        return [payload["id"] for event, payload in self.events if event == name]

    def close(self, timeout_ms: float = 1000) -> None:
        self.handle.close(timeout_ms)
        self.transport.close()


@contextmanager
def wired(outbox: Outbox, domain: str, **options: Any) -> Iterator[Wired]:
    made = Wired(outbox, domain, **options)
    try:
        yield made
    finally:
        made.close(0)


def queue_at_once(made: Wired, prefix: str) -> list[float]:
    """For how many seconds each of several callers was kept."""
    took: list[float] = []

    def call(number: int) -> None:
        started = time.monotonic()
        made.queue(f"{prefix}-{number}", session_id=f"{prefix}-{number}")
        took.append(time.monotonic() - started)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process is in the middle of writing the file."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def batches_of(server: Any) -> list[list[str]]:
    """The ids of each request that a LoopbackServer got."""
    return [[item["id"] for item in received.body["notifications"]] for received in server.received]


def ids_of(server: Any) -> list[str]:
    """The same ids, one after another."""
    return [name for batch in batches_of(server) for name in batch]


def counted(prefix: str, count: int) -> Iterator[str]:
    return (f"{prefix}-{number}" for number in itertools.islice(itertools.count(), count))
