"""What the rules of a client mean for a provider: ready, stale, another configuration, an error."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode

from target import ArtifactInfo, AsyncTargetClient, TargetClient

Tell = Callable[[ProviderEvent, ProviderEventDetails], None]


class Readiness:
    """Watches the rules of one client, and tells of what is new while the provider is in use.

    Attributes:
        is_stale: Whether the rules in use are the last good ones, since they could not be fetched again.
    """

    def __init__(self, client: TargetClient | AsyncTargetClient, tell: Tell) -> None:
        self._client = client
        self._tell = tell
        self._is_in_use = self._is_ready = False
        self._version: str | None = None
        self.is_stale = False
        known = weakref.ref(self)  # since the client keeps what watches it

        def watch(info: ArtifactInfo) -> None:
            readiness = known()
            if readiness is not None:
                readiness.took(info)

        weakref.finalize(self, client.watch_artifact(watch)).atexit = False

    def begin(self, is_ready: bool) -> None:
        """The provider was initialized, which OpenFeature tells itself: what comes from now on is told here."""
        self._version = self._version_now()
        self._is_ready, self._is_in_use = is_ready, True

    def end(self) -> None:
        """The provider is in use no more."""
        self._is_in_use = False

    def took(self, info: ArtifactInfo) -> None:
        """Something became of the rules."""
        was_stale, self.is_stale = self.is_stale, info.state == "failed"
        if not self._is_in_use:
            return
        if self.is_stale and self._client.status().ready:
            message = "The rules could not be fetched again: the last good ones are in use"
            self._tell(ProviderEvent.PROVIDER_STALE, ProviderEventDetails(message=message))
        elif self.is_stale:
            message = "The rules could not be fetched: there are none to decide by"
            details = ProviderEventDetails(message=message, error_code=ErrorCode.PROVIDER_NOT_READY)
            self._tell(ProviderEvent.PROVIDER_ERROR, details)
        else:
            was_ready, self._is_ready = self._is_ready, True
            before, self._version = self._version, self._version_now()
            if was_stale or not was_ready:
                self._tell(ProviderEvent.PROVIDER_READY, ProviderEventDetails())
            # Who waits for the first rules may have them before those are told of here.
            if was_ready and info.state == "new" and (self._version is None or self._version != before):
                details = ProviderEventDetails(message="There are new rules")
                self._tell(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, details)

    def _version_now(self) -> str | None:
        """What the source of the rules knows them by."""
        artifact = self._client.status().artifact
        return None if artifact is None else artifact.source_version
