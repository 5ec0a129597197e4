"""Waiting for something to happen, without a lock that waits share.

threading.Event, Semaphore and Future take theirs in Python code: an exception that a signal handler raises there, or
another thread, leaves it held, and who comes next waits for ever, whatever timeout was given.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque


class Flag:
    """Has the methods of a threading.Event, without ``clear``. May be set from anywhere, a signal handler included."""

    def __init__(self) -> None:
        self._is_set = False
        self._gates: deque[threading.Lock] = deque()  # of those who wait, each held

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """It has happened: let all who wait go on."""
        self._is_set = True
        with contextlib.suppress(IndexError):
            while True:
                gate = self._gates.popleft()
                with contextlib.suppress(RuntimeError):  # somebody else has opened it
                    gate.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has happened, for at most so many seconds: whether it has."""
        if self._is_set:
            return True
        gate = threading.Lock()
        gate.acquire()
        self._gates.append(gate)
        try:
            if not self._is_set:  # or it may have been set before it could know of the gate
                gate.acquire(timeout=-1 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX))
        finally:
            with contextlib.suppress(ValueError):
                self._gates.remove(gate)
        return self._is_set
