"""How much memory a process holds after so many calls."""

from __future__ import annotations

import contextlib
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


def tree_bytes(root: int) -> int:
    """What a process and all that descend from it hold now; a page that several share counts once (Linux alone)."""
    return sum(_proportional_bytes(process) for process in _descendants(root))


def cpu_by_process(root: int) -> dict[int, float]:
    """Seconds of CPU that a process, and each that descends from it and still runs, has taken (Linux alone)."""
    taken = {}
    for process in _descendants(root):
        with contextlib.suppress(OSError), open(f"/proc/{process}/stat") as stat:
            ticks = stat.read().rpartition(")")[2].split()[11:13]
            taken[process] = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return taken


def _descendants(root: int) -> set[int]:
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat") as stat:
                parents[int(entry)] = int(stat.read().rpartition(")")[2].split()[1])
    found, size = {root}, 0
    while len(found) > size:
        size = len(found)
        found |= {process for process, parent in parents.items() if parent in found}
    return found


def _proportional_bytes(process: int) -> int:
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{process}/smaps_rollup") as rollup:
        return next((int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:")), 0)
    return 0  # it has just ended
