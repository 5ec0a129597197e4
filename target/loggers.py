"""How a caller's log is written to, whatever it is: the loggers of ``logging``, structlog and loguru, objects of their
own."""

from __future__ import annotations

import logging
from typing import Any

from target.errors import OptionsError
from target.foreign import attribute_of, is_a, is_function, kind_of

_NAME = "target"
_MOST_ADAPTERS = 16


def parse_logger(name: str, value: object) -> logging.Logger:
    """A logger of the standard library, an adapter of one, or anything with ``debug`` and ``error``, and ``info`` and
    ``warning`` if it has them: these are called with one text, which is complete."""
    if _is_of_logging(value):
        return value  # type: ignore[return-value]  # or an adapter, which has the same methods
    methods = {each: attribute_of(value, each) for each in ("debug", "info", "warning", "error")}
    if is_a(value, type) or not (is_function(methods["debug"]) and is_function(methods["error"])):
        raise OptionsError(
            f"Option {name!r} must be a logger: a logging.Logger, or an object with the functions debug and error, not "
            f"{kind_of(value)}"
        )
    logger = logging.Logger(_NAME)  # known to nobody else, and without a parent
    logger.addHandler(_Forwarding(value, {each for each, method in methods.items() if is_function(method)}))
    return logger


def _is_of_logging(value: object) -> bool:
    for _ in range(_MOST_ADAPTERS):
        if not issubclass(type(value), logging.LoggerAdapter):
            break
        value = attribute_of(value, "logger")
    return issubclass(type(value), logging.Logger)


class _Forwarding(logging.Handler):
    """Hands each record on as one text: what formats by ``{}`` must not do so with what fits ``%s``."""

    def __init__(self, log: Any, methods: set[str]) -> None:
        super().__init__()
        self._log = log
        self._methods = (
            (logging.ERROR, "error"),
            (logging.WARNING, "warning" if "warning" in methods else "error"),
            (logging.INFO, "info" if "info" in methods else "debug"),
            (logging.NOTSET, "debug"),
        )

    def createLock(self) -> None:  # noqa: N802  (logging's name)
        """None: what is called has its own, and may lead back here."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """As logging's, without the lock."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Call the method of the record's level. What it raises is told as logging tells what its handlers raise."""
        name = next(name for level, name in self._methods if record.levelno >= level)
        try:
            getattr(self._log, name)(self.format(record))  # asked for each time, as it may be set up later
        except Exception:  # noqa: BLE001  (foreign code; a log line that cannot be written must not fail a call)
            self.handleError(record)
