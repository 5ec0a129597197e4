"""Tells Target what was shown, on a thread beside: no evaluation waits for it."""

from __future__ import annotations

import contextlib
import logging
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial

from target import TargetClient, TargetError
from target._background.clock import monotonic_s
from target._background.ends import send_before_end
from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._background.service import Service, Work
from target.integrations.openfeature._answers import Answer
from target.loggers import Log

logger = Log(logging.getLogger("target.openfeature"))

GATHER_S = 0.05  # what is shown of one answer within this time is told in one call
CLOSE_S = 1.0
_MOST_WAITING = 10_000
_MOST_UNANSWERED = 1000
_PAUSE_S = 0.05  # where so many are


class Teller:
    """Hands to a client what was shown: to its outbox if it has one, else to its worker threads."""

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
        self._other: deque[Work] = deque()
        self._due_at_s: float | None = None
        self._unanswered: dict[object, Flag] = {}

    def tell(self, answer: Answer, mbox: str) -> None:
        """Tell, in a moment, that ``mbox`` of ``answer`` was shown."""
        if len(self._shown) >= _MOST_WAITING:
            logger.warning("More than %d displays wait to be told: one is given up", _MOST_WAITING)
            return
        self._shown.append((answer, mbox))
        if self._due_at_s is None:
            self._due_at_s = monotonic_s() + GATHER_S
            self._service.wake()

    def do(self, work: Work) -> None:
        """Do ``work``, which tells something else, on the thread."""
        self._other.append(work)
        self._service.wake()

    def take(self) -> Work | float | None:
        """For the thread: what to do next, or in how many seconds; see Service."""
        if self._other:
            return self._do_next
        if self._due_at_s is None:
            return None
        if len(self._unanswered) >= _MOST_UNANSWERED:
            return _PAUSE_S
        due_in_s = self._due_at_s - monotonic_s()
        return due_in_s if due_in_s > 0 else self._hand_over

    def hurry(self) -> None:
        """Hand over at once what waits."""
        while self._other:
            self._do_next()
        self._hand_over()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Hand over what waits, and wait so many seconds at most until it was answered. It may be used again."""
        self.hurry()
        ends_at_s = monotonic_s() + timeout_s
        for flag in list(self._unanswered.values()):
            flag.wait(max(0.0, ends_at_s - monotonic_s()))

    def attempt(self, tell: Callable[[], object]) -> None:
        """Tell something; a failure is logged, and harms nothing."""
        try:
            tell()
        except TargetError as error:
            logger.warning("What became of a flag could not be told: %s", error)
        except Exception as error:  # noqa: BLE001  (the thread goes on)
            logger.error("What became of a flag could not be told: %s", type(error).__name__)

    def send(self, call: Callable[..., object]) -> None:
        """Make ``call``, a method of the client that takes callbacks, and note that it is on its way."""
        key, flag = object(), Flag()
        unanswered = self._unanswered

        def ended(error: Exception | None) -> None:
            unanswered.pop(key, None)
            flag.set()
            if error is not None:
                logger.warning("What became of a flag could not be told: %s", error)

        unanswered[key] = flag
        try:
            call(callback=lambda _: ended(None), err_callback=ended)
        except BaseException:
            unanswered.pop(key, None)
            raise

    def _do_next(self) -> None:
        with contextlib.suppress(IndexError):
            self.attempt(self._other.popleft())

    def _hand_over(self) -> None:
        self._due_at_s = None
        by_answer: dict[Answer, list[str]] = {}
        with contextlib.suppress(IndexError):
            while True:
                answer, mbox = self._shown.popleft()
                by_answer.setdefault(answer, []).append(mbox)
        for answer, mboxes in by_answer.items():
            if self._client.outbox is not None:
                self.attempt(partial(self._client.queue, answer.result, displayed=mboxes))
            else:
                notify = partial(self._client.notify, answer.result, displayed=mboxes)
                self.attempt(partial(self.send, notify))


def _take(reference: weakref.ref[Teller]) -> Work | float | None:
    teller = reference()
    return None if teller is None else teller.take()
