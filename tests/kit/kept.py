"""A log whose records are kept."""

from __future__ import annotations

import logging


class Kept(logging.Handler):
    """Keeps the records of ``logger``, by default of one of its own that nobody else knows."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.logger = logger or logging.Logger("kept", logging.DEBUG)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def lines(self, level: int = logging.DEBUG) -> list[str]:
        """The texts of this level and above."""
        return [record.getMessage() for record in self.records if record.levelno >= level]
