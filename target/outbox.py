"""What callers say about the notification outbox, and what they get back from it: Outbox and DeadLetter."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Self, cast, get_args

from target.errors import OptionsError
from target.foreign import exact_text, is_function, is_text, kind_of
from target.protocols import DeathReason, Store, StoreSettings, WhenFull
from target.values import parse_at_least, parse_milliseconds, parse_path

#: Opens a store.
OpenStore = Callable[[StoreSettings], Store]

MAX_PENDING = 10_000
FLUSH_INTERVAL_MS = 1000
MAX_AGE_MS = 86_400_000
LEASE_MS = 30_000


@dataclass(frozen=True, slots=True)
class Outbox:
    """Where queued notifications wait until Target has acknowledged them: ``memory``, ``sqlite``, ``redis``, or yours.

    A description only: it opens nothing, never changes, and may be given to several clients.

    Attributes:
        path: The SQLite file, absolute; None for any other store.
        max_pending: How many notifications may wait, those of other processes in the same store included.
        when_full: ``"raise"`` refuses new ones with OutboxFull, ``"drop_oldest"`` gives up the oldest for them.
        flush_interval: Milliseconds that a visitor's first notification waits for others to travel with.
        max_age: Milliseconds after which a notification that Target did not take is given up.
        lease: Milliseconds after which another process may take over what a process that died was sending.
        store: What opens a store of yours, once for each client: of a ``target.protocols.StoreSettings`` it makes a
            ``target.protocols.Store``, and waits for nothing. ``redis`` sets it. None for SQLite and memory.

    Raises:
        OptionsError: An option is wrong.
    """

    path: str | None = None
    max_pending: int = MAX_PENDING
    when_full: WhenFull = "raise"
    flush_interval: float = FLUSH_INTERVAL_MS
    max_age: float = MAX_AGE_MS
    lease: float = LEASE_MS
    store: OpenStore | None = None

    def __post_init__(self) -> None:
        if self.path is not None:
            object.__setattr__(self, "path", _parse_path(self.path))
        if self.store is not None:
            if not is_function(self.store):
                raise OptionsError(f"Option 'store' must be a callable that opens a store, not {kind_of(self.store)}")
            if self.path is not None:
                raise OptionsError("Option 'path' has no effect together with 'store': leave one of them out")
        for name, parse in _OPTIONS.items():
            object.__setattr__(self, name, parse(name, getattr(self, name)))

    @property
    def outlives_process(self) -> bool:
        """Whether another process may find what this one left: in any store but memory."""
        return self.store is not None or self.path is not None

    def open(self, settings: StoreSettings) -> Store:
        """Open the store, for one client. Raises whatever ``store`` does."""
        if self.store is not None:
            return self.store(settings)
        # By name, since what it names stands above this module; and few clients need SQLite.
        if self.path is None:
            return cast("Store", import_module("target._outbox.memory").MemoryStore(settings))
        return cast("Store", import_module("target._outbox.sqlite").SqliteStore(self.path, settings))

    @classmethod
    def memory(
        cls,
        *,
        max_pending: int = MAX_PENDING,
        when_full: WhenFull = "raise",
        flush_interval: float = FLUSH_INTERVAL_MS,
        max_age: float = MAX_AGE_MS,
        lease: float = LEASE_MS,
    ) -> Self:
        """An outbox in this process's memory: what is still in it when the process dies is lost.

        Raises:
            OptionsError: An option is wrong.
        """
        return cls(None, max_pending, when_full, flush_interval, max_age, lease)

    @classmethod
    def sqlite(
        cls,
        path: str | os.PathLike[str],
        *,
        max_pending: int = MAX_PENDING,
        when_full: WhenFull = "raise",
        flush_interval: float = FLUSH_INTERVAL_MS,
        max_age: float = MAX_AGE_MS,
        lease: float = LEASE_MS,
    ) -> Self:
        """An outbox in a file on a local disk: it outlives the process, and processes of one host may share it.

        What is queued survives a crash or ``kill -9`` of the process. A power cut may cost the last moments before
        it, never the file. The file holds visitor ids: it is made readable for its owner only.

        Raises:
            OptionsError: An option is wrong.
        """
        return cls(_parse_path(path), max_pending, when_full, flush_interval, max_age, lease)

    @classmethod
    def redis(
        cls,
        url: str,
        *,
        prefix: str = "target",
        max_pending: int = MAX_PENDING,
        when_full: WhenFull = "raise",
        flush_interval: float = FLUSH_INTERVAL_MS,
        max_age: float = MAX_AGE_MS,
        lease: float = LEASE_MS,
    ) -> Self:
        """An outbox in a Redis, which any number of processes and machines share. Needs the extra ``redis``.

        What is queued survives the process; whether it survives the Redis is for the Redis to say: see docs/redis.md.
        While that is away, notifications wait in memory. It holds visitor ids, in values and never in names of keys.

        Args:
            url: As redis-py takes it, with user and password: ``redis://``, ``rediss://`` for TLS, or ``unix://``. Also
                ``redis+sentinel://HOST,HOST/SERVICE`` and ``redis+cluster://HOST``.
            prefix: What the keys begin with: printable ASCII. Processes share what has the same.
            max_pending: See Outbox; so the other options.

        Raises:
            OptionsError: An option is wrong, or redis-py is not installed.
        """
        opener = cast("OpenStore", import_module("target.stores.redis").RedisOutbox(url, prefix))
        return cls(None, max_pending, when_full, flush_interval, max_age, lease, opener)


def _parse_when_full(name: str, value: object) -> str:
    if not is_text(value) or exact_text(value) not in get_args(WhenFull):
        raise OptionsError(f"Option {name!r} must be one of {', '.join(map(repr, get_args(WhenFull)))}")
    return exact_text(value)


def _parse_positive_ms(name: str, value: object) -> float:
    if (number := parse_milliseconds(name, value)) <= 0:
        raise OptionsError(f"Option {name!r} must be more than 0 milliseconds")
    return number


_OPTIONS: dict[str, Callable[[str, object], object]] = {
    "max_pending": parse_at_least(1),
    "when_full": _parse_when_full,
    "flush_interval": parse_milliseconds,
    "max_age": _parse_positive_ms,
    "lease": _parse_positive_ms,
}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A notification that the outbox gave up; ``retry_dead_letters`` sends it once more.

    Attributes:
        notification: The notification in wire form. It holds ids, so it stays out of this object's repr.
        reason: ``"refused"`` (400 or 413, sent alone), ``"unacknowledged"`` (answers did not list it), ``"expired"``
            (older than ``max_age``, and tried) or ``"unreadable"`` (its row in the file is damaged or forged; what of
            the notification could be read is here, which may be an empty dict).
        status: The last HTTP status it was answered with; None when there was no answer.
        queued_at: When it was queued: milliseconds since the epoch.
        message: What the API said with that status, or what went wrong where there was no answer; ids are taken out.
    """

    notification: dict[str, Any] = field(repr=False)
    reason: DeathReason
    status: int | None
    queued_at: int
    message: str | None = None


def _parse_path(path: object) -> str:
    text = parse_path("path", path)
    if text is None:
        raise OptionsError("Option 'path' must be the path of a file")
    if text == ":memory:":
        raise OptionsError("Option 'path' must be the path of a file: for memory, use Outbox.memory()")
    return os.path.abspath(text)
