"""Tells the log of one client what its developers should know: once for each cause, however many calls meet it."""

from __future__ import annotations

import logging
from typing import Any

from target.loggers import LOG, Log

_MOST_OF_A_KIND = 20  # beyond, nothing more of that kind is told: names may come from what visitors send


class Notices:
    """What one client has told. Safe to share between threads, and over a fork: it has no lock. A copy in another
    process begins anew, with the logger ``target``.

    Args:
        logger: The client's.
    """

    def __init__(self, logger: Log | None = None) -> None:
        self._logger = logger or LOG
        self._told: dict[str, dict[tuple[str, ...], object]] = {}  # by the kind of the cause

    def has_told(self, cause: tuple[str, ...]) -> bool:
        """Whether nothing is to be told of ``cause`` any more."""
        told = self._told.get(cause[0])
        return told is not None and (cause in told or len(told) >= _MOST_OF_A_KIND)

    def warn_once(self, cause: tuple[str, ...], message: str, *arguments: Any) -> None:
        """Log a warning, unless one has been for the same ``cause``.

        Args:
            cause: What is wrong, one of a few kinds that the code names; and where, if there may be several places.
            message: In the form of ``logging``. It names places and options, and shows no id and no value.
            arguments: What the message has room for.
        """
        self._tell_once(logging.WARNING, cause, message, arguments)

    def error_once(self, cause: tuple[str, ...], message: str, *arguments: Any) -> None:
        """The same, as an error."""
        self._tell_once(logging.ERROR, cause, message, arguments)

    def _tell_once(self, level: int, cause: tuple[str, ...], message: str, arguments: tuple[Any, ...]) -> None:
        if self.has_told(cause):
            return
        told, mine = self._told.setdefault(cause[0], {}), object()
        if told.setdefault(cause, mine) is not mine:  # in one step, so that two threads do not both tell it
            return
        self._logger.log(level, message, *arguments)
        if len(told) == _MOST_OF_A_KIND:
            self._logger.log(level, "Further cases of the same kind are not logged")

    def __reduce__(self) -> tuple[Any, ...]:
        return Notices, ()
