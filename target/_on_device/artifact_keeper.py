"""The thread that keeps one client's rules artifact up to date, and what others ask of it."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable

from target._background.clock import monotonic_s
from target._background.flag import Flag
from target._background.forks import renew_in_children
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
_PAUSE_AFTER_ERROR_S = 1.0

_Asked = tuple[str | None, float]


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
        self._logger = client_config.logger
        self._source = Fetcher(config, downloads, client_config.max_response_bytes, client_config.max_response_values)
        self._rotation = ArtifactRotation(config, client_config, emit, record)
        self._announced_at_s: float | None = None
        self._is_ready_told = False
        self._started = self._closed = False
        self._begin()
        renew_in_children(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        # A SimpleQueue may be put into from anywhere, a garbage collection in the middle of a get included.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._abort = Abort()
        self._ready = Flag()
        if self._rotation.current is not None or self._closed:
            self._ready.set()
        self._end = weakref.finalize(self, self._wake.put, None)
        self._end.atexit = False
        self._is_left_alone = False

    def begin_anew(self) -> None:
        """In a forked child: the thread stayed behind, and goes on here once somebody asks. The artifact, if there was
        one, stays in use."""
        self._end.detach()
        self._begin()
        self._is_left_alone = True

    def _go_on(self) -> None:
        with self._lock:
            if not self._is_left_alone:
                return
            self._is_left_alone = False
            if self._started and not self._closed and (self._rotation.due_in_s() is not None or self._owes_ready()):
                self._start_thread()

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

    def start(self) -> None:
        """Take the artifact that was given, if one was, and begin to fetch. Never fails; twice is harmless."""
        if self._is_left_alone:
            self._go_on()
        with self._lock:
            if self._started or self._closed:
                return
            self._started = True
        self._rotation.take_payload()
        self._mark_ready()
        self._start_thread()

    def announce(self) -> None:
        """Allow client_ready, which the thread emits once there is an artifact: ``create`` is about to return."""
        if self._is_left_alone:
            self._go_on()
        if self._announced_at_s is None:
            self._announced_at_s = monotonic_s()
            self._wake.put(None)

    def wait_until_ready(self, timeout_s: float | None) -> bool:
        """Wait for the first artifact, up to ``timeout_s`` seconds (None: as long as it takes): whether it is there.

        Returns at once when the keeper is closed, was not started, or asks itself, from the handler of an event.
        """
        is_there = self.current is not None
        if not is_there and self._started and threading.current_thread() is not self._thread:
            self._ready.wait(timeout_s)
        return self._rotation.current is not None

    def close(self, timeout_s: float) -> None:
        """End the thread, and wait up to ``timeout_s`` seconds for that. The artifact stays. Twice is harmless."""
        self._closed = True
        self._ready.set()
        self._abort()
        self._source.end()
        self._wake.put(None)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def _start_thread(self) -> None:
        arguments = (weakref.ref(self), self._wake, self._source, self._abort)
        self._thread = threading.Thread(target=_keep, args=arguments, name="target-artifact", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system's limit, or the interpreter is about to end
            self._thread = None
            self._logger.error("No thread can be started to download the artifact: it stays as it is")

    def _mark_ready(self) -> None:
        if self._rotation.current is not None:
            self._ready.set()

    def _owes_ready(self) -> bool:
        return self._announced_at_s is not None and not self._is_ready_told

    def turn(self, outcome: Fetched | Exception | None) -> tuple[_Asked | None, float | None]:
        """For the thread: use what a download brought, tell what is to be told.

        Returns:
            The known version and seconds of the download that is due; else None, and the seconds until one is, or None
            again where none ever is.
        """
        try:
            return self._turn(outcome)
        except BaseException:  # noqa: BLE001  (all that is left to raise is the caller's own logger)
            return None, _PAUSE_AFTER_ERROR_S

    def _turn(self, outcome: Fetched | Exception | None) -> tuple[_Asked | None, float | None]:
        rotation = self._rotation
        if outcome is not None:
            rotation.take(outcome)
            self._mark_ready()
        rotation.settle()
        ready_in_s = self._tell_ready()
        due_in_s = rotation.due_in_s()
        if due_in_s is None or due_in_s > 0:
            waits = [seconds for seconds in (due_in_s, ready_in_s) if seconds is not None]
            return None, min(waits, default=None)
        return rotation.ask(), None

    def _tell_ready(self) -> float | None:
        """Emit client_ready when its time has come; else the seconds until then, None where nothing is known of it."""
        if not self._owes_ready() or self._announced_at_s is None or self._rotation.current is None:
            return None
        wait_s = self._announced_at_s + _READY_DELAY_S - monotonic_s()
        if wait_s > 0:
            return wait_s
        self._is_ready_told = True
        if not self._closed:
            self._rotation.tell(CLIENT_READY)
        return None

    @property
    def is_closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed


def _keep(reference: weakref.ref[ArtifactKeeper], wake: queue.SimpleQueue[None], source: Fetcher, abort: Abort) -> None:
    """The thread. While it waits or downloads it holds no keeper: handlers of events may lead to the client."""
    outcome: Fetched | Exception | None = None
    while (keeper := reference()) is not None and not keeper.is_closed:
        asked, due_in_s = keeper.turn(outcome)
        del keeper
        outcome = None
        if asked is not None:
            outcome = source.fetch(*asked, abort)
        else:
            _wait(wake, due_in_s)


def _wait(wake: queue.SimpleQueue[None], seconds: float | None) -> None:
    try:
        wake.get(timeout=seconds)
    except queue.Empty:
        return
