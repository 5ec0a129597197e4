"""Owns what clients log while a command runs: it is told in lines as the command's own, but where a line says more."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGER = logging.getLogger("target")


class _Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of a record."""
        self.messages.append(record.getMessage())


@contextmanager
def kept_warnings() -> Iterator[list[str]]:
    """The warnings that clients log meanwhile, as they come; while they are kept, Python prints none itself."""
    kept = _Kept()
    _LOGGER.addHandler(kept)
    try:
        yield kept.messages
    finally:
        _LOGGER.removeHandler(kept)
