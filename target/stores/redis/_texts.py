"""Owns what notifications say: a hash for each session, written before they are entries and deleted after."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from target.protocols import Entry
from target.stores.redis._letters import mark_of, name_of, pack_entry
from target.stores.redis._server import Command, Server

_COMMIT_S = 60.0  # after which what was written, but never committed, is nobody's


class Named(NamedTuple):
    """What the script is told of an entry: its name, LANE:NONCE:CLUSTER; its session; the dead letter it was, or ""."""

    name: str
    session_id: str
    letter: str


class Texts:
    """The texts of one account's entries.

    Args:
        server: Where they are.
        prefix: What all keys begin with.
        root: What the keys of the account begin with.
        account: Whose they are.
    """

    def __init__(self, server: Server, prefix: str, root: str, account: str) -> None:
        self._server = server
        self._prefix = prefix
        self._trash = f"{root}:trash"
        self._account = account

    def lane(self, session_id: str) -> str:
        """The name of a session's lane."""
        return name_of(self._account, session_id)

    def key(self, lane: str) -> str:
        """Where the texts of a lane are."""
        return f"{self._prefix}:{{{lane}}}:entries"

    def writing(self, items: Sequence[tuple[Entry, str]], offset_s: float) -> tuple[list[Named], list[Command]]:
        """What writes what entries say, marked as not yet committed; with each comes the dead letter it was, or ""."""
        batch = secrets.token_hex(8)
        named: list[Named] = []
        texts: dict[str, dict[str, bytes]] = {}
        for number, (entry, letter) in enumerate(items):
            lane, nonce = self.lane(entry.session_id), f"{batch}{number:x}"
            named.append(Named(f"{lane}:{nonce}:{mark_of(entry.cluster)}", entry.session_id, letter))
            texts.setdefault(self.key(lane), {})[nonce] = pack_entry(entry, offset_s)
        nobodys_at_s = self._server.now_s() + _COMMIT_S
        marks = dict.fromkeys((item.name for item in named), nobodys_at_s)
        commands = [Command(self._trash, "zset", lambda client: client.zadd(self._trash, marks))]
        commands += [Command(key, "hash", partial(_set, key, fields)) for key, fields in texts.items()]
        return named, commands

    def read(self, key: str, names: Sequence[str]) -> list[bytes | None]:
        """What entries say; None where it is not there."""
        if not names:
            return []
        nonces = [name.split(":")[1] for name in names]
        found: list[bytes | None] = self._server.run(lambda client: client.hmget(key, nonces), (key, "hash"))
        return found

    def delete(self, names: Sequence[str]) -> None:
        """Delete what entries say that are entries no more, or never were."""
        nonces: dict[str, list[str]] = {}
        for name in names:
            lane, nonce, _ = name.split(":", 2)
            nonces.setdefault(self.key(lane), []).append(nonce)
        commands = [Command(key, "hash", partial(_delete, key, fields)) for key, fields in nonces.items()]
        self._server.many([*commands, Command(self._trash, "zset", lambda client: client.zrem(self._trash, *names))])


def _set(key: str, fields: dict[str, bytes], client: Any) -> Any:
    return client.hset(key, mapping=fields)


def _delete(key: str, fields: list[str], client: Any) -> Any:
    return client.hdel(key, *fields)
