"""Owns what is looked at of a Redis before it is relied on: how soon it answers, and how it is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from target._background.clock import monotonic_s
from target.loggers import LOG
from target.protocols import Moment, StoreBroken, StoreSettings
from target.stores.redis._server import Server
from target.stores.redis._store import RedisStore
from target.stores.redis._urls import parse_prefix

if TYPE_CHECKING:
    import logging


class Health(NamedTuple):
    """What was found.

    Attributes:
        name: The URL without user and password.
        why_not: Why it cannot be used; None where it can.
        took_ms: How long it took to answer.
        version: Of the Redis; None, as all that follows, where its user may not ask.
        eviction: What it deletes when it is full: ``maxmemory-policy``.
        keeps: Whether it has an append-only file.
        pending: How many notifications of the account wait; None without an account.
        dead: How many were given up.
    """

    name: str
    why_not: str | None
    took_ms: float = 0.0
    version: str | None = None
    eviction: str | None = None
    keeps: bool | None = None
    pending: int | None = None
    dead: int | None = None


def look_at(url: str, prefix: str = "target", account: str | None = None) -> Health:
    """What a Redis is like, for who sets up a service. It writes nothing.

    Args:
        url: As for ``Outbox.redis``.
        prefix: As for ``Outbox.redis``.
        account: Client code and organization id, with a blank between.

    Raises:
        OptionsError: ``url`` or ``prefix`` is wrong, or redis-py is not installed.
    """
    server, prefix = Server(url), parse_prefix(prefix)
    try:
        started_s = monotonic_s()
        server.run(lambda client: client.time())
        found = Health(server.name, None, (monotonic_s() - started_s) * 1000)
        if account is not None:
            store = RedisStore(server, prefix, _settings(account))
            found = found._replace(**store.counts()._asdict())
    except StoreBroken as error:
        return Health(server.name, str(error))
    finally:
        server.close()
    try:
        said = server.run(_info)
        found = found._replace(
            version=said["redis_version"], eviction=said["maxmemory_policy"], keeps=bool(said["aof_enabled"])
        )
    except (StoreBroken, KeyError):  # its user may not ask
        pass
    finally:
        server.close()
    return found


def _info(client: Any) -> dict[str, Any]:
    said: dict[str, Any] = client.info()
    if "redis_version" not in said:  # a cluster's, by node
        said = next(iter(said.values()))
    return said


def _settings(account: str) -> StoreSettings:
    logger = cast("logging.Logger", LOG)  # an adapter, which has the same methods
    return StoreSettings(account, 1, "raise", 1.0, 1.0, lambda: Moment(0.0, monotonic_s()), logger)
