"""Tells the log of one client what its developers should know: once for each cause, however many calls meet it."""

from __future__ import annotations

import logging
from typing import Any

_MOST_CAUSES = 1000  # beyond, nothing more is told: names may come from what visitors send


class Notices:
    """What one client has told. Safe to share between threads; a copy in another process begins anew, with the logger
    ``target``.

    Args:
        logger: The client's.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("target")
        self._told: dict[tuple[str, ...], object] = {}

    def warn_once(self, cause: tuple[str, ...], message: str, *arguments: Any) -> None:
        """Log a warning, unless one has been for the same ``cause``."""
        told, mine = self._told, object()
        # In one step, so that two threads do not both tell it.
        if cause not in told and len(told) < _MOST_CAUSES and told.setdefault(cause, mine) is mine:
            self._logger.warning(message, *arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return Notices, ()
