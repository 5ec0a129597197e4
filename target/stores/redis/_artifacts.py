"""The rules in Redis: of all processes one asks the CDN, and all read what it brought."""

from __future__ import annotations

import hashlib
import secrets
import time
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import quote

from target import TargetError, TargetTimeout, TransportError
from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target.protocols import ArtifactSource, FetchedArtifact, SharedPart, SharedSource, SharingTerms
from target.stores.redis._letters import name_of
from target.stores.redis._listener import Listener
from target.stores.redis._server import Nonsense, RedisUnavailable, Server
from target.stores.redis._urls import parse_prefix

_LOOK_S = 0.05  # between two looks at whether another process has brought the first rules
_LEASE_MORE_S = 5.0  # for reading what the CDN answered, and writing it
_STALE_INTERVALS = 3  # for so many intervals without an answer of the CDN, whoever reads says so


@cache
def _script() -> str:
    return files(__package__).joinpath("artifacts.lua").read_text()


class RedisArtifacts(SharedSource):
    """``artifact_source``: the rules of on-device decisioning, shared by all processes that name the same Redis.

    One process of them all asks the CDN, at most once in each ``polling_interval``; the others are told of what it
    brought, and read it from the Redis. The options of the CDN (``environment``, ``artifact_location``,
    ``artifact_headers`` and so on) stay those of the client. Opens nothing until a client is created with it,
    and may be given to several.

    Args:
        url: Where the Redis is: as for ``Outbox.redis``.
        prefix: What its keys begin with.

    Attributes:
        location: The URL without user and password, and the prefix.

    Raises:
        OptionsError: ``url`` or ``prefix`` is wrong, or redis-py is not installed.
    """

    def __init__(self, url: str, prefix: str = "target") -> None:
        self._url = url
        self._prefix = parse_prefix(prefix)
        self.location = f"{Server(url).name} ({prefix})"

    def __repr__(self) -> str:
        return f"RedisArtifacts({self.location!r})"

    def share(self, origin: ArtifactSource, terms: SharingTerms, /) -> Part:
        """See SharedSource."""
        return Part(Server(self._url), self._prefix, origin, terms)


class _Rules(NamedTuple):
    """Rules as they are in the Redis."""

    content: bytes
    sha: str
    made_s: float | None
    serial: int

    def precede(self, others: _Rules | None) -> bool:
        """Whether they are older than ``others``."""
        if others is None:
            return False
        if self.made_s is not None and others.made_s is not None:
            return self.made_s < others.made_s
        return self.serial < others.serial


