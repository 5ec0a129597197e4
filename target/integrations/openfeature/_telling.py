"""Tells Target of what became of flags, on a thread beside: no evaluation waits for it."""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from functools import partial
from typing import Any

from target import TargetClient
from target._background.clock import monotonic_s
from target._background.ends import send_before_end
from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._background.service import Service, Work
from target.integrations.openfeature._answers import Answer
from target.integrations.openfeature._settings import logger
from target.integrations.openfeature._tracking import Say, Saying, log_failure, say_shown

GATHER_S = 0.1  # what is shown of one answer within this time is told in one call
CLOSE_S = 1.0
MOST_WAITING = 10_000
MOST_UNANSWERED = 1000
_PAUSE_S = 0.05  # where so many are
_QUEUES = ("queue", "queue_notifications")


class Teller:
    """Hands to a client what there is to tell: to its outbox if it has one, else to its worker threads."""

    def __init__(self, client: TargetClient) -> None:
        self._client = client
        self.begin_anew()
        self._service = Service("target-openfeature", take=partial(_take, weakref.ref(self)))
        weakref.finalize(self, self._service.end).atexit = False
        renew_in_children(self)
        send_before_end(self)

    def begin_anew(self) -> None:
        """In a forked child: what waits is the parent's to tell."""
        self._shown: deque[tuple[Answer, str]] = deque()
        self._sayings: deque[Saying] = deque()
        self._due_at_s: float | None = None
        self._unanswered: dict[Saying, Flag] = {}

    def tell_shown(self, answer: Answer, mbox: str) -> None:
        """Tell, in a moment, that ``mbox`` of ``answer`` was shown."""
        if self._is_full(self._shown):
            return
        self._shown.append((answer, mbox))
        if self._due_at_s is None:
            self._due_at_s = monotonic_s() + GATHER_S
            self._service.wake()

    def tell(self, saying: Saying) -> None:
        """Make these calls soon."""
        if not self._is_full(self._sayings):
            self._sayings.append(saying)
            self._service.wake()

    def take(self) -> Work | float | None:
        """For the thread: what to do next, or in how many seconds; see Service."""
        if not self._sayings and self._due_at_s is None:
            return None
        if len(self._unanswered) >= MOST_UNANSWERED:
            return _PAUSE_S
        if self._sayings:
            return self._begin_next
        due_in_s = (self._due_at_s or 0.0) - monotonic_s()
        return due_in_s if due_in_s > 0 else self._hand_over

    def hurry(self) -> None:
        """Hand over at once what waits."""
        self._hand_over()
        while self._sayings:
            self._begin_next()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Hand over what waits, and wait so many seconds at most until it was answered. It may be used again."""
        self.hurry()
        ends_at_s = monotonic_s() + timeout_s
        while (flags := list(self._unanswered.values())) and monotonic_s() < ends_at_s:
            for flag in flags:
                flag.wait(max(0.0, ends_at_s - monotonic_s()))

    def _is_full(self, waiting: deque[Any]) -> bool:
        if len(waiting) < MOST_WAITING:
            return False
        logger.warning("More than %d displays and events wait to be told: one is given up", MOST_WAITING)
        return True

    def _hand_over(self) -> None:
        self._due_at_s = None
        by_answer: dict[Answer, list[str]] = {}
        with contextlib.suppress(IndexError):
            while True:
                answer, mbox = self._shown.popleft()
                by_answer.setdefault(answer, []).append(mbox)
        has_outbox = self._client.outbox is not None
        for answer, mboxes in by_answer.items():
            self._begin(say_shown(answer.result, mboxes, has_outbox))

    def _begin_next(self) -> None:
        with contextlib.suppress(IndexError):
            self._begin(self._sayings.popleft())

    def _begin(self, saying: Saying) -> None:
        unanswered, flag = self._unanswered, Flag()
        unanswered[saying] = flag

        def end() -> None:
            unanswered.pop(saying, None)
            flag.set()

        def answered(value: Any) -> None:
            go_on(partial(saying.send, value))

        def failed(error: Exception) -> None:
            go_on(partial(saying.throw, error))

        def go_on(step: Any) -> None:
            try:
                self._say(step(), answered, failed)
            except StopIteration:
                end()
            except Exception as error:  # noqa: BLE001  (the thread goes on, and so does what waits)
                log_failure(error)
                end()

        go_on(partial(next, saying))

    def _say(self, say: Say, answered: Any, failed: Any) -> None:
        method = getattr(self._client, say.method)
        if say.method not in _QUEUES:
            method(*say.arguments, {**say.options, "callback": answered, "err_callback": failed})
            return
        try:
            value = method(*say.arguments, dict(say.options))
        except Exception as error:  # noqa: BLE001  (whoever says it is told)
            failed(error)
        else:
            answered(value)


def _take(reference: weakref.ref[Teller]) -> Work | float | None:
    teller = reference()
    return None if teller is None else teller.take()
