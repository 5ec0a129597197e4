"""The store of ``Outbox.sqlite``: the file, and memory for as long as the file cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from target._io.outbox.memory import MemoryStore
from target._io.outbox.sqlite import SqliteStore
from target._io.outbox.store import Claim, Limits, Mark, StoreBroken
from target.delivery.outgoing import Entry, Settlement
from target.outbox import DeadLetter

T = TypeVar("T")

_REST_S = 1.0  # between two tries of a file that cannot be used: each may take as long as its lock is waited for
_NO_MARK: Mark = (None,)


class DurableStore:
    """A Store that never raises StoreBroken: what the file does not take waits in memory, and both are sent from."""

    def __init__(self, path: str, account: str, limits: Limits, logger: logging.Logger) -> None:
        self._path = path
        self._file = SqliteStore(path, account, limits, logger)
        self._memory = MemoryStore(limits)
        self._now_s = limits.now_s
        self._logger = logger
        self._broken_at_s: float | None = None

    def add(self, entries: Sequence[Entry]) -> int:
        """See Store."""
        dropped = self._with_file(lambda: self._file.add(entries), None)
        return self._memory.add(entries) if dropped is None else dropped

    def claim(self) -> Claim | None:
        """See Store."""
        return self._memory.claim() or self._with_file(self._file.claim, None)

    def settle(self, claim: Claim, settlement: Settlement) -> bool:
        """See Store."""
        # Not put off where the file rests: what is not recorded as sent is sent again.
        return self._memory.settle(claim, settlement) or self._with_file(
            lambda: self._file.settle(claim, settlement), False, even_while_resting=True
        )

    def next_due_s(self) -> float | None:
        """See Store."""
        return min(
            (due_s for due_s in (self._memory.next_due_s(), self._with_file(self._file.next_due_s, None)) if due_s),
            default=None,
        )

    def hurry(self) -> None:
        """See Store."""
        self._memory.hurry()
        self._with_file(self._file.hurry, None)

    def mark(self) -> Mark:
        """See Store."""
        return (*self._memory.mark(), *self._with_file(self._file.mark, _NO_MARK))

    def passed(self, mark: Mark) -> bool:
        """See Store. What a file that cannot be used held before is not known to have passed."""
        if not self._memory.passed(mark[:1]):
            return False
        return mark[1] is None or self._with_file(lambda: self._file.passed(mark[1:]), False)

    def pending(self) -> int:
        """See Store."""
        return self._memory.pending() + self._with_file(self._file.pending, 0)

    def dead_letters(self) -> list[DeadLetter]:
        """See Store."""
        none: list[DeadLetter] = []
        letters = [*self._memory.dead_letters(), *self._with_file(self._file.dead_letters, none)]
        return sorted(letters, key=lambda letter: letter.queued_at)

    def revive(self) -> int:
        """See Store."""
        return self._memory.revive() + self._with_file(self._file.revive, 0)

    def volatile(self) -> int:
        """See Store."""
        return self._memory.pending()

    def close(self) -> None:
        """See Store."""
        self._file.close()

    def forget(self) -> None:
        """See Store."""
        self._memory.forget()

    def _with_file(self, work: Callable[[], T], otherwise: T, even_while_resting: bool = False) -> T:
        now_s = self._now_s()
        broken_at_s = self._broken_at_s
        if broken_at_s is not None and 0 <= now_s - broken_at_s < _REST_S and not even_while_resting:
            return otherwise
        try:
            result = work()
        except StoreBroken as error:
            if broken_at_s is None:
                self._logger.error(
                    "The outbox file %s cannot be used (%s): notifications wait in memory, and are lost if the process "
                    "ends before they are sent",
                    self._path,
                    error,
                )
            self._broken_at_s = now_s
            return otherwise
        if broken_at_s is not None:
            self._broken_at_s = None
            self._logger.warning("The outbox file %s can be used again", self._path)
        return result
