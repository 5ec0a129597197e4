"""Owns how a Redis is asked: with which client, and what is said of it where it cannot be used."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from target import TargetError
from target._background.clock import monotonic_s
from target.protocols import StoreBroken
from target.stores.redis._urls import Url, parse_url

T = TypeVar("T")

# Whoever queues something waits for a fifth of a second; the rest is for the thread that asks.
_TIMES = {"socket_connect_timeout": 1.0, "socket_timeout": 2.0, "health_check_interval": 15}
_MEASURE_AGAIN_S = 60.0
_GRAIN_S = 1024.0  # of so many a second, a number to which others can be added without a loss
#: So far apart two looks at the same clock may be.
AGREES_S = 0.05
_CODE = re.compile(r"-?([A-Z]{2,20})\b")
# By the class of redis-py's error, which takes the code off the message; or by the code, where it has no class.
_REFUSED = {
    "NoPermissionError": "the ACL of its user lacks a command or a key: see docs/redis.md",
    "AuthenticationError": "the user or the password in the URL is wrong, or missing",
    "OutOfMemoryError": "it is full: raise maxmemory",
    "ReadOnlyError": "it is a replica: name the master, or Sentinels",
    "BusyLoadingError": "it is reading its file",
    "MovedError": "it is a cluster, and must be named by redis+cluster://",
    "ClusterCrossSlotError": "it is a cluster, and must be named by redis+cluster://",
    "ClusterDownError": "the cluster is down",
    "MasterNotFoundError": "no Sentinel names a master",
    "TimeoutError": "it does not answer in time",
    "InvalidResponse": "what answers there is no Redis",
    "OOM": "it is full: raise maxmemory",
    "MISCONF": "it cannot write its own file, and takes nothing more: look at its disk",
    "MASTERDOWN": "it is a replica without its master",
}


class Nonsense(StoreBroken, TargetError):
    """A key holds what no version of this package wrote there, or another version did. Nothing of it was changed."""

    @classmethod
    def of(cls, key: str) -> Nonsense:
        """What is said of ``key``."""
        return cls(f"the key {key} holds what this version did not write: nothing was changed")


class RedisUnavailable(StoreBroken, TargetError):
    """Redis cannot be used now."""


class Command(NamedTuple):
    """A command that is given to a client, or to a pipeline.

    Attributes:
        key: What it changes.
        kind: Of which type that has to be.
        give: Gives it.
    """

    key: str
    kind: str
    give: Callable[[Any], Any]

    def __call__(self, client: Any) -> Any:
        return self.give(client)


class Server:
    """One Redis, or several that stand for one. Safe to share between threads.

    Args:
        url: As redis-py takes it, and with ``redis+sentinel://`` or ``redis+cluster://`` for several.

    Raises:
        OptionsError: It is no such URL, or redis-py is not installed.
    """

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self.name = self._url.shown
        self.is_cluster = self._url.kind == "cluster"
        self._digests: dict[str, str] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """With connections of one's own: so in the child of a fork, where redis-py closes what the parent had open."""
        self._lock = threading.Lock()
        self._client: Any = None
        self._offset_s: float | None = None
        self._measured_s = 0.0

    @property
    def client(self) -> Any:
        """A client of redis-py. To be used in ``run``."""
        client = self._client
        if client is None:
            with self._lock:
                client = self._client
                if client is None:
                    client = self._client = _open(self._url)
        return client

    @property
    def is_connected(self) -> bool:
        """Whether it was used, and not closed since."""
        return self._client is not None

    def close(self) -> None:
        """Close its connections. The next use opens others."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def script(self, text: str, keys: Sequence[str], *arguments: Any, after: Sequence[Command] = ()) -> Any:
        """What a script answers.

        Args:
            text: The script.
            keys: What it uses: keys of one hash tag, but where there is one server.
            arguments: What it is told.
            after: Commands that go before it: in one go with it, but where they go to several servers.

        Raises:
            Nonsense: It says so of a key.
            RedisUnavailable: It could not be run.
        """
        import redis  # an extra

        digest = self._digests.setdefault(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())

        def call(client: Any) -> Any:
            return client.evalsha(digest, len(keys), *keys, *arguments)

        def run(client: Any) -> Any:
            try:
                return self._give(client, [*after, call])
            except redis.exceptions.NoScriptError:
                return client.eval(text, len(keys), *keys, *arguments)

        return self.run(run, (keys[0], "hash"), *_kinds_of(after))

    def many(self, commands: Sequence[Command]) -> None:
        """Give several commands: in one go, but where they go to several servers."""
        self.run(lambda client: self._give(client, commands), *_kinds_of(commands))

    def _give(self, client: Any, commands: Sequence[Any]) -> Any:
        """What the last of several commands answers."""
        if self.is_cluster or len(commands) == 1:
            return [command(client) for command in commands][-1]
        with client.pipeline(transaction=False) as pipe:
            for command in commands:
                command(pipe)
            answers = pipe.execute(raise_on_error=False)  # its errors would quote what was sent
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers[-1]

    def run(self, work: Callable[[Any], T], *kinds: tuple[str, str]) -> T:
        """What ``work`` returns, which gets the client. What that raises comes out without a word of what was sent.

        Args:
            work: Any commands.
            kinds: Keys that are used, and of which type they have to be.

        Raises:
            Nonsense: A key is of another type.
            RedisUnavailable: Anything else that went wrong.
        """
        import redis  # an extra

        try:
            return work(self.client)
        except (redis.exceptions.RedisError, OSError, ValueError) as error:
            kind, code = type(error).__name__, ""
            said = f"it cannot be reached ({kind})"
            if isinstance(error, redis.exceptions.ResponseError):
                code = found[1] if (found := _CODE.match(str(error))) else ""
                said = f"it refuses a command ({code or kind})"
            said = _REFUSED.get(kind) or _REFUSED.get(code) or said
            odd = str(error).partition("NONSENSE ")[2] if code == "NONSENSE" else ""
        # Out here, so that what was sent is in no cause.
        if code == "WRONGTYPE":
            odd = self._odd_one(kinds)
        if odd:
            raise Nonsense.of(odd)
        raise RedisUnavailable(said)

    def _odd_one(self, kinds: Sequence[tuple[str, str]]) -> str:
        """Which key is of another type than it should be."""
        for key, kind in kinds:
            if self.run(partial(_type_of, key)) not in (b"none", kind.encode()):
                return key
        return " or ".join(f"{key}:..." for key, _ in kinds)

    def offset_s(self) -> float:
        """What has to be added to a time of this machine's steady clock so that all machines mean the same by it.

        It follows the clock of the server.
        """
        offset_s, now_s = self._offset_s, monotonic_s()
        if offset_s is not None and now_s - self._measured_s < _MEASURE_AGAIN_S:
            return offset_s
        seconds, micros = self.run(_time_of)
        answered_s = monotonic_s()
        found_s = round((seconds + micros / 1e6 - (now_s + answered_s) / 2) * _GRAIN_S) / _GRAIN_S
        if offset_s is None or abs(found_s - offset_s) > AGREES_S:
            self._offset_s = offset_s = found_s
        self._measured_s = answered_s
        return offset_s

    def now_s(self) -> float:
        """Now, as all machines mean it."""
        return monotonic_s() + self.offset_s()


def _kinds_of(commands: Sequence[Command]) -> list[tuple[str, str]]:
    return [(command.key, command.kind) for command in commands]


def _type_of(key: str, client: Any) -> Any:
    return client.type(key)


def _time_of(client: Any) -> Any:
    return client.time()


def _open(url: Url) -> Any:
    import redis
    from redis import connection
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # Whoever asks decides what becomes of what failed; a connection that died while it was idle is noticed before.
    options: dict[str, Any] = {**_TIMES, "retry": Retry(NoBackoff(), 0), "client_name": "target-delivery"}
    if url.kind == "cluster":
        from redis.cluster import RedisCluster

        del options["retry"]
        return RedisCluster.from_url(url.plain, **options)
    if url.kind == "sentinel":
        from redis.sentinel import Sentinel

        options_of: Any = connection.parse_url
        said = {**options, **options_of(url.plain)}
        for name in ("host", "port", "connection_class"):
            said.pop(name, None)
        guards = {name[len("sentinel_") :]: said.pop(name) for name in list(said) if name.startswith("sentinel_")}
        guards = {**_TIMES, **guards}
        if url.is_tls:
            said["ssl"] = guards["ssl"] = True
            guards |= {name: value for name, value in said.items() if name.startswith("ssl_")}
        make: Any = Sentinel
        return make(url.hosts, sentinel_kwargs=guards, **said).master_for(url.service)
    return redis.Redis.from_url(url.plain, **options)
