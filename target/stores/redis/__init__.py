"""What processes and machines share by a Redis: the outbox, and rules (``RedisArtifacts``)."""

from __future__ import annotations

from target.protocols import StoreSettings
from target.stores.redis._artifacts import RedisArtifacts
from target.stores.redis._health import Health, look_at
from target.stores.redis._server import Server
from target.stores.redis._store import RedisStore
from target.stores.redis._urls import parse_prefix

__all__ = ["Health", "RedisArtifacts", "RedisOutbox", "look_at"]

PREFIX = "target"


class RedisOutbox:
    """What ``Outbox.redis`` gives to ``Outbox(store=...)``: opens the outbox in a Redis, once for each client.

    Args:
        url: Where it is; see docs/redis.md.
        prefix: What its keys begin with.

    Raises:
        OptionsError: ``url`` or ``prefix`` is wrong, or redis-py is not installed.
    """

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        self._name = Server(url).name
        self._url = url
        self._prefix = parse_prefix(prefix)

    def __call__(self, settings: StoreSettings) -> RedisStore:
        """Open it, which connects to nothing yet."""
        return RedisStore(Server(self._url), self._prefix, settings)

    def __repr__(self) -> str:
        return f"RedisOutbox({self._name!r}, {self._prefix!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RedisOutbox) and (self._url, self._prefix) == (other._url, other._prefix)

    def __hash__(self) -> int:
        return hash((self._url, self._prefix))
