"""What is to be done at a certain time: a timer without a thread of its own."""

from __future__ import annotations

from functools import partial

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target._background.service import Service, Work

_MOST = 16  # at once, where some take their time


class _Timers:
    """Those of this process. A forked child has none: what was to be done is the parent's to do."""

    def __init__(self) -> None:
        self.begin_anew()
        self.service = Service("target-later", _MOST, self.take)
        renew_in_children(self)

    def begin_anew(self) -> None:
        """Have none."""
        self.due: dict[object, tuple[float, Work]] = {}  # who takes one out of it does it: that is one step

    def take(self) -> Work | float | None:
        """What is due, or in how many seconds the first is; see Service."""
        now_s = monotonic_s()
        first_s = None
        for key, (at_s, work) in self.due.copy().items():
            if at_s > now_s:
                first_s = at_s - now_s if first_s is None else min(first_s, at_s - now_s)
            elif self.due.pop(key, None) is not None:
                return work
        return first_s


_timers = _Timers()


def do_later(seconds: float, work: Work) -> Work:
    """Do ``work`` on a thread, in so many seconds: what is to be called where it need not be done any more."""
    key = object()
    _timers.due[key] = monotonic_s() + seconds, work
    _timers.service.wake()
    return partial(_timers.due.pop, key, None)
