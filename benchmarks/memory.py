"""How much memory a process holds after so many calls."""

from __future__ import annotations

import gc
import os
import resource
import tracemalloc
from collections.abc import Callable, Sequence


def held_after(call: Callable[[], object], marks: Sequence[int], *, traced: bool) -> list[int]:
    """Bytes held after each number of calls in ``marks``, which rises.

    Traced, they are what Python objects take; otherwise the resident size of the process, which the tracing itself
    would swell.
    """
    if traced:
        tracemalloc.start()
    held, made = [], 0
    for mark in marks:
        for _ in range(mark - made):
            call()
        made = mark
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0] if traced else _resident_bytes())
    return held


def _resident_bytes() -> int:
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, and the peak at that
