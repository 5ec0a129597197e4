"""What a source of rules has to do: where the artifact that is decided from comes from."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple, Protocol


class FetchedArtifact(NamedTuple):
    """An artifact as a source brings it.

    Attributes:
        content: Its JSON, unpacked.
        version: What the source knows it by, such as an ETag or a number as text; None where nothing tells versions
            apart. The file of ``artifact_cache`` keeps what is printable ASCII of at most 512 characters.
        first_byte_ms: How many milliseconds it took until something came, told with telemetry; 0 where that is unknown.
        body_ms: How many it took from there until all was there.
    """

    content: bytes
    version: str | None = None
    first_byte_ms: float = 0.0
    body_ms: float = 0.0


class ArtifactSource(Protocol):
    """Where the rules of on-device decisioning come from: Adobe's CDN, unless ``artifact_source`` says otherwise.

    A client asks when it is created, and then every ``polling_interval``; where something goes wrong, a few times in
    between. What came is checked (size, number of values, version, JSON) before it is decided from, and kept in the
    file of ``artifact_cache``, if there is one. Whatever a source does, the last good artifact stays in use: what is
    wrong is an event ``artifact_download_failed`` and a log line, and no call hears of it.

    One source may serve several clients. It stays its owner's: nobody closes it. In a forked child it is asked as
    before, so it must not take connections or locks through a fork.

    Attributes:
        location: What events, log lines and traces call the source, such as a URL; printable, and with no secret in it.
            What follows a question mark is told in events alone.
    """

    location: str

    @abstractmethod
    def fetch(self, known: str | None, timeout_s: float, /) -> FetchedArtifact | None:
        """The artifact as it is now; None when it is the one whose version is ``known``.

        Called on a thread of the client's own, once at a time for each client. It may block: after ``timeout_s`` the
        client goes on with what it has, and uses the answer at the next try.

        Args:
            known: The version of what the client has; None where it has nothing, or knows no version.
            timeout_s: For how many seconds the client waits.

        Raises:
            TargetError: It cannot be had now, in words that may be logged. Of anything else the class alone is told.
        """
