"""Asks for the artifact, on the CDN or wherever a caller's own source has it, and lets no error or nonsense through."""

from __future__ import annotations

import contextlib
import logging
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, cast

from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._background.service import Service
from target._http.abort import Abort
from target._http.deadline import Deadline
from target._on_device.download import Downloads
from target.causes import hush, stand_in_for
from target.config import ClientConfig
from target.decisioning.artifact import parse_artifact_text
from target.errors import ArtifactError, OptionsError, TargetError, TargetTimeout, TransportError
from target.foreign import attribute_of
from target.on_device_config import OnDeviceConfig, is_shared, without_query
from target.protocols import ArtifactSource, FetchedArtifact, SharedPart, SharedSource, SharingTerms
from target.reading import LEAST_MOST_VALUES, weighs_more

_ONCE_S = 300.0  # for who polls never: rules that are older are asked for when it starts
_BYTES_PER_VALUE = 3  # published artifacts have six and more, and conditions alone come to about three and a half
_ETAG = re.compile(r"[!-~](?:[ -~]{0,510}[!-~])?")
_REFUSED = "The CDN answered {status}, which is no artifact: check the options that say where it is"
_REFUSALS: Mapping[int, str] = {
    401: "The CDN answered 401: these rules are private, and artifact_headers has no token that opens them",
    403: "The CDN answered 403: on-device decisioning is off for this client (switch it on in Target, under "
    "Administration), or the options that say where the artifact is, or artifact_headers, are wrong",
    404: "The CDN answered 404: there is no artifact; check client, environment and property_token, and allow for "
    "20 minutes after on-device decisioning was switched on",
}


class CdnSource(ArtifactSource):
    """The artifact's URL, asked past caches, with the caller's own headers.

    Args:
        config: Where it is, and which headers it takes.
        downloads: What asks for it.
    """

    def __init__(self, config: OnDeviceConfig, downloads: Downloads) -> None:
        self.location = config.artifact_location
        self._headers = config.artifact_headers
        self._downloads = downloads

    def fetch(self, known: str | None, timeout_s: float, /, abort: Abort | None = None) -> FetchedArtifact | None:
        """See ArtifactSource. The caller's own headers are asked for before the time runs."""
        own = {} if self._headers is None else self._headers.current()
        asked = {**own, "Cache-Control": "no-cache"}
        if known is not None:
            asked["If-None-Match"] = known
        download = self._downloads.get(self.location, asked, Deadline(timeout_s, abort))
        if download.status == 304 and known is not None:
            return None
        if download.status != 200:
            raise TransportError(_REFUSALS.get(download.status, _REFUSED).format(status=download.status))
        version = parse_etag(download.headers.get("etag"))
        return FetchedArtifact(download.content, version, download.first_byte_ms, download.body_ms)


class _Question:
    """One call of a source's ``fetch``, and what came of it."""

    def __init__(self, ask: Callable[[], FetchedArtifact | None]) -> None:
        self._ask = ask
        self.is_answered = Flag()
        self._answer: FetchedArtifact | None = None
        self._error: BaseException | None = None

    def __call__(self) -> None:
        try:
            self._answer = self._ask()
        except BaseException as error:  # noqa: BLE001  (of foreign code; it is told where the answer is asked for)
            self._error = error
        self.is_answered.set()

    def answer(self) -> FetchedArtifact | None:
        error = self._error
        if isinstance(error, TargetError):
            hush(error)
            raise error
        if error is not None:
            raise ArtifactError(f"artifact_source raised {type(error).__name__}")
        return self._answer


class OwnSource(ArtifactSource):
    """A caller's source, asked on a thread that may hang."""

    def __init__(self, source: ArtifactSource, location: str) -> None:
        self._source = source
        self.location = location
        self._service = Service("target-artifact-source")
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child: what was asked for is the parent's."""
        self._question: _Question | None = None

    def fetch(self, known: str | None, timeout_s: float, /, abort: Abort | None = None) -> FetchedArtifact | None:
        """See ArtifactSource. Where the last question is still without an answer, that one is waited for."""
        question = self._question
        if question is None:
            question = self._question = _Question(lambda: self._source.fetch(known, timeout_s))
            self._service.put(question)
        (abort or Abort()).wait(question.is_answered, timeout_s)
        if not question.is_answered.is_set():
            raise TargetTimeout(f"artifact_source did not answer within {timeout_s:g} s")
        self._question = None
        return question.answer()

    def end(self) -> None:
        """Nothing more is asked for: let the thread end, once it is free."""
        self._service.end()


