"""What the scripts of these tests share: calls that an exception from outside strikes at any point."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import logging
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from target import TargetClient, TargetError

LONGEST_S = 12
warnings.simplefilter("ignore")  # what was interrupted is closed by whoever collects it
sys.unraisablehook = lambda _: None
threading.excepthook = lambda _: None
logging.raiseExceptions = False


class Limit(BaseException):
    """A soft time limit."""


class Wrong(BaseException):
    """An answer of another request."""


def guard() -> None:
    """Show where every thread is, and end, when something blocks for ever."""
    faulthandler.dump_traceback_later(LONGEST_S, exit=True)


def ask(client: TargetClient, number: int) -> None:
    """Make a call, and check that its answer is its own."""
    request: Any = {"execute": {"mboxes": [{"name": f"mbox-{number}"}]}, "requestId": f"request-{number}"}
    check(client.get_offers(request=request), number)


def ask_aside(client: TargetClient, number: int, within_s: float) -> None:
    """The same with a callback, for whose result it waits."""
    request: Any = {"execute": {"mboxes": [{"name": f"mbox-{number}"}]}, "requestId": f"request-{number}"}
    check(client.get_offers(request=request, callback=lambda _: None).get(within_s), number)


def check(result: Any, number: int) -> None:
    """Whether ``result`` answers the call ``number``."""
    response = result.response
    if response.request_id != f"request-{number}" or response.execute.mboxes[0].name != f"mbox-{number}":
        raise Wrong(f"{number} got {response.to_dict()}")


def strike_by_signal(work: Callable[[int], object], times: int, longest_s: float = 0.002) -> int:
    """Do ``work`` so often, each time with an alarm whose handler raises Limit: how often that interrupted it."""
    rng = random.Random(5)
    armed = False

    def strike(*_: object) -> None:
        if armed:
            raise Limit

    signal.signal(signal.SIGALRM, strike)
    interrupted = 0
    for number in range(1, times + 1):
        try:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, rng.random() * longest_s + 1e-6)
                work(number)
            finally:
                armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Limit:
            interrupted += 1
        except TargetError:
            pass
    gc.collect()
    return interrupted


def strike_threads(work: Callable[[int], object], times: int, threads: int = 2) -> None:
    """Do ``work`` again and again in threads, in which Limit is raised from outside so often."""
    rng = random.Random(7)
    wrong: list[BaseException] = []
    done = threading.Event()

    def work_on() -> None:
        number = 0
        while not done.is_set():
            number += 1
            with contextlib.suppress(Limit, TargetError):
                try:
                    work(number)
                except Wrong as error:
                    wrong.append(error)

    running: list[threading.Thread] = []
    for _ in range(times):
        time.sleep(rng.random() * 0.003)
        running = [thread for thread in running if thread.is_alive()]
        while len(running) < threads:
            running.append(threading.Thread(target=work_on, daemon=True))
            running[-1].start()
        target = ctypes.c_ulong(rng.choice(running).ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(Limit))
    time.sleep(0.1)
    done.set()
    for thread in running:
        thread.join(10)
    gc.collect()
    if wrong:
        raise wrong[0]
