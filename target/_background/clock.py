"""The clock that durations are measured by, whatever day it is: no test tool that sets the date stops it."""

from __future__ import annotations

import functools
import time
from types import BuiltinFunctionType

# freezegun puts functions of its own wherever a module has time.monotonic or time.perf_counter, but not into a partial,
# and has none for time.clock_gettime; time-machine leaves this clock alone.
if isinstance(time.monotonic, BuiltinFunctionType) or not hasattr(time, "clock_gettime"):
    monotonic_s = functools.partial(time.monotonic)
else:  # imported while the date is set
    monotonic_s = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
