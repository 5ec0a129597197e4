"""The clock that durations are measured by, whatever day it is: no test tool that sets the date stops it."""

from __future__ import annotations

import functools
import time

# freezegun replaces time.monotonic and time.perf_counter wherever a module has them, also in modules that are imported
# while the date is set; this it leaves alone. time-machine sets other clocks than this one.
if hasattr(time, "clock_gettime"):
    monotonic_s = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
else:  # Windows
    monotonic_s = functools.partial(time.perf_counter)
