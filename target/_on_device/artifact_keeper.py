"""The thread that keeps one client's rules artifact up to date, and what others ask of it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from target._background.clock import monotonic_s
from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._background.service import Service, Work
from target._http.abort import Abort
from target._on_device.artifact_rotation import ArtifactRotation, DownloadTimes
from target._on_device.artifact_source import Fetched, Fetcher
from target._on_device.download import Downloads
from target.config import ClientConfig
from target.decisioning.artifact import Artifact
from target.decisioning.trace import Retrieval
from target.events import CLIENT_READY, Emit
from target.on_device_config import OnDeviceConfig

_READY_DELAY_S = 0.1  # so that `client = TargetClient.create(...)` has been assigned when the handler runs


class ArtifactKeeper:
    """The current artifact of one client. Its thread is a daemon that ends with ``close``, or with this object.

    Args:
        config: Where the artifact is, and when to fetch it.
        client_config: Size limit, timeout and logger.
        downloads: What fetches it from the CDN; it must not hold the client.
        emit: Is told of events, on the thread.
        record: Is told what a download took, on the thread, before its artifact is used.
    """

    def __init__(
        self,
        config: OnDeviceConfig,
        client_config: ClientConfig,
        downloads: Downloads,
        emit: Emit,
        record: Callable[[DownloadTimes], object] | None = None,
    ) -> None:
        self._source = Fetcher(config, client_config, downloads, partial(_ask_again, weakref.ref(self)))
        self._rotation = ArtifactRotation(config, client_config, emit, record)
        self._is_offline = client_config.offline
        self._announced_at_s: float | None = None
        self._is_ready_told = False
        self._started = self._closed = False
        take = partial(_take, weakref.ref(self))
        self._service = Service("target-artifact", take=take, logger=client_config.logger)
        weakref.finalize(self, self._service.end).atexit = False
        weakref.finalize(self, self._source.end).atexit = False
        self._begin()
        renew_in_children(self)

    def _begin(self) -> None:
        self._abort = Abort()
        self._ready = Flag()
        self._is_asking = False
        self._mark_ready()
        self._is_left_alone = False

    def begin_anew(self) -> None:
        """In a forked child: the thread stayed behind, and goes on here once somebody asks. The artifact, if there was
        one, stays in use."""
        self._begin()
        self._is_left_alone = True

    def _go_on(self) -> None:
        self._is_left_alone = False
        if self._rotation.due_in_s() is not None or self._owes_ready():
            self._service.wake()

    @property
    def current(self) -> Artifact | None:
        """The artifact to decide from; None while there is none."""
        if self._is_left_alone:
            self._go_on()
        return self._rotation.current

    def retrieval(self) -> Retrieval:
        """How ``current`` came here, for a trace."""
        found = self._rotation.retrieval()
        return found._replace(is_halted=True) if self._closed else found

    def status(self) -> dict[str, Any]:
        """What ``current`` is, and what the last download came to."""
        return self._rotation.status()

    def start(self) -> None:
        """Take the artifact that was given, if one was, and begin to fetch; offline, take the one of the cache in place
        of that. Never fails; twice is harmless."""
        if self._started or self._closed:
            return
        self._rotation.take_payload()
        if self._is_offline:
            self._rotation.take_cached()
        self._mark_ready()
        self._started = True
        self._service.wake()

    def announce(self) -> None:
        """Allow client_ready, which the thread emits once there is an artifact: ``create`` is about to return."""
        if self._announced_at_s is None:
            self._announced_at_s = monotonic_s()
            self._service.wake()

    def wait_until_ready(self, timeout_s: float | None) -> bool:
        """Wait for the first artifact, up to ``timeout_s`` seconds (None: as long as it takes): whether it is there.

        Returns at once when the keeper is closed, was not started, or asks itself, from the handler of an event.
        """
        is_there = self.current is not None
        if not is_there and self._started and not self._service.is_inside:
            self._ready.wait(timeout_s)
        return self._rotation.current is not None

    def close(self, timeout_s: float) -> None:
        """End the thread, and wait up to ``timeout_s`` seconds for that. The artifact stays. Twice is harmless."""
        self._closed = True
        self._mark_ready()
        self._abort()
        self._source.end()
        self._service.close(timeout_s)

    def _mark_ready(self) -> None:
        if self._rotation.current is not None or self._closed or self._is_offline:
            self._ready.set()

    def _owes_ready(self) -> bool:
        return self._announced_at_s is not None and not self._is_ready_told

    def take(self) -> Work | float | None:
        """For the thread: what to do next, or in how many seconds; see Service."""
        if self._closed or self._is_asking or not self._started:
            return None
        if not self._is_offline:
            self._source.watch()
        if self._rotation.has_news:
            return self._rotation.settle
        ready_in_s = self._ready_in_s()
        due_in_s = self._rotation.due_in_s()
        if ready_in_s is not None and ready_in_s <= 0:
            return self._tell_ready
        if due_in_s is not None and due_in_s <= 0:
            self._is_asking = True
            return partial(_fetch, weakref.ref(self), self._source, self._abort)
        return min((seconds for seconds in (due_in_s, ready_in_s) if seconds is not None), default=None)

    def ask_again(self) -> None:
        """Others have newer rules: ask as soon as may be, unless this client never asks again."""
        self._rotation.hurry()
        self._service.wake()

    def ask(self) -> tuple[str | None, float]:
        """For the thread: the known version and seconds of the download that is due."""
        return self._rotation.ask()

    def use(self, outcome: Fetched | Exception | None) -> None:
        """For the thread: use what a download brought."""
        self._is_asking = False
        if outcome is not None and not self._closed:
            self._rotation.take(outcome)
            self._mark_ready()

    def _ready_in_s(self) -> float | None:
        """In how many seconds to emit client_ready; None where nothing is known of that."""
        if not self._owes_ready() or self._announced_at_s is None:
            return None
        if self._rotation.current is None and not self._is_offline:
            return None
        return self._announced_at_s + _READY_DELAY_S - monotonic_s()

    def _tell_ready(self) -> None:
        self._is_ready_told = True
        self._rotation.tell(CLIENT_READY)


def _ask_again(reference: weakref.ref[ArtifactKeeper]) -> None:
    keeper = reference()
    if keeper is not None:
        keeper.ask_again()


def _take(reference: weakref.ref[ArtifactKeeper]) -> Work | float | None:
    keeper = reference()
    return None if keeper is None else keeper.take()


def _fetch(reference: weakref.ref[ArtifactKeeper], source: Fetcher, abort: Abort) -> None:
    """Download. Meanwhile no keeper is held: handlers of events may lead to the client."""
    keeper = reference()
    if keeper is None:
        return
    outcome = None
    try:
        asked = keeper.ask()
        del keeper
        outcome = source.fetch(*asked, abort)
    finally:
        keeper = reference()
        if keeper is not None:
            keeper.use(outcome)
