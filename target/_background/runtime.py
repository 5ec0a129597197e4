"""The real clock, time zone, id source, locks and chance."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from random import SystemRandom

from target import config
from target.config import Runtime

#: A random number from 0 to 1. That of the module random is the program's: a seed that it sets would give all its
#: processes the same pauses, and what is drawn here would change what it draws.
chance = SystemRandom().random
#: Where the system has it (Linux), and how many bytes it gives whole.
_draw_at_once: Callable[[int, int], bytes] | None = getattr(os, "getrandom", None)
_NEVER_WAIT = getattr(os, "GRND_NONBLOCK", 0)
_MOST_AT_ONCE = 256
#: By the digit that was drawn, the one in its place that says that the UUID is of this kind.
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def system_runtime() -> Runtime:
    """Time and ids as the operating system gives them."""
    return Runtime(_now_s, _new_id, _utc_offset_minutes, threading.Lock, _new_ids)


def _now_s() -> float:
    return time.time()  # looked up each time: a test that sets the date may have begun since, or be over


def _new_id() -> str:
    return _new_ids(1)[0]


def _draw(count: int) -> bytes:
    """Random bytes of the system, without letting other threads go first. os.urandom() gives Python's lock away: who
    waits for it is woken each time, mostly in vain, and who computes has it for 5 ms."""
    if _draw_at_once is not None and count <= _MOST_AT_ONCE:
        try:
            return _draw_at_once(count, _NEVER_WAIT)
        except OSError:  # a system that has just begun has none to give; a sandbox may not let anybody ask
            pass
    return os.urandom(count)


def _new_ids(count: int) -> list[str]:
    """Random UUIDs (version 4), all of one draw, since to ask for it is what takes longest. uuid.uuid4() takes twice as
    long for each, and its module costs every start 5 ms."""
    drawn, ids = _draw(16 * count).hex(), []
    while drawn:
        ids.append(f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{_VARIANT[drawn[16]]}{drawn[17:20]}-{drawn[20:32]}")
        drawn = drawn[32:]
    return ids


def _utc_offset_minutes() -> int:
    return time.localtime(time.time()).tm_gmtoff // 60  # freezegun knows no offset, unless it is told the time


config.default_runtime = system_runtime()
