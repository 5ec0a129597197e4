"""The real clock, time zone, id source, locks and chance."""

from __future__ import annotations

import os
import threading
import time
from random import SystemRandom

from target import config
from target.config import Runtime

#: A random number from 0 to 1. That of the module random is the program's: a seed that it sets would give all its
#: processes the same pauses, and what is drawn here would change what it draws.
chance = SystemRandom().random


def system_runtime() -> Runtime:
    """Time and ids as the operating system gives them."""
    return Runtime(_now_s, _new_id, _utc_offset_minutes, threading.Lock)


def _now_s() -> float:
    return time.time()  # looked up each time: a test that sets the date may have begun since, or be over


def _new_id() -> str:
    """A random UUID (version 4): uuid.uuid4() takes twice as long, and its module costs every start 5 ms."""
    drawn = os.urandom(16)
    text = drawn.hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[drawn[8] & 3]}{text[17:20]}-{text[20:]}"


def _utc_offset_minutes() -> int:
    return time.localtime(time.time()).tm_gmtoff // 60  # freezegun knows no offset, unless it is told the time


config.default_runtime = system_runtime()
