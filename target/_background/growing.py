"""Threads that grow with the work there is, and end when there is none: what sends in the background runs on them.

``background_concurrency`` (``ClientConfig``) is how many. Who has work gives ``take`` and calls ``ask`` whenever there
may be something new to take; everything else happens here.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from contextvars import Context

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children

IDLE_S = 2.0  # without work for so long a thread ends
_LONGEST_WATCH_S = 10.0  # for what is due later than that, a thread looks again from time to time
_SHORTEST_WAIT_S = 0.001
_LOST_WAKE_S = 1.0

#: One piece of work. It may take its time; what it raises is logged by its type alone.
Work = Callable[[], object]


class Growing:
    """At most ``most`` daemon threads: another begins whenever all there are have work, and ends when it has none.

    One that is free always stands ready, so that who asks never has to start one, but the first.

    Args:
        take: Hands out the next piece of work, to whichever thread calls it; or says in how many seconds to call again
            because something will be due then; or None, where nothing waits. Must not block, and must not hold who
            is to be collected while threads run.
        most: How many threads.
        name: Of each thread.
        logger: Where failures go.
        of_use: How many threads there have to be now, at least, for what was asked for to be taken soon, and how many
            at most have something to do; by default one, and ``most``.
    """

    def __init__(
        self,
        take: Callable[[], Work | float | None],
        most: int,
        name: str,
        logger: logging.Logger,
        of_use: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self._take = take
        self._most = most
        self._of_use = of_use or (lambda: (1, most))
        self._name = name
        self._logger = logger
        self._ended = False
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child: the threads stayed behind."""
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        # The gates that free threads wait at, each held; releasing one lets its thread go on. The latest goes first, so
        # that those which are not needed stay idle and end.
        self._gates: list[threading.Lock] = []
        self._watched = False  # whether a free thread waits for what is due later

    def ask(self) -> None:
        """There may be something to take. Never blocks or raises, and may be called from anywhere."""
        if not self._wake() and len(self._threads) < (least := self._of_use()[0]):
            self._start(least)

    def end(self) -> None:
        """Let each thread end as soon as there is nothing to take; what is due later is not waited for."""
        self._ended = True
        while self._wake():
            pass

    def join(self, timeout_s: float) -> bool:
        """Wait for all threads to end, the calling one excepted: whether they have, in so many seconds."""
        ends_at_s = monotonic_s() + timeout_s
        while others := self.threads - {threading.current_thread()}:
            for thread in others:  # meanwhile they may begin more
                thread.join(max(0.0, ends_at_s - monotonic_s()))
            if monotonic_s() >= ends_at_s:
                return not any(thread.is_alive() for thread in others)
        return True

    @property
    def threads(self) -> frozenset[threading.Thread]:
        """Those that live now."""
        with self._lock:
            return frozenset(thread for thread in self._threads if thread.is_alive())

    def _wake(self) -> bool:
        try:
            gate = self._gates.pop()
        except IndexError:
            return False
        gate.release()
        return True

    def _start(self, most: int) -> None:
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        with self._lock:
            if len(self._threads) >= min(most, self._most):
                return
            self._threads.add(thread)
            try:
                # In a context of its own: what a thread does belongs to no request, whoever asked first.
                Context().run(thread.start)
            except RuntimeError:  # the system's limit, or the interpreter is about to end
                if len(self._threads) == 1:
                    self._logger.error("No thread can be started to send in the background: what waits is not sent yet")
            finally:
                if thread.ident is None:
                    self._threads.discard(thread)

    def _run(self) -> None:
        own, gate = threading.current_thread(), threading.Lock()
        gate.acquire()
        try:
            while (work := self._next(own, gate)) is not None:
                if not self._gates and len(self._threads) < (most := self._of_use()[1]):
                    self._start(most)
                try:
                    work()
                except BaseException as error:  # noqa: BLE001  (whatever it is must not keep what follows)
                    with contextlib.suppress(BaseException):  # a logger may be foreign code
                        self._logger.error("Work in the background raised %s", type(error).__name__)
                del work  # an idle thread must not keep a visitor's data
        finally:
            with contextlib.suppress(ValueError):  # an exception raised from outside ends a thread anywhere
                self._gates.remove(gate)
            if not self._ended:  # after that they are kept, to be joined
                with self._lock:
                    self._threads.discard(own)

    def _next(self, own: threading.Thread, gate: threading.Lock) -> Work | None:
        """The next piece of work for the calling thread; None when it has to end."""
        watches = False
        found = self._take()
        while not callable(found):
            self._gates.append(gate)
            found = self._take()  # again: what came before the gate was there has woken nobody
            if callable(found) or self._ended:
                self._withdraw(gate)
                break
            woken, watches = self._wait(gate, found)
            found = self._take()
            if woken or watches or callable(found):
                continue
            with self._lock:  # idle for long enough; whoever asks from here on starts another thread
                self._threads.discard(own)
            found = self._take()
            if found is None or (self._watched and not callable(found)):
                return None
            with self._lock:
                self._threads.add(own)
        if watches:
            self._wake()  # another one goes on watching
        return found if callable(found) else None

    def _wait(self, gate: threading.Lock, due_in_s: float | None) -> tuple[bool, bool]:
        """Wait to be woken, or for what is due: whether it was woken, and whether it is the one that watches."""
        watches = due_in_s is not None and not self._watched
        if watches:
            self._watched = True
        longest_s = _LONGEST_WATCH_S if watches else IDLE_S
        wait_s = longest_s if due_in_s is None else min(max(due_in_s, _SHORTEST_WAIT_S), longest_s)
        woken = gate.acquire(timeout=wait_s) or not self._withdraw(gate)
        if watches:
            self._watched = False
        return woken, watches

    def _withdraw(self, gate: threading.Lock) -> bool:
        """Take the gate away, closed. False when somebody has opened it, or is about to."""
        try:
            self._gates.remove(gate)
        except ValueError:
            gate.acquire(timeout=_LOST_WAKE_S)
            return False
        return True
