"""How a log is written to, whatever it is: the loggers of ``logging``, structlog and loguru, objects of a caller's own.
Every line of this package goes through a ``Log``, which gives it its fields."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from target.errors import OptionsError
from target.foreign import attribute_of, is_a, is_function, kind_of

_NAME = "target"
_MOST_ADAPTERS = 16
_OUR_FRAMES = 2  # between a line of ours and what writes it: %(funcName)s is to name the line's
#: The fields of every record, which say nothing where they are None; none is logging's own.
FIELDS = ("target_method", "target_host", "target_status", "target_ms", "target_request_id")
_NOTHING: Mapping[str, None] = dict.fromkeys(FIELDS)
_METHODS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}


def fields(
    *,
    method: str | None = None,
    host: str | None = None,
    status: int | None = None,
    ms: float | None = None,
    request_id: str | None = None,
) -> dict[str, object]:
    """What a line is about, as its ``extra``; the rest of the fields is None.

    Args:
        method: Of the client, as hooks are told it (``CallInfo.method``).
        host: Which was asked, with a port if there is one.
        status: HTTP's, of the answer.
        ms: How long it took, in milliseconds.
        request_id: The ``X-Request-Id`` that was sent.
    """
    ms = None if ms is None else round(ms, 1)
    return dict(zip(FIELDS, (method, host, status, ms, request_id), strict=True))


class Log(logging.LoggerAdapter[Any]):
    """A log, each of whose records has all FIELDS; and what adapters and loggers of the caller's add themselves.

    Args:
        logger: A ``logging.Logger``, or an adapter of one.
    """

    def __init__(self, logger: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        super().__init__(logger, {})
        # It is asked before each line that is dear to make: without a step between.
        self.isEnabledFor = logger.isEnabledFor  # type: ignore[method-assign]

    def log(self, level: int, msg: object, *args: object, **keywords: Any) -> None:
        """Write a line, as ``logging.Logger.log`` does."""
        if self.isEnabledFor(level):
            given = {**_NOTHING, **(keywords.pop("extra", None) or {})}
            keywords["stacklevel"] = keywords.get("stacklevel", 1) + _OUR_FRAMES
            _write(self.logger, level, msg, args, keywords, given)

    def reaches_somebody(self, level: int) -> bool:
        """Whether a line of this level comes to a handler, as far as loggers and levels of handlers tell. What logging
        falls back on where nobody has set it up is none."""
        if not self.isEnabledFor(level):
            return False
        logger = self.logger
        while is_adapter(logger):
            logger = logger.logger
        while logger is not None:
            if any(each.level <= level and type(each) is not logging.NullHandler for each in logger.handlers):
                return True
            logger = logger.parent if logger.propagate else None
        return False

    def _log(self, level: int, msg: object, args: Any, **keywords: Any) -> None:
        self.log(level, msg, *args, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "logger" not in vars(self):
            raise AttributeError(name)
        return getattr(self.logger, name)  # such as getChild, which only loggers have


class _Below(Log):
    """What an adapter that writes lines in its own way stands upon, for the time of one line."""

    def __init__(self, logger: Any, given: dict[str, Any]) -> None:
        super().__init__(logger)
        self._given = given

    def log(self, level: int, msg: object, *args: object, **keywords: Any) -> None:
        keywords["extra"] = {**self._given, **(keywords.get("extra") or {})}
        keywords["stacklevel"] = keywords.get("stacklevel", 1) + 1  # this frame
        super().log(level, msg, *args, **keywords)


def _write(
    logger: Any, level: int, message: object, args: tuple[object, ...], keywords: dict[str, Any], given: dict[str, Any]
) -> None:
    """Write a line with the fields ``given``. An adapter of logging's kind replaces ``extra`` by its own: so what it
    makes of a line is asked for here, and both are kept."""
    name = _METHODS.get(level, "log")
    while is_adapter(logger):
        kind = type(logger)
        if issubclass(kind, Log):  # such as that of another client
            logger = logger.logger
            continue
        if kind.log is not logging.LoggerAdapter.log or getattr(kind, name) is not getattr(logging.LoggerAdapter, name):
            from copy import copy  # few have such a logger

            logger = copy(logger)  # which writes it in its own way, whatever that is
            logger.logger = _Below(logger.logger, given)
            break
        if not logger.isEnabledFor(level):
            return
        message, changed = logger.process(message, keywords)
        keywords = dict(changed)
        given = {**given, **(keywords.pop("extra", None) or {})}
        logger = logger.logger
    leading = () if name in _METHODS.values() else (level,)
    getattr(logger, name)(*leading, message, *args, **keywords, extra=given)


#: Where what belongs to no client is logged.
LOG = Log(logging.getLogger(_NAME))


def log_of(logger: logging.Logger | Log) -> Log:
    """A Log of what may already be one."""
    return logger if isinstance(logger, Log) else Log(logger)


def parse_logger(name: str, value: object) -> Log:
    """A log by a logger of the standard library, by an adapter of one, or by anything with ``debug`` and ``error``, and
    ``info`` and ``warning`` if it has them: these are called with one text, which is complete. Where it has ``bind``,
    as those of structlog and loguru have, the fields are bound; where its methods have a parameter ``extra``, they are
    passed by that."""
    if issubclass(type(value), Log):
        return value  # type: ignore[return-value]  # that of another client
    if _is_of_logging(value):
        return Log(value)  # type: ignore[arg-type]
    methods = {each: attribute_of(value, each) for each in ("debug", "info", "warning", "error")}
    if is_a(value, type) or not (is_function(methods["debug"]) and is_function(methods["error"])):
        raise OptionsError(
            f"Option {name!r} must be a logger: a logging.Logger, or an object with the functions debug and error, not "
            f"{kind_of(value)}"
        )
    logger = logging.Logger(_NAME)  # known to nobody else, and without a parent
    logger.addHandler(_Forwarding(value, {each for each, method in methods.items() if is_function(method)}))
    return Log(logger)


def is_adapter(value: object) -> bool:
    """Whether it is an adapter of logging's kind."""
    return issubclass(type(value), logging.LoggerAdapter)