class Part(SharedPart):
    """One client's part.

    Args:
        server: The Redis.
        prefix: What all keys begin with.
        origin: The CDN.
        terms: What the client wants.
    """

    def __init__(self, server: Server, prefix: str, origin: ArtifactSource, terms: SharingTerms) -> None:
        self.location = f"{server.name} ({prefix})"
        self._server = server
        self._origin = origin
        self._terms = terms
        self._root = f"{prefix}:{{{quote(terms.client, safe='')}}}:rules:{name_of(terms.location)}"
        self._interval_ms = round(terms.interval_s * 1000)
        self._latest: _Rules | None = None  # without their content
        self._listener = Listener(server, f"{self._root}:changed", terms.changed)
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child: with connections of its own."""
        self._server.begin_anew()

    def watch(self) -> None:
        """See SharedPart."""
        self._listener.start()

    def close(self) -> None:
        """See SharedPart."""
        self._listener.end()

    def fetch(self, known: str | None, timeout_s: float, /) -> FetchedArtifact | None:
        """See ArtifactSource.

        Raises:
            TargetError: The Redis is away or holds nonsense, and the client has rules; or what the CDN came to.
        """
        ends_s = monotonic_s() + 0.9 * timeout_s  # who waits for this must not give up at the same moment
        try:
            return self._fetch(known, ends_s)
        except (RedisUnavailable, Nonsense) as error:
            said = f"The rules shared in {self.location} cannot be read: {error}"
        if known is not None:
            raise TransportError(said)
        self._terms.logger.warning("%s; this process asks the CDN itself, since it has no rules yet", said)
        found = self._origin.fetch(None, max(0.1, ends_s - monotonic_s()))
        if found is None:
            raise TransportError(said)
        self._terms.check(found.content)
        self._terms.changed()  # so that it is told of soon, if it is still so then
        return found._replace(version=_sha(found.content))

    def _fetch(self, known: str | None, ends_s: float) -> FetchedArtifact | None:
        token = secrets.token_hex(16)
        while True:
            left_s = max(0.1, ends_s - monotonic_s())
            lease_ms = round((left_s + _LEASE_MORE_S) * 1000)
            what, sha, etag, age_ms = self._look(token, lease_ms)
            if what == "ask":
                return self._ask(token, known, sha, etag, left_s)
            if what == "read":
                found = None if sha == known else self._read(known)
                if found is None and age_ms > _STALE_INTERVALS * self._interval_ms:
                    raise TransportError(
                        f"The rules shared in {self.location} are those of {age_ms / 1000:.0f} s ago: who asks the CDN "
                        "gets no answer of use"
                    )
                return found
            if left_s <= _LOOK_S + 0.1:
                raise TargetTimeout(f"No process has brought rules into {self.location} yet")
            time.sleep(_LOOK_S)

    def _ask(self, token: str, known: str | None, sha: str, etag: str, left_s: float) -> FetchedArtifact | None:
        """Ask the CDN, for all: this process holds the lease."""
        try:
            found = self._origin.fetch(etag or None if sha else None, left_s)
            made_s = None if found is None else self._terms.check(found.content)
        except TargetError as error:
            self._run("fail", token, self._interval_ms)
            if not sha or sha == known:
                raise
            self._terms.logger.warning("The CDN gives no rules, those shared in %s are used: %s", self.location, error)
            return self._read(known)
        if found is None:
            self._run("confirm", token)
            return None if sha == known else self._read(known)
        version = _sha(found.content)
        rules = _Rules(b"", version, made_s, 0)
        if rules.precede(self._latest) and made_s is not None:
            self._run("confirm", token)
            return self._read(known)
        serial = int(self._run("publish", token, version, found.version or "", _text_of(made_s), found.content))
        if not serial:
            return self._read(known)
        self._latest = rules._replace(serial=serial)
        return None if version == known else found._replace(version=version)

    def _read(self, known: str | None) -> FetchedArtifact | None:
        """What is in the Redis; None where it is what is known, or older than that."""
        started_s = monotonic_s()
        answer = self._run("read", self._terms.most_bytes)
        if answer[0] == b"large":
            raise TransportError(f"The key {self._root} holds more than max_response_bytes allows: nothing was changed")
        rules = self._parse(answer)
        if rules.sha == known or (not rules.sha and known is not None):
            return None
        if rules.sha != _sha(rules.content):
            raise Nonsense.of(self._root)
        if known is not None and rules.precede(self._latest):
            raise TransportError(f"The rules shared in {self.location} are older than those in use: they are not taken")
        self._latest = rules._replace(content=b"")
        return FetchedArtifact(rules.content, rules.sha, (monotonic_s() - started_s) * 1000)

    def _parse(self, answer: Any) -> _Rules:
        try:
            _, sha, content, made_s, serial = answer
            return _Rules(bytes(content), sha.decode(), float(made_s) if made_s else None, int(serial))
        except (TypeError, ValueError, AttributeError):
            pass
        raise Nonsense.of(self._root)

    def _look(self, token: str, lease_ms: int) -> tuple[str, str, str, float]:
        answer = self._run("look", self._interval_ms, token, lease_ms)
        try:
            what, sha, etag, age_ms = (part.decode() for part in answer)
            return what, sha, etag, float(age_ms)
        except (TypeError, ValueError, AttributeError):
            pass
        raise Nonsense.of(self._root)

    def _run(self, *arguments: Any) -> Any:
        return self._server.script(_script(), [self._root], *arguments)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _text_of(made_s: float | None) -> str:
    return "" if made_s is None else repr(made_s)
