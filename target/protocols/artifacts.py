"""What a source of rules has to do: where the artifact that is decided from comes from."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable
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


class SharingTerms(NamedTuple):
    """What a client tells a SharedSource of itself.

    Attributes:
        client: The client code.
        location: Where the CDN has the rules: a URL, which may hold a secret after a question mark.
        interval_s: For so many seconds, at least, all clients together leave the CDN alone after it answered.
        most_bytes: How large an artifact may be.
        check: Reads an artifact, so that no other is shared; when it was made, in seconds since 1970, as it says
            itself, or None. Raises TargetError.
        changed: Lets the client fetch at once, on its own thread. May be called from any thread, and for nothing.
        logger: The client's.
    """

    client: str
    location: str
    interval_s: float
    most_bytes: int
    check: Callable[[bytes], float | None]
    changed: Callable[[], object]
    logger: logging.Logger


class SharedPart(ArtifactSource, Protocol):
    """One client's part of a SharedSource. Its ``fetch`` is called as that of any source."""

    @abstractmethod
    def watch(self) -> None:
        """See to it that ``changed`` is called when others have newer rules, if that is not so yet. Called often, also
        in a forked child, and must not block."""

    @abstractmethod
    def close(self) -> None:
        """The client was closed: end what ``watch`` began. Must not block."""


class SharedSource(Protocol):
    """Stands between clients and the CDN, so that of many processes one downloads: ``artifact_source`` takes it, too.

    Each client that is created with it asks for a part of its own, and fetches from that. It stays its owner's.

    Attributes:
        location: What log lines call it; printable, and with no secret in it.
    """

    location: str

    @abstractmethod
    def share(self, origin: ArtifactSource, terms: SharingTerms, /) -> SharedPart:
        """The part of one client.

        Args:
            origin: The CDN, by the client's own options. It may be asked on the thread that calls ``fetch``, with the
                version of what it brought before, and raises TargetError.
            terms: What the client wants.
        """
