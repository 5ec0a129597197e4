"""How a long run is ended early: Ctrl-C and SIGTERM, at the next moment when all that was done is written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop:
    """Whether a run is to end early: asked between chunks, so that what was written is what was counted."""

    is_wanted = False

    def telling(self, on_progress: Callable[[int, float], object] | None) -> Callable[[int, float], None]:
        """What tells of progress, and ends the run where that is wanted."""

        def tell(done: int, share: float) -> None:
            if on_progress is not None:
                on_progress(done, share)
            if self.is_wanted:
                raise KeyboardInterrupt

        return tell


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Ctrl-C and SIGTERM end a run early, at the next chunk; the second of them at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(_: int, __: object) -> None:
        if stop.is_wanted:
            raise KeyboardInterrupt
        stop.is_wanted = True

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