class SharingSource(OwnSource):
    """A client's part of what several share, asked as a caller's own source is.

    Raises:
        OptionsError: It gives no part.
    """

    def __init__(self, shared: SharedSource, origin: ArtifactSource, terms: SharingTerms) -> None:
        try:
            part = shared.share(origin, terms)
        except TargetError:
            raise
        except Exception as error:  # noqa: BLE001  (foreign code can raise anything)
            raise OptionsError(f"Option 'artifact_source' raised {type(error).__name__}") from stand_in_for(error)
        if any(not callable(attribute_of(part, name)) for name in ("fetch", "watch", "close")):
            raise OptionsError(
                "Option 'artifact_source' gave no part of what it shares: see target.protocols.SharedPart"
            )
        self._part: SharedPart = part
        super().__init__(part, without_query(terms.location))

    def watch(self) -> None:
        """Hear of what others have."""
        with contextlib.suppress(Exception):  # foreign code; without it the next poll tells
            self._part.watch()

    def end(self) -> None:
        """See OwnSource."""
        with contextlib.suppress(Exception):
            self._part.close()
        super().end()


class Fetched(NamedTuple):
    """What came of asking: the artifact, or None where it is the one that was known."""

    artifact: FetchedArtifact | None


class Fetcher:
    """Asks a source, and never raises.

    Args:
        config: The caller's own source, or where on the CDN the artifact is.
        client_config: Size limits, client code and logger.
        downloads: What asks the CDN.
        changed: Is called, on any thread, when others have newer rules.
    """

    def __init__(
        self,
        config: OnDeviceConfig,
        client_config: ClientConfig,
        downloads: Downloads,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        own = config.artifact_source
        self._most_bytes = client_config.max_response_bytes
        self._most_values = client_config.max_response_values
        self._source: CdnSource | OwnSource
        if own is None:
            self._source = CdnSource(config, downloads)
        elif is_shared(own):
            terms = SharingTerms(
                client_config.client,
                config.artifact_location,
                config.polling_interval_s or _ONCE_S,
                self._most_bytes,
                self._made_at_s,
                changed,
                cast(logging.Logger, client_config.logger),
            )
            self._source = SharingSource(own, CdnSource(config, downloads), terms)
        else:
            self._source = OwnSource(cast(ArtifactSource, own), config.artifact_location)
        self._has_secrets = own is not None or config.artifact_headers is not None

    def fetch(self, known: str | None, timeout_s: float, abort: Abort) -> Fetched | Exception:
        """What came, or what went wrong."""
        try:
            found = self._source.fetch(known, timeout_s, abort)
            if found is None and known is None:
                raise ArtifactError("artifact_source returned None, for nothing newer, where no version was known")
            return Fetched(None if found is None else self._checked(found))
        except Exception as error:  # noqa: BLE001  (whatever it is, the thread must go on)
            if self._has_secrets:
                _drop_frames(error)
            return error

    def watch(self) -> None:
        """Hear of newer rules, where there is somebody to hear it from."""
        if isinstance(self._source, SharingSource):
            self._source.watch()

    def end(self) -> None:
        """The last was asked for."""
        if isinstance(self._source, OwnSource):
            self._source.end()

    def _checked(self, found: FetchedArtifact) -> FetchedArtifact:
        if not isinstance(found, FetchedArtifact):
            raise ArtifactError(f"artifact_source returned {type(found).__name__}: it must be FetchedArtifact or None")
        content, version, *times_ms = found
        if type(content) is not bytes or not (version is None or type(version) is str):
            raise ArtifactError("artifact_source returned an artifact whose content is not bytes, or version not text")
        if len(content) > self._most_bytes:
            raise ArtifactError(
                f"The artifact has {len(content)} bytes, and may have {self._most_bytes}: check that it is one, or "
                "raise max_response_bytes"
            )
        require_bounds(content, self._most_values)
        return FetchedArtifact(content, version, *map(_milliseconds, times_ms))

    def _made_at_s(self, content: bytes) -> float | None:
        """See SharingTerms.check."""
        meta = parse_artifact_text(self._checked(FetchedArtifact(content)).content).meta
        try:
            made = datetime.fromisoformat(str(meta.get("generatedAt")))
            return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None


def parse_etag(value: object) -> str | None:
    """An ETag that can be sent back, or None."""
    return value if isinstance(value, str) and _ETAG.fullmatch(value) else None


def _milliseconds(value: object) -> float:
    return float(value) if type(value) in (int, float) and 0 <= value < math.inf else 0.0  # type: ignore[arg-type, operator]


def _drop_frames(error: BaseException) -> None:
    """Let ``error`` and its causes tell their words alone: the frames that they came through hold the headers, and who
    shows local variables would show a token."""
    todo: list[BaseException | None] = [error]
    while todo:
        link = todo.pop()
        if link is not None and link.__traceback__ is not None:
            link.__traceback__ = None
            todo += [link.__cause__, link.__context__]


def require_bounds(content: bytes, most_values: int | None) -> None:
    """Check an artifact before any of it is parsed.

    Args:
        content: Its JSON.
        most_values: What the option ``max_response_values`` says; None: one for every 3 bytes.

    Raises:
        ArtifactError: It holds more values than may be.
    """
    most = max(LEAST_MOST_VALUES, len(content) // _BYTES_PER_VALUE) if most_values is None else most_values
    if weighs_more(content, most):
        raise ArtifactError(
            f"The artifact holds more JSON values than may be ({most}, an object counted as four): check that it is "
            "one, or raise max_response_values"
        )
