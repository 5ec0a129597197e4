"""A log of what may happen at every evaluation: told at once, then at most every ten seconds, with how often it was."""

from __future__ import annotations

import logging

from target._background.clock import monotonic_s
from target.loggers import Log

_PAUSE_S = 10.0


class Seldom:
    """Logs to ``logger``; of each message, which the code names, once in a while. Threads may share it: it has no lock,
    and what two of them say at the same time may be told twice, or counted once."""

    def __init__(self, logger: Log) -> None:
        self._logger = logger
        self._told: dict[str, tuple[float, int]] = {}

    def warning(self, message: str, *arguments: object) -> None:
        """As ``logging`` does, unless it was lately."""
        self._log(logging.WARNING, message, arguments)

    def error(self, message: str, *arguments: object) -> None:
        """The same, as an error."""
        self._log(logging.ERROR, message, arguments)

    def begin_anew(self) -> None:
        """Tell everything at once again."""
        self._told.clear()

    def _log(self, level: int, message: str, arguments: tuple[object, ...]) -> None:
        now_s = monotonic_s()
        told_at_s, since = self._told.get(message, (None, 0))
        if told_at_s is not None and now_s - told_at_s < _PAUSE_S:
            self._told[message] = (told_at_s, since + 1)
            return
        self._told[message] = (now_s, 0)
        if since:
            self._logger.log(level, message + " (and %d times in the last while)", *arguments, since)
        else:
            self._logger.log(level, message, *arguments)
