"""The outbox as its client and the client's owner see it: put in, look at, flush, close."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Any, TypeVar, cast

from target._background.forks import begin_anew_if_forked, import_before_threads
from target._outbox.durable import DurableStore
from target._outbox.memory import MemoryStore
from target._outbox.origins import Notified, Origins
from target._outbox.sender import Sender
from target._outbox.store import SteadyStore, moments_of
from target._outbox.worker import Worker
from target.causes import discreet, stand_in_for
from target.config import ClientConfig, Runtime
from target.delivery.entries import notification_id, pack, read_notification
from target.delivery.identity import build_base_url
from target.delivery.outgoing import LONGEST_DELAY_S
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.delivery.retry import LONGEST_PAUSE_S
from target.errors import ClientClosed, OptionsError, TargetError
from target.events import Emit
from target.foreign import attribute_of
from target.outbox import DeadLetter, Outbox
from target.protocols import Entry, Moment, Store, StoreSettings
from target.values import parse_milliseconds

T = TypeVar("T")

_METHODS = [name for name in vars(Store) if not name.startswith("_")]
_SPARE = 8  # one sender more for so many, for the other hosts when all are busy with one


class OutboxHandle:
    """One client's outbox at work.

    Sending is at-least-once: what was sent but not acknowledged is sent again, and Target counts it once, by the
    impression id that every notification carries.

    Args:
        outbox: What the client's owner wants.
        config: The client's options.
        runtime: Time and ids.
        send: Makes a call, blocking: its answer, whatever the status, or a TargetError.
        emit: Gets ``notification_acknowledged`` and ``notification_dead``, on a thread of the outbox.
        notified: Tells hooks what becomes of each notification; None where there are none.

    None of these may hold the client: the threads keep both, and nobody could tell that it is gone.

    Raises:
        OptionsError: ``lease`` is not longer than the client's ``timeout``: others would send what is being sent; or no
            store can be opened.
    """

    def __init__(
        self,
        outbox: Outbox,
        config: ClientConfig,
        runtime: Runtime,
        send: Callable[[Call], Reply],
        emit: Emit,
        notified: Notified | None = None,
    ) -> None:
        import_before_threads()
        self._now = moments_of(runtime.now_s)
        self._flush_interval_s = outbox.flush_interval / 1000
        settings = StoreSettings(
            account=f"{config.client} {config.organization_id}",
            max_pending=outbox.max_pending,
            when_full=outbox.when_full,
            lease_s=_lease_s(outbox, config.timeout_s),
            longest_wait_s=2 * max(LONGEST_DELAY_S, self._flush_interval_s) + LONGEST_PAUSE_S,
            now=self._now,
            logger=cast(logging.Logger, config.logger),  # an adapter, which has the same methods
        )
        self._runtime = runtime
        self._logger = config.logger
        self._closed = False
        self._warned_of_drops = False
        self._origins = None if notified is None else Origins(notified)
        # Offline, a file keeps what is queued for whoever sends it later. In memory it would only be lost, and a store
        # of the caller's may be at the end of a socket.
        self.keeps = not config.offline or outbox.path is not None
        self._store: SteadyStore = _open(outbox, settings) if self.keeps else MemoryStore(settings)
        self._sender = Sender(
            self._store,
            send,
            lambda cluster: build_base_url(config, cluster),
            runtime,
            self._now,
            outbox.max_age / 1000,
            config.background_concurrency,
            config.logger,
            emit,
            self._origins,
            config.offline,
        )
        most = config.background_concurrency + max(1, config.background_concurrency // _SPARE)
        self._worker = Worker(
            self._store,
            self._sender,
            settings.now_s,
            self._flush_interval_s,
            outbox.outlives_process and not config.offline,
            most,
            config.logger,
        )
        weakref.finalize(self, self._worker.release).atexit = False  # at exit the worker waits; this does not
        if outbox.outlives_process and not config.offline:
            self._worker.start()  # an earlier process may have left something

    def queue(self, call: Call) -> list[str]:
        """Store the notifications of ``call``, which was built as if to be sent now: their ids. An offline client keeps
        them where ``keeps`` says so, and sends none.

        Raises:
            OptionsError: The call holds no notification, or asks for offers.
            OutboxFull: There is no room for all of them, and ``when_full`` is ``"raise"``; none is stored.
            ClientClosed: The client was closed.
        """
        return self._queue(call, True)

    def queue_later(self, call: Call) -> None:
        """The same for who may not wait at all, such as an event loop: what has not reached the file waits in memory.

        Raises:
            The errors of ``queue``. Where only the file knows that there is no room, what was queued is counted as
            ``dropped`` later.
        """
        self._queue(call, False)

    def ids_of(self, call: Call) -> list[str]:
        """What ``queue`` would return, and raise but for want of room, where nothing is to be stored."""
        return [notification_id(entry) for entry in self._pack(call, self._now())]

    def _pack(self, call: Call, now: Moment) -> list[Entry]:
        begin_anew_if_forked()
        if self._closed:
            raise ClientClosed("The client is closed: make a new one with TargetClient.create")
        return pack(call, self._runtime, now)

    def _queue(self, call: Call, may_wait: bool) -> list[str]:
        if not self.keeps:
            return self.ids_of(call)
        now = self._now()
        entries = self._pack(call, now)
        if self._origins is not None:
            self._origins.come(call, entries)
        dropped = self._store.queue(entries, now.steady_s + self._flush_interval_s, may_wait)
        self._sender.count(queued=len(entries), dropped=dropped)
        if dropped and not self._warned_of_drops:
            self._warned_of_drops = True
            self._logger.error(
                "The outbox is full: its oldest notifications are dropped; client.outbox.counters says how many"
            )
        if self._origins is not None:
            self._origins.queued(call, entries)
        self._worker.notice()
        return [notification_id(entry) for entry in entries]

    @property
    @discreet
    def pending(self) -> int:
        """How many notifications wait for Target, those of other processes in the same file included."""
        return self._look(self._store.counts).pending

    @property
    def volatile(self) -> int:
        """How many of those end with this process: all in memory, and those that an SQLite file has not taken yet."""
        return self._look(self._store.volatile)

    @property
    @discreet
    def dead_letters(self) -> list[DeadLetter]:
        """What was given up, oldest first: the latest ``max_pending`` of them."""
        return [
            DeadLetter(read_notification(entry.notification), reason, status, entry.queued_at, message)
            for entry, reason, status, message in self._look(self._store.dead_letters)
        ]

    @property
    def counters(self) -> dict[str, int]:
        """What this process did so far: notifications ``queued``, ``acknowledged``, ``dead``, ``dropped`` since there
        was no room, and ``retried`` (each time anew), and ``batches`` sent."""
        begin_anew_if_forked()
        return self._sender.counters()

    @property
    def senders(self) -> int:
        """How many threads are sending."""
        return self._worker.serving

    def status(self) -> dict[str, int]:
        """``counters``; and, as far as it was last known without asking the store, how many notifications are
        ``pending`` and how many ``dead_letters`` there are, those of other processes included."""
        known = self._store.known()
        return {**self.counters, "pending": known.pending, "dead_letters": known.dead}

    def store_status(self) -> dict[str, Any]:
        """Where notifications wait: its ``name``, whether it is ``usable``, how many are in memory (``volatile``)."""
        store = self._store
        return {"name": store.name, "usable": store.is_usable, "volatile": store.volatile()}

    @discreet
    def flush(self, timeout: float | None = None) -> bool:
        """Send at once what waits now: True when all of it was acknowledged or given up.

        Args:
            timeout: Milliseconds to wait for that, at most. None waits for as long as it takes, which may be
                ``max_age``.

        Raises:
            OptionsError: ``timeout`` is no duration.
        """
        begin_anew_if_forked()
        return self._worker.flush(None if timeout is None else parse_milliseconds("timeout", timeout) / 1000)

    @discreet
    def retry_dead_letters(self) -> int:
        """Queue what was given up once more, with its age counted from now: how many there was room for."""
        begin_anew_if_forked()
        revived = self._store.revive()
        if revived:
            self._sender.count(queued=revived)
            self._worker.notice()
        return revived

    def close(self, timeout_ms: float) -> None:
        """Flush for at most ``timeout_ms`` milliseconds and end the threads. Closing twice is harmless.

        What is not sent by then stays in an SQLite file for the next process, and is lost in memory, which is logged.
        """
        begin_anew_if_forked()
        self._closed = True
        self._worker.close(timeout_ms / 1000)

    def _look(self, read: Callable[[], T]) -> T:
        begin_anew_if_forked()
        try:
            return read()
        finally:
            if self._closed:  # reading opened the file again
                self._store.close()


def _lease_s(outbox: Outbox, timeout_s: float) -> float:
    lease_s = outbox.lease / 1000
    if not outbox.outlives_process:
        return max(lease_s, 2 * timeout_s)  # nobody else is there to take over
    if lease_s <= timeout_s:
        raise OptionsError("Option 'lease' of the outbox must be longer than the client's 'timeout'")
    return lease_s


def _open(outbox: Outbox, settings: StoreSettings) -> SteadyStore:
    try:
        store = outbox.open(settings)
    except TargetError:
        raise
    except Exception as error:  # noqa: BLE001  (the caller's own code can raise anything)
        raise OptionsError(f"Option 'store' of the outbox raised {type(error).__name__}") from stand_in_for(error)
    lacking = [name for name in _METHODS if not callable(attribute_of(store, name))]
    if lacking:
        raise OptionsError(f"Option 'store' of the outbox returned no Store: it lacks {', '.join(lacking)}")
    return store if isinstance(store, MemoryStore) else DurableStore(store, settings)
