"""How much memory a process holds after so many calls."""

from __future__ import annotations

import gc
import os
import resource
import sys
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
        held.append(tracemalloc.get_traced_memory()[0] if traced else resident_bytes())
    return held


def peak_bytes() -> int:
    """The most that this process was resident with; on Linux without what it was before it became this program."""
    if os.path.exists("/proc/self/status"):
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def resident_bytes() -> int:
    """What this process is resident with now; on macOS the most that it ever was."""
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, and the peak at that
