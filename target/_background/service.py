"""The threads of what runs beside calls: begun when there is work, as many as it needs, ended when there is none.

All threads of this package are a Service's. It takes no lock that who wakes it could meet: a signal handler, or a
collection of garbage, may do that in the middle of anything here. And an exception from outside may strike who wakes it
anywhere: that costs no thread, and nobody else's work.
"""

from __future__ import annotations

import contextlib
import math
import queue
import sys
import threading
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TypeVar

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target.loggers import Log

IDLE_S = 2.0  # without work for so long a thread ends
_LONGEST_WATCH_S = 10.0  # for what is due later than that, a thread looks again from time to time
_SHORTEST_WAIT_S = 0.001
_HARDLY_S = 0.02  # so much later than it could be, something due may be done: no second thread waits for it
_PAUSE_AFTER_ERROR_S = 1.0

T = TypeVar("T")

#: One piece of work. It may take its time; what it raises is logged by its type alone.
Work = Callable[[], object]


class Service:
    """Daemon threads that do what they are given by ``put``, or what ``take`` hands out: each piece in an empty
    context, since what is done for many must not count as a part of the request that happened to wake a thread.

    Args:
        name: Of each thread; ``{}`` in it is a number.
        most: How many threads.
        take: Hands out the next piece of work, to whichever thread calls it; or says in how many seconds to call again
            because something will be due then; or None, where nothing waits. Must not block, and must not hold who
            is to be collected while threads run. ``wake`` is to be called whenever there may be something new to take.
        of_use: How many threads there have to be now, at least, for what was asked for to be taken soon, and how many
            at most have something to do. By default, with ``take``, one and ``most``: one that is free stands ready, so
            that who wakes never has to start one, but the first; else as many as there is work for.
        logger: Where failures go.
    """

    def __init__(
        self,
        name: str,
        most: int = 1,
        take: Callable[[], Work | float | None] | None = None,
        of_use: Callable[[], tuple[int, int]] | None = None,
        logger: Log | None = None,
    ) -> None:
        self._name = name
        self._most = most
        self._take = take or self._next_put
        self._of_use = of_use or (self._exactly if take is None else lambda: (1, most))
        self._logger = logger
        self._ended = False
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child: the threads stayed behind."""
        self._threads: list[threading.Thread] = []  # those that will look for work again, in the order of coming
        self._leaving: list[threading.Thread] = []
        self._starting: list[threading.Thread] = []
        # The gates that free threads wait at, each held, a new one each time. Who manages to release one, which is one
        # step, lets its thread go on. The latest goes first, so that those which are not needed stay idle and end.
        self._gates: list[threading.Lock] = []
        self._watched_until_s = math.inf  # when the free thread that waits for what is due first looks again
        self._put: queue.SimpleQueue[tuple[Work, Work | None]] = queue.SimpleQueue()
        self._busy: set[threading.Thread] = set()

    @property
    def threads(self) -> frozenset[threading.Thread]:
        """Those that will look for work again."""
        return frozenset(thread for thread in self._threads.copy() if thread.is_alive())

    @property
    def is_inside(self) -> bool:
        """Whether the calling thread is one of them, which must not wait for what they do."""
        return threading.current_thread() in self._threads

    def put(self, work: Work, then: Work | None = None) -> bool:
        """Let a thread do ``work``, in the order of coming; then, when it is free for more, ``then``. See ``wake``."""
        self._put.put((work, then))
        return self.wake()

    def do_here(self) -> None:
        """Do all that was put and not begun, on the calling thread."""
        while (work := self._next_put()) is not None:
            Context().run(work)

    def wake(self) -> bool:
        """There may be something to take: False when no thread is free, and none can be started."""
        if self._open_gate():
            return True
        least = min(self._of_use()[0], self._most)
        if len(self._threads) >= least and not any(thread.is_alive() for thread in self._threads.copy()):
            self._drop_dead()
        return self._start(least)

    def end(self) -> None:
        """Let each thread end as soon as there is nothing to take; what is due later is not waited for. Whoever wakes
        it after that is served all the same."""
        self._ended = True
        while self._open_gate():
            pass

    def join(self, timeout_s: float) -> bool:
        """Wait for all threads to end, the calling one excepted: whether they have, in so many seconds."""
        ends_at_s, own = monotonic_s() + timeout_s, threading.current_thread()
        while others := [each for each in self._threads + self._leaving if each is not own and each.is_alive()]:
            if monotonic_s() >= ends_at_s:
                return False
            for thread in others:  # meanwhile they may begin more
                thread.join(max(0.0, ends_at_s - monotonic_s()))
        return True

    def close(self, timeout_s: float) -> bool:
        """``end``, then ``join``."""
        self.end()
        return self.join(timeout_s)

    def _next_put(self) -> Work | None:
        try:
            work, then = self._put.get_nowait()
        except queue.Empty:
            return None
        own = threading.current_thread()
        self._busy.add(own)
        return partial(self._do, own, work, then)

    def _do(self, own: threading.Thread, work: Work, then: Work | None) -> None:
        try:
            work()
        finally:
            self._busy.discard(own)
            if then is not None:
                then()

    def _exactly(self) -> tuple[int, int]:
        wanted = len(self._busy) + self._put.qsize()
        return wanted, wanted

    def _open_gate(self) -> bool:
        with contextlib.suppress(IndexError):
            while True:
                gate = self._gates[-1]
                is_own = _release(gate)
                _remove(self._gates, gate)
                if is_own:
                    return True
        return False

    def _start(self, limit: int) -> bool:
        """Begin another thread, unless there are so many: False where there is none to be had."""
        threads = self._threads
        if len(threads) >= limit:
            return True
        if sys.is_finalizing():  # one would not begin any more: Python 3.11 and before wait for that for ever
            return False
        thread = threading.Thread(target=self._run, name=self._name.format(len(threads) + 1), daemon=True)
        try:
            self._starting.append(thread)
            threads.append(thread)
            if threads.index(thread) < limit:  # others may begin one at the same time
                Context().run(thread.start)
        except RuntimeError:  # the system's limit, or the interpreter is about to end
            if self._logger is not None and len(threads) == 1:
                self._logger.error("No thread can be started (%s): what waits has to wait longer", self._name)
            return False
        finally:
            if not thread.is_alive():  # whoever was struck here: it may come all the same, or be stuck for ever
                _remove(threads, thread)
            _remove(self._starting, thread)
        return True

    def _run(self) -> None:
        own = threading.current_thread()
        has_done_all = False
        try:
            if own not in self._threads:  # who started it was interrupted
                self._threads.append(own)
            while (work := self._next(own)) is not None:
                if not self._gates:
                    self._start(min(self._of_use()[1], self._most))
                try:
                    Context().run(work)
                except BaseException as error:  # noqa: BLE001  (whatever it is must not keep what follows)
                    self._log("Work in the background raised %s", error)
                del work  # an idle thread must not keep a visitor's data
            has_done_all = True
        finally:
            self._busy.discard(own)
            if not has_done_all:  # an exception from outside ends the thread, not the work
                self._leave(own)
                self.wake()

    def _next(self, own: threading.Thread) -> Work | None:
        """The next piece of work for the calling thread; None when it has to end."""
        watches = False
        while not callable(found := self._look()):
            gate = threading.Lock()
            gate.acquire()
            try:
                self._gates.append(gate)
                found = self._look()  # again: what came before the gate was there has woken nobody
                woken = False
                if not callable(found) and not self._ended:
                    woken, watches = self._wait(gate, found)
            finally:
                was_opened = self._shut(gate)
            if was_opened and woken:
                self.wake()  # by somebody else: two threads are asked for
            if callable(found):
                break
            if woken or was_opened or (watches and not self._ended):
                continue
            self._leave(own)  # whoever wakes from here on starts another thread
            found = self._look()
            if not callable(found) and (found is None or self._is_watched(found) or self._ended):
                return None
            self._threads.append(own)
            _remove(self._leaving, own)
            if callable(found):
                break
        if watches:
            self._open_gate()  # another one goes on watching
        return found

    def _look(self) -> Work | float | None:
        try:
            return self._take()
        except BaseException as error:  # noqa: BLE001  (whatever it is must not keep the rest)
            self._log("Looking for work in the background raised %s", error)
            return _PAUSE_AFTER_ERROR_S

    def _wait(self, gate: threading.Lock, due_in_s: float | None) -> tuple[bool, bool]:
        """Wait to be woken, or for what is due: whether it was woken, and whether it is the one that watches."""
        if due_in_s is None or self._is_watched(due_in_s):
            wait_s = IDLE_S if due_in_s is None else min(max(due_in_s, _SHORTEST_WAIT_S), IDLE_S)
            return gate.acquire(timeout=wait_s), False
        wait_s = min(max(due_in_s, _SHORTEST_WAIT_S), _LONGEST_WATCH_S)
        until_s = monotonic_s() + wait_s
        try:
            self._watched_until_s = until_s
            return gate.acquire(timeout=wait_s), True
        finally:
            if self._watched_until_s == until_s:  # else another one waits for what is due sooner
                self._watched_until_s = math.inf

    def _is_watched(self, due_in_s: float) -> bool:
        """Whether another thread looks by then, or hardly later."""
        return self._watched_until_s <= monotonic_s() + due_in_s + _HARDLY_S

    def _shut(self, gate: threading.Lock) -> bool:
        """Take the gate away, so that nobody can open it any more: whether somebody has, since it was last held."""
        _remove(self._gates, gate)
        return not _release(gate)

    def _leave(self, own: threading.Thread) -> None:
        self._drop_dead()
        self._leaving.append(own)
        _remove(self._threads, own)

    def _drop_dead(self) -> None:
        """Forget those that have ended: an exception from outside can end one anywhere, before it can leave."""
        for threads in (self._threads, self._leaving):
            for thread in threads.copy():
                if thread not in self._starting and not thread.is_alive():
                    _remove(threads, thread)

    def _log(self, what: str, error: BaseException) -> None:
        if self._logger is not None:
            with contextlib.suppress(BaseException):  # a logger may be foreign code
                self._logger.error(what, type(error).__name__)


def _release(gate: threading.Lock) -> bool:
    """Whether ``gate`` was held, until now; that is one step."""
    try:
        gate.release()
    except RuntimeError:
        return False
    return True


def _remove(items: list[T], item: T) -> None:
    """Take ``item`` out, in one step, if it is there."""
    with contextlib.suppress(ValueError):
        items.remove(item)
