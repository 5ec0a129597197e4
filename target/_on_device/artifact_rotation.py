"""What the artifact is after each download, and when the next download is due: all of keeping it but the thread."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from target._background.clock import monotonic_s
from target._on_device.artifact_cache import read_cache, write_cache
from target._on_device.artifact_source import Fetched
from target.config import ClientConfig
from target.decisioning.artifact import Artifact, parse_artifact, parse_artifact_text
from target.decisioning.artifact_text import ArtifactPayload
from target.decisioning.trace import Retrieval
from target.errors import CacheError, TargetError
from target.events import ARTIFACT_CONFIRMED, ARTIFACT_DOWNLOAD_FAILED, ARTIFACT_DOWNLOAD_SUCCEEDED, Emit
from target.loggers import Log
from target.on_device_config import OnDeviceConfig, without_query
from target.protocols import FetchedArtifact

PAUSES_S = (0.5, 1.5)  # between the three tries of one download
FIRST_WAIT_S = 1.0  # between downloads, until the first that succeeds; doubled each time
LONGEST_WAIT_S = 60.0
TRY_S = 10.0
PAYLOAD = "artifact_payload"  # the option, where a trace tells the location
_MOST_DOUBLINGS = 6  # past the longest wait
_MOST_PROBLEMS = 20  # so that an artifact of which much cannot be used does not fill the log


class DownloadTimes(NamedTuple):
    """How long one download took: in all, for reading, until the head of the answer, for its body; and its size."""

    execution_ms: float
    parsing_ms: float
    first_byte_ms: float
    body_ms: float
    size: int


class _Fresh(NamedTuple):
    """A new artifact, and as it came."""

    artifact: Artifact
    fetched: FetchedArtifact
    parsing_ms: float


class ArtifactRotation:
    """The artifact of one client and what follows it. For one thread; others may read ``current`` and ``status``.

    Args:
        config: Where the artifact is, and when to fetch it.
        client_config: Size limit, timeout and logger.
        emit: Is told of events.
        record: Is told what a download took, before its artifact is used.
    """

    def __init__(
        self,
        config: OnDeviceConfig,
        client_config: ClientConfig,
        emit: Emit,
        record: Callable[[DownloadTimes], object] | None,
    ) -> None:
        self._config = config
        self._most_bytes = client_config.max_response_bytes
        self._most_values = client_config.max_response_values
        self._logger = client_config.logger
        self._try_s = max(TRY_S, client_config.timeout_s)
        self._emit = emit
        self._record = record
        self.current: Artifact | None = None
        self._standby: Artifact | None = None  # from the cache; not used while the CDN may yet answer
        self._version: str | None = None
        self._has_looked_for_cache = False
        self._has_succeeded = False
        self._tries = self._rounds = 0
        self._interval_s = 0.0 if client_config.offline else config.polling_interval_s
        self._next_at_s: float | None = None if client_config.offline else 0.0
        self._retrieved: tuple[int, float | None] = (0, None)  # how often, and when for the last time
        self._known_at_s: float | None = None  # since when ``current`` is known to be the latest
        self._failure: tuple[str, float] | None = None  # the last one, in words, and when it was
        self._is_hurried = False
        self._location = without_query(config.artifact_location)
        self._is_failing = False  # and that was told
        self._news: list[_Fresh | Exception | None] = []  # None: the latest is in use again

    def take_payload(self) -> None:
        """Use the artifact that the caller gave, if one was given."""
        payload = self._config.artifact_payload
        if payload is None:
            return
        try:
            self.current = parse_artifact(payload, _ProblemLog(self._logger))
            self._location = PAYLOAD
        except Exception as error:  # noqa: BLE001  (the caller's object can raise anything; it is told as an event)
            self._news.append(error)
            return
        self._succeed()

    def take_cached(self) -> None:
        """Use the artifact that the cache keeps, however old, where there is none yet: for who never fetches one."""
        if self.current is None:
            self._look_for_cache()
            self.current, self._standby = self._standby, None

    def retrieval(self) -> Retrieval:
        """How ``current`` came here, as a trace tells it; the query of its URL, which can be a secret, left out."""
        count, last_s = self._retrieved
        interval_ms = round(self._config.polling_interval_s * 1000)
        return Retrieval(self._location, interval_ms, self._next_at_s is None, count, last_s)

    def status(self) -> dict[str, Any]:
        """What ArtifactStatus says of this. Any thread may ask."""
        current, known, failure = self.current, self._known_at_s, self._failure
        return {
            "version": None if current is None else current.version,
            "source_version": None if current is None else self._version,
            "source": self._config.source_name,
            "age": None if current is None or known is None else round((monotonic_s() - known) * 1000),
            "last_error": None if failure is None else failure[0],
            "last_error_at": None if failure is None else round(failure[1] * 1000),
        }

    def due_in_s(self) -> float | None:
        """Seconds until the next download is due; None when none ever is."""
        if self._next_at_s is None:
            return None
        return 0.0 if self._is_hurried else self._next_at_s - monotonic_s()

    def hurry(self) -> None:
        """Let a download be due, once the one in progress has ended. Any thread may call it."""
        self._is_hurried = True

    def ask(self) -> tuple[str | None, float]:
        """The known version and seconds of the download that is due."""
        self._is_hurried = False
        if self.current is None and not self._has_looked_for_cache:
            self._has_looked_for_cache = True
            self._look_for_cache()
        if self.current is None and self._standby is not None:
            # With something to fall back on, `create` should not wait in vain for a CDN that hangs.
            return self._version, min(self._try_s, max(0.5, self._config.maximum_wait_ready_s / 2))
        return self._version, self._try_s

    def take(self, outcome: Fetched | Exception) -> None:
        """Use what a download brought; ``settle`` does what may take longer."""
        try:
            fresh = self._read(outcome)
        except Exception as error:  # noqa: BLE001  (whatever a file holds, the next one may be better)
            self._fail(error)
            return
        if fresh is not None:
            if self._record is not None:
                self._record(_times(fresh))
            previous, self.current = self.current, fresh.artifact
            if previous is not None:
                previous.forget()
            self._location = self._place
            self._version = fresh.fetched.version
            self._news.append(fresh)
        else:
            if self.current is None:
                self.current = self._standby  # whose version was just confirmed
            if self._is_failing:
                self._news.append(None)
        self._succeed()

    @property
    def has_news(self) -> bool:
        """Whether there is something to ``settle``."""
        return bool(self._news)

    def settle(self) -> None:
        """Log, store and tell what has happened since the last time."""
        news, self._news = self._news, []
        for item in news:
            if isinstance(item, Exception):
                self._settle_failure(item)
            elif item is None:
                self.tell(ARTIFACT_CONFIRMED)
            else:
                self._store(item.fetched.content)
                self.tell(
                    ARTIFACT_DOWNLOAD_SUCCEEDED,
                    artifact_payload=ArtifactPayload(item.fetched.content),
                    artifact_location=self._config.artifact_location,
                )

    def tell(self, name: str, **payload: Any) -> None:
        """Emit an event. Whatever its handler raises ends here."""
        with contextlib.suppress(BaseException):  # foreign code: not even SystemExit may end the thread
            self._emit(name, **payload)

    def _read(self, outcome: Fetched | Exception) -> _Fresh | None:
        """The artifact of an answer; None where it is the one that was known."""
        if isinstance(outcome, Exception):
            raise outcome
        fetched = outcome.artifact
        if fetched is None:
            return None
        started_s = monotonic_s()
        artifact = self._parse(fetched.content)
        if self.current is not None:
            artifact.read_ahead(self.current)
        return _Fresh(artifact, fetched, (monotonic_s() - started_s) * 1000)

    def _succeed(self) -> None:
        self._has_succeeded = True
        self._is_failing = False
        self._standby = None
        self._tries = 0
        self._retrieved = (self._retrieved[0] + 1, time.time())
        self._known_at_s = monotonic_s()
        self._next_at_s = monotonic_s() + self._interval_s if self._interval_s else None

    def _fail(self, error: Exception) -> None:
        self._failure = _words_of(error), time.time()
        if self.current is None and self._standby is not None:
            self.current = self._standby
            self._logger.warning("The artifact of artifact_cache is in use, since the download failed: %s", error)
        if self._tries < len(PAUSES_S):
            wait_s = PAUSES_S[self._tries]
            self._tries += 1
        else:
            self._tries = 0
            wait_s = self._config.polling_interval_s
            if not self._has_succeeded:
                wait_s = min(FIRST_WAIT_S * 2 ** min(self._rounds, _MOST_DOUBLINGS), LONGEST_WAIT_S)
                self._rounds += 1
            self._is_failing = True
            self._news.append(error)
        self._next_at_s = monotonic_s() + wait_s

    def _settle_failure(self, error: Exception) -> None:
        kept = "there is none yet" if self.current is None else "the last good one stays in use"
        self._logger.warning("The artifact at %s cannot be used, %s: %s", self._place, kept, _words_of(error))
        self.tell(ARTIFACT_DOWNLOAD_FAILED, artifact_location=self._config.artifact_location, error=error)

    def _look_for_cache(self) -> None:
        path = self._config.artifact_cache
        if path is None:
            return
        try:
            cached = read_cache(path, self._config.artifact_location, self._most_bytes, self._most_values)
            if cached is not None:
                self._standby, self._version = self._parse(cached.content), cached.etag
        except Exception as error:  # noqa: BLE001  (a file that somebody else wrote must not keep the rules away)
            self._logger.warning("artifact_cache is not used: %s", _words_of(error))

    def _store(self, content: bytes) -> None:
        path = self._config.artifact_cache
        if path is None:
            return
        try:
            write_cache(path, self._config.artifact_location, self._version, content)
        except CacheError as error:
            self._logger.warning("artifact_cache is not kept up to date: %s", error)

    def _parse(self, content: bytes) -> Artifact:
        return parse_artifact_text(content, _ProblemLog(self._logger))

    @property
    def _place(self) -> str:
        return without_query(self._config.artifact_location)


class _ProblemLog:
    """Logs why rules of one artifact are left out, when they are first needed; no more than the first few."""

    def __init__(self, logger: Log) -> None:
        self._logger = logger
        self._left = _MOST_PROBLEMS

    def __call__(self, problems: tuple[str, ...]) -> None:
        # A visitor's call may be what needs them, and a logger of the caller's can raise anything.
        with contextlib.suppress(Exception):
            for problem in problems[: self._left]:
                self._logger.warning("The artifact holds a rule that only the server can decide: %s", problem)
            if self._left and len(problems) >= self._left:
                self._logger.warning("Further rules that only the server can decide are not logged")
            self._left = max(self._left - len(problems), 0)


def _words_of(error: Exception) -> str:
    return str(error) if isinstance(error, TargetError) else type(error).__name__


def _times(fresh: _Fresh) -> DownloadTimes:
    content, _, first_byte_ms, body_ms = fresh.fetched
    execution_ms = first_byte_ms + body_ms + fresh.parsing_ms
    return DownloadTimes(execution_ms, fresh.parsing_ms, first_byte_ms, body_ms, len(content))