def _is_of_logging(value: object) -> bool:
    for _ in range(_MOST_ADAPTERS):
        if not is_adapter(value):
            break
        value = attribute_of(value, "logger")
    return issubclass(type(value), logging.Logger)


class _Forwarding(logging.Handler):
    """Hands each record on as one text: what formats by ``{}`` must not do so with what fits ``%s``."""

    def __init__(self, log: Any, methods: set[str]) -> None:
        super().__init__()
        self._log = log
        # By its class: a stand-in of a test's has whatever is asked for.
        self._binds = is_function(attribute_of(type(log), "bind"))
        self._by_extra = set() if self._binds else {each for each in methods if _takes_extra(getattr(log, each))}
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
        given = {field: getattr(record, field, None) for field in FIELDS}
        try:
            self._writer(name, given)(self.format(record))
        except Exception:  # noqa: BLE001  (foreign code; a log line that cannot be written must not fail a call)
            self.handleError(record)

    def _writer(self, name: str, given: dict[str, object]) -> Callable[..., object]:
        """What writes a text, with the fields as it takes them, if it does. Asked for at each line, as a log may be set
        up later."""
        bound = self._bound(name, given) if self._binds else None
        if bound is not None:
            return bound
        method = getattr(self._log, name)
        owner, own_name = attribute_of(method, "__self__"), attribute_of(method, "__name__")
        if _is_of_logging(owner) and own_name in _METHODS.values():  # behind a proxy, such as those of web frameworks
            return partial(getattr(Log(owner), own_name), extra=given)
        takes_extra = name in self._by_extra or attribute_of(method, "__module__") == logging.__name__
        return partial(method, extra=given) if takes_extra else method

    def _bound(self, name: str, given: dict[str, object]) -> Callable[..., object] | None:
        """The method ``name`` with the fields bound, as those of structlog and loguru have it."""
        with suppress(Exception):
            method = getattr(self._log.bind(**given), name)
            return method if is_function(method) else None
        return None


def _takes_extra(method: Any) -> bool:
    from inspect import signature  # slow to import, and few clients have such a log

    with suppress(TypeError, ValueError):  # of C, or odd
        return "extra" in signature(method).parameters
    return False
