"""The events a client tells its owner about: their names, and delivery that never raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, Protocol

from target.causes import hush, hushed
from target.loggers import Log

if TYPE_CHECKING:
    from target.artifact_info import ArtifactInfo, ArtifactState

CLIENT_READY = "client_ready"
ARTIFACT_DOWNLOAD_SUCCEEDED = "artifact_download_succeeded"
ARTIFACT_DOWNLOAD_FAILED = "artifact_download_failed"
GEO_LOCATION_UPDATED = "geo_location_updated"
SEND_NOTIFICATION_FAILED = "send_notification_failed"
NOTIFICATION_ACKNOWLEDGED = "notification_acknowledged"
NOTIFICATION_DEAD = "notification_dead"
#: No event for handlers: the rules in use are still the latest, after a download that failed.
ARTIFACT_CONFIRMED = "artifact_confirmed"

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

_STATES: dict[str, ArtifactState] = {
    ARTIFACT_DOWNLOAD_SUCCEEDED: "new",
    ARTIFACT_CONFIRMED: "confirmed",
    ARTIFACT_DOWNLOAD_FAILED: "failed",
}


class Emit(Protocol):
    """Tells the owner of one client of an event."""

    def __call__(self, name: str, /, **payload: Any) -> object:
        """Call the handler of ``name``, if there is one."""


class Events:
    """Tells the owner of one client of events, and whoever watches of its rules. Safe to share between threads.

    Args:
        handlers: The owner's, by name.
        logger: Where it goes what they raise.
    """

    def __init__(self, handlers: Mapping[str, EventHandler], logger: Log) -> None:
        self._handlers = handlers
        self._logger = logger
        self._watchers: list[Callable[[ArtifactInfo], object]] = []
        self._latest: ArtifactInfo | None = None

    def __call__(self, name: str, /, **payload: Any) -> None:
        """Call the handler of ``name``, if there is one."""
        emit(self._handlers, name, self._logger, **payload)
        if name in _STATES:
            from target.artifact_info import ArtifactInfo  # only rules have any

            error = payload.get("error")
            self._latest = info = ArtifactInfo(_STATES[name], None if error is None else type(error).__name__)
            for watcher in self._watchers.copy():
                self._tell(watcher, info)

    def watch(self, watcher: Callable[[ArtifactInfo], object]) -> Callable[[], None]:
        """Tell ``watcher`` what became of the rules by now, if anything did, and from now on: what ends that."""
        self._watchers.append(watcher)
        if (latest := self._latest) is not None:
            self._tell(watcher, latest)

        def end() -> None:
            with suppress(ValueError):  # twice is harmless
                self._watchers.remove(watcher)

        return end

    def _tell(self, watcher: Callable[[ArtifactInfo], object], info: ArtifactInfo) -> None:
        try:
            Context().run(watcher, info)
        except Exception as error:  # foreign code; whatever it raises must not reach what fetches the rules
            self._logger.error("What watches the rules raised", exc_info=hushed(error))


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
