"""A store that may fail or hang, asked on a thread of its own for a bounded time, and left alone for a while then."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from target._background.forks import pause_for_forks
from target._outbox.one_thread import OneThread, StillAtIt
from target._outbox.store import FORK_S
from target.errors import OutboxFull
from target.foreign import attribute_of, exact_text, is_text
from target.loggers import log_of
from target.protocols import Store, StoreBroken, StoreSettings

T = TypeVar("T")

_REST_S = 1.0  # between two tries of a store that cannot be used: each may take as long as its lock is waited for


class AskedStore:
    """One Store, and whether it can be used. It may be anybody's: neither what it raises nor its types are trusted.

    Args:
        store: The store. An attribute ``name`` of it, if that is text, is what the log calls it.
        settings: What it was opened with.
        hold_s: For so long the oldest question may be without an answer before the store counts as slow.
        look_s: For so long an answer is waited for.

    Attributes:
        name: What the log calls it.
    """

    def __init__(self, store: Store, settings: StoreSettings, hold_s: float, look_s: float) -> None:
        self.store = store
        self._settings = settings
        self._logger = log_of(settings.logger)
        self.hold_s, self.look_s = hold_s, look_s
        name = attribute_of(store, "name")
        self.name = exact_text(name) if is_text(name) else f"store {type(store).__name__}"
        self._thread = OneThread("target-outbox-store")
        self._broken_at_s: float | None = None
        self._has_paused = False
        pause_for_forks(self)

    def before_fork(self) -> None:
        """Let the store do nothing while the process forks: a lock of a file that it holds just then would be the
        child's, too, and nobody would ever give it back there."""
        self._has_paused = self._thread.pause(FORK_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._has_paused:
            self._thread.go_on()

    def begin_anew(self) -> None:
        """In the child of a fork: with a thread of one's own."""
        self._broken_at_s = None
        self._thread.begin_anew()
        with suppress(StoreBroken, OutboxFull):  # the next question says so, too
            _trust_nothing(self.store.begin_anew, object)

    @property
    def is_broken(self) -> bool:
        """Whether it could not be used when it was last tried."""
        return self._broken_at_s is not None

    @property
    def is_behind(self) -> bool:
        """Whether it has not answered for too long."""
        return self._thread.waits_s() > self.hold_s

    @property
    def rests(self) -> bool:
        """Whether it is not worth another try yet."""
        broken_at_s = self._broken_at_s
        return broken_at_s is not None and self._settings.now_s() - broken_at_s < _REST_S

    def ask(
        self,
        work: Callable[[], T],
        *kinds: type,
        wait_s: float | None,
        late: Callable[[Callable[[], T]], object] | None = None,
    ) -> T:
        """What ``work`` returns, which is of one of ``kinds``. See OneThread.do.

        Raises:
            OutboxFull: As the store did.
            StoreBroken: Whatever else it did.
            StillAtIt: The time has passed.
        """
        return self._thread.do(lambda: _trust_nothing(work, *kinds), wait_s, late)

    def look(
        self,
        work: Callable[[], T],
        otherwise: T,
        *kinds: type,
        late: Callable[[Callable[[], T]], object] | None = None,
    ) -> T:
        """The same within ``look_s``; ``otherwise`` where that cannot be known now."""
        if self.rests:
            return otherwise
        return self.attempt(lambda: self.ask(work, *kinds, wait_s=self.look_s, late=late), otherwise)

    def attempt(self, ask: Callable[[], T], otherwise: T) -> T:
        """What ``ask`` returns; ``otherwise`` where it raises, and then the store counts as broken."""
        try:
            result = ask()
        except StillAtIt:
            if self.is_behind:
                self.leave_alone(None)
            return otherwise
        except (StoreBroken, OutboxFull) as error:
            self.leave_alone(str(error))
            return otherwise
        if self._broken_at_s is not None:
            self._broken_at_s = None
            self._logger.warning("The outbox %s can be used again", self.name)
        return result

    def leave_alone(self, why: str | None) -> None:
        """Leave the store alone for a while: it cannot be used, or (None) is locked or slow."""
        was_broken = self._broken_at_s is not None
        self._broken_at_s = self._settings.now_s()
        if not was_broken:
            self._logger.log(
                logging.WARNING if why is None else logging.ERROR,
                "The outbox %s %s: notifications wait in memory, and are lost if the process ends before they are "
                "sent or written",
                self.name,
                "is locked or slow" if why is None else f"cannot be used ({why})",
            )

    def tidy(self) -> None:
        """Let the store see to its upkeep, on this thread."""
        with suppress(StoreBroken, OutboxFull):  # what is wrong here is wrong for whoever stores, who says so
            _trust_nothing(self.store.tidy, object)

    def close(self, last: Callable[[], object]) -> None:
        """After all else do ``last``, close the store and end the thread."""

        def close() -> None:
            with suppress(StoreBroken, OutboxFull):
                _trust_nothing(last, object)
            with suppress(StoreBroken, OutboxFull):
                _trust_nothing(self.store.close, object)

        self._thread.end(close)


def _trust_nothing(work: Callable[[], T], *kinds: type) -> T:
    try:
        result = work()
    except (StoreBroken, OutboxFull):
        raise
    except BaseException as error:  # of foreign code: not even SystemExit may end the thread
        raise StoreBroken(f"it raised {type(error).__name__}") from error
    if not isinstance(result, kinds):
        raise StoreBroken(f"it returned {type(result).__name__} for {' or '.join(kind.__name__ for kind in kinds)}")
    return result
