"""Owns what `target doctor` checks of a Redis that workers share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from target.cli.checks import BAD, GOOD, NOTE, Check, bounded
from target.stores.redis import Health, look_at

_LEAST_VERSION = (6, 2)


def check_redis(url: str, prefix: str, options: Mapping[str, Any]) -> Iterator[Check]:
    """Whether it can be used, what it does when it is full or dies, and what waits there for the account.

    Raises:
        OptionsError: The URL or the prefix is wrong, or redis-py is not installed.
    """
    client, organization = options.get("client"), options.get("organization_id")
    account = f"{client} {organization}" if client and organization else None
    found = bounded(lambda: _look(url, prefix, account), lambda why: Health("it", why))
    if isinstance(found, Exception):
        raise found
    if found.why_not is not None:
        advice = "check the URL, its user and password, and the network; docs/redis.md has the rights that are needed"
        yield Check("redis", BAD, f"{found.name}: {found.why_not}", advice)
        return
    if found.version is None:
        yield Check(
            "redis", GOOD, f"{found.name} answers in {found.took_ms:.0f} ms; its user may not ask how it is set up"
        )
    elif _parts(found.version) < _LEAST_VERSION:
        yield Check("redis", BAD, f"{found.name} has version {found.version}", "use a Redis of version 6.2 or newer")
    else:
        yield Check("redis", GOOD, f"{found.name}, version {found.version}, answers in {found.took_ms:.0f} ms")
    if found.eviction not in (None, "noeviction"):
        advice = "set maxmemory-policy noeviction: else it deletes notifications when it is full"
        yield Check("eviction", BAD, f"maxmemory-policy {found.eviction}", advice)
    if found.keeps is False:
        advice = "set appendonly yes, unless what waits there may be lost with it"
        yield Check("persistence", NOTE, "it keeps nothing when it is started again", advice)
    if found.pending is not None:
        verdict, advice = (NOTE, "look at client.outbox.dead_letters") if found.dead else (GOOD, "")
        yield Check("outbox", verdict, f"{found.pending} notifications wait, {found.dead} were given up", advice)


def _look(url: str, prefix: str, account: str | None) -> Health | Exception:
    try:
        return look_at(url, prefix, account)
    except Exception as error:  # noqa: BLE001 - of another thread, to be raised by who waits
        return error


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
