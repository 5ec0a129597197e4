"""The events a client tells its owner about: their names, and delivery that never raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any, Protocol

from target.causes import hush, hushed
from target.loggers import Log

CLIENT_READY = "client_ready"
ARTIFACT_DOWNLOAD_SUCCEEDED = "artifact_download_succeeded"
ARTIFACT_DOWNLOAD_FAILED = "artifact_download_failed"
GEO_LOCATION_UPDATED = "geo_location_updated"
SEND_NOTIFICATION_FAILED = "send_notification_failed"
NOTIFICATION_ACKNOWLEDGED = "notification_acknowledged"
NOTIFICATION_DEAD = "notification_dead"

EVENT_NAMES = (
    CLIENT_READY,
    ARTIFACT_DOWNLOAD_SUCCEEDED,
    ARTIFACT_DOWNLOAD_FAILED,
    GEO_LOCATION_UPDATED,
    SEND_NOTIFICATION_FAILED,
    NOTIFICATION_ACKNOWLEDGED,
    NOTIFICATION_DEAD,
)

EventHandler = Callable[[dict[str, Any]], object]


class Emit(Protocol):
    """Tells the owner of one client of an event."""

    def __call__(self, name: str, /, **payload: Any) -> object:
        """Call the handler of ``name``, if there is one."""


def emit(handlers: Mapping[str, EventHandler], name: str, logger: Log, /, **payload: Any) -> None:
    """Call the handler of ``name``, if any, with ``{"type": name, **payload}``, in an empty context. What it raises is
    logged, by class and place: its words may quote what it was told."""
    handler = handlers.get(name)
    if handler is None:
        return
    for value in payload.values():
        if isinstance(value, BaseException):
            hush(value)
    try:
        Context().run(handler, {"type": name, **payload})  # whoever is met by it has no part in it
    except Exception as error:  # a handler is foreign code; whatever it raises must not reach a call
        logger.error("The handler of event %s raised", name, exc_info=hushed(error))
