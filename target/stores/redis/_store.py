"""The outbox in Redis: a Store that any number of processes and machines share."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, wraps
from importlib.resources import files
from typing import Any, TypeVar, cast

from target.protocols import (
    MOST_PER_BATCH,
    Claim,
    Counts,
    Death,
    Entry,
    IsOpen,
    LaneState,
    Moment,
    Settlement,
    Store,
    StoreBroken,
    StoreSettings,
)
from target.stores.redis._letters import cluster_of, name_of, pack_death, unpack_death, unpack_entry
from target.stores.redis._server import Nonsense, Server
from target.stores.redis._texts import Texts

_Method = TypeVar("_Method", bound=Callable[..., Any])
_PAGE = 500
_TRIES = 3


@cache
def _script() -> str:
    return files(__package__).joinpath("outbox.lua").read_text()


def _sane(method: _Method) -> _Method:
    """Let an answer of a shape that Redis never gives be Nonsense, too."""

    @wraps(method)
    def checked(self: RedisStore, *arguments: Any, **named: Any) -> Any:
        try:
            return method(self, *arguments, **named)
        except Nonsense:
            self.is_ours = False
            raise
        except (TypeError, ValueError, IndexError, AttributeError):
            raise Nonsense.of(self.root) from None

    return cast("_Method", checked)


class RedisStore(Store):
    """A Store in Redis. What changes there, and in which steps, is in outbox.lua.

    What a notification says is written before the script that makes it an entry, and deleted after the one that
    removes it, since the two may be on different servers of a cluster. Who dies in between leaves a mark, by which
    another deletes it.

    Args:
        server: The Redis.
        prefix: What all keys begin with.
        settings: See Store.

    Attributes:
        name: What the log calls it.
        root: What the keys of the account begin with.
        is_ours: Whether what is there was found to be ours, so that something may be written.
    """

    def __init__(self, server: Server, prefix: str, settings: StoreSettings) -> None:
        self.name = f"{server.name} ({prefix})"
        self._server = server
        self._settings = settings
        self.root = f"{prefix}:{{{name_of(settings.account)}}}:outbox"
        self._texts = Texts(server, prefix, self.root, settings.account)
        self._begin()

    def _begin(self) -> None:
        self._clusters: list[str] = []
        self._tidying = threading.Lock()
        self._has_trash = True  # of others, maybe
        self.is_ours = False

    def begin_anew(self) -> None:
        """See Store."""
        self._begin()
        self._server.begin_anew()

    @_sane
    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        """See Store."""
        offset_s = self._server.offset_s()
        mode = "promised" if promised else self._settings.when_full
        self._require_ours()
        items = [(entry, "") for entry in entries]
        outcome, number = self._write(items, mode, offset_s, due_s + offset_s)
        if outcome == b"full":
            return self._settings.require_room(number, len(entries))  # raises
        self._has_trash |= number > 0
        return number

    @_sane
    def claim(self, is_open: IsOpen, /) -> Claim | None:
        """See Store."""
        offset_s = self._server.offset_s()
        now_s = self._settings.now_s() + offset_s
        ends_s = now_s + self._settings.lease_s
        token = secrets.token_hex(16)
        for _ in range(_TRIES):
            open_ones = [(mark, "1" if is_open(cluster_of(mark)) else "0") for mark in self._clusters]
            flat = [text for pair in open_ones for text in pair]
            found = self._run("claim", _seconds(now_s), _seconds(ends_s), token, MOST_PER_BATCH, *flat)
            if found[0] != b"clusters":
                break
            self._clusters = [_text(mark) for mark in found[1:]]
        return self._read_claim(found[1:], token, ends_s, offset_s) if found[0] == b"claim" else None

    @_sane
    def settle(self, claim: Claim, settlement: Settlement, /) -> bool:
        """See Store."""
        offset_s = self._server.offset_s()
        state = settlement.state
        dead = [(death.entry.seq, pack_death(death, offset_s)) for death in settlement.dead]
        # One server deletes at once what a cluster has on another.
        texts = [] if self._server.is_cluster else [self._texts.key(self._texts.lane(claim.session_id))]
        found = self._server.script(
            _script(),
            [self.root, *texts],
            "settle",
            self._texts.lane(claim.session_id),
            claim.token,
            _seconds(state.due_s + offset_s),
            state.failures,
            state.suspects,
            "" if state.status is None else state.status,
            "" if state.message is None else f"+{state.message}".encode(errors="replace"),
            self._settings.max_pending,
            len(settlement.acknowledged),
            len(settlement.missed),
            *(entry.seq for entry in (*settlement.acknowledged, *settlement.missed)),
            *(part for pair in dead for part in pair),
        )
        self._has_trash |= not texts
        return bool(found)

    @_sane
    def next_due_s(self, is_open: IsOpen, /) -> float | None:
        """See Store."""
        offset_s = self._server.offset_s()
        now_s = self._settings.now_s() + offset_s
        latest_s = (now_s + self._settings.longest_wait_s, now_s + 2 * self._settings.lease_s)
        found = self._run("look", *map(_seconds, (now_s, *latest_s)))
        self._clusters = [_text(mark) for mark in found[::2]]
        due = zip(self._clusters, found[1::2], strict=True)
        return min((float(at) - offset_s for mark, at in due if is_open(cluster_of(mark))), default=None)

    @_sane
    def hurry(self) -> None:
        """See Store."""
        self._run("hurry", _seconds(self._settings.now_s() + self._server.offset_s()))

    @_sane
    def mark(self) -> int:
        """See Store."""
        return int(self._run("mark"))

    @_sane
    def passed(self, mark: int, /) -> bool:
        """See Store."""
        return bool(self._run("passed", mark))

    @_sane
    def counts(self) -> Counts:
        """See Store."""
        return Counts(*map(int, self._run("counts")))

    @_sane
    def dead_letters(self) -> Sequence[Death]:
        """See Store."""
        return [death for _, death in self._letters()]

    @_sane
    def revive(self) -> int:
        """See Store."""
        offset_s = self._server.offset_s()
        now = self._settings.now()
        room = self._settings.max_pending - self.counts().pending
        dead = [(name, death) for name, death in self._letters() if death.reason != "unreadable"][: max(0, room)]
        revived = 0
        for start in range(0, len(dead), _PAGE):
            page = dead[start : start + _PAGE]
            made = [(death.entry._replace(telemetry=None, since=now, misses=0), name) for name, death in page]
            outcome, _ = self._write(made, "raise", offset_s, now.steady_s + offset_s)
            if outcome != b"ok":  # others took the room
                break
            revived += len(page)
        return revived

    @_sane
    def tidy(self) -> None:
        """See Store: delete what is in the trash."""
        if not self._has_trash or not self._tidying.acquire(blocking=False):
            return
        try:
            while self._has_trash:
                self._has_trash = False
                self._empty_trash()
        finally:
            self._tidying.release()

    def close(self) -> None:
        """See Store."""
        if self._server.is_connected:
            with suppress(StoreBroken):  # another process does it then
                self.tidy()
            self._server.close()

    def _run(self, *arguments: Any) -> Any:
        return self._server.script(_script(), [self.root], *arguments)

    def _require_ours(self) -> None:
        """Look at what is there before anything is written. Raises Nonsense."""
        if not self.is_ours:
            self._run("mark")
            self.is_ours = True

    def _write(self, items: Sequence[tuple[Entry, str]], mode: str, offset_s: float, due_s: float) -> tuple[bytes, int]:
        """Make entries of ``items``: what became of it, and how many were dropped for it, or wait."""
        named, writing = self._texts.writing(items, offset_s)
        flat = [part.encode(errors="surrogatepass") for item in named for part in item]
        arguments = ("commit", self._settings.max_pending, mode, _seconds(due_s), *flat)
        try:
            outcome, *number = self._server.script(_script(), [self.root], *arguments, after=writing)
        except Nonsense:
            self._texts.delete([item.name for item in named])
            raise
        if outcome != b"ok":
            self._texts.delete([item.name for item in named])
        if outcome == b"late" and not named[0][2]:
            raise StoreBroken("it was too slow")
        return bytes(outcome), int(number[0]) if number else 0

    def _read_claim(self, found: Sequence[Any], token: str, ends_s: float, offset_s: float) -> Claim:
        lane, due_s, more, session_id, failures, suspects, status, message, *rest = found
        key = self._texts.key(_text(lane))
        names = [_text(name) for name in rest[::3]]
        texts = self._texts.read(key, names)
        session = session_id.decode(errors="surrogatepass")
        entries = []
        for name, seq, misses, text in zip(names, rest[1::3], rest[2::3], texts, strict=True):
            if text is None:  # Redis lost it: a client makes an unreadable dead letter of this
                cluster = cluster_of(name.split(":", 2)[2])
                entries.append(Entry(int(float(seq)), session, cluster, "", "", None, 0, Moment(0.0, 0.0)))
            else:
                entries.append(unpack_entry(text, int(float(seq)), int(misses), offset_s, key))
        state = LaneState(
            float(due_s) - offset_s,
            int(failures or 0),
            int(suspects or 0),
            int(status) if status else None,
            _text(message)[1:] if message else None,
        )
        return Claim(token, state, session, tuple(entries), more == 1, ends_s - offset_s)

    def _letters(self) -> list[tuple[str, Death]]:
        """The dead letters and their names, oldest first."""
        offset_s = self._server.offset_s()
        key = f"{self.root}:letters"
        letters: list[tuple[str, Death]] = []
        after = "0"
        while found := self._run("letters", after, _PAGE):
            for number, name, text in zip(found[::3], found[1::3], found[2::3], strict=True):
                letters.append((_text(name), unpack_death(text, int(float(number)), offset_s, key)))
            after = _text(found[-3])
        return letters

    def _empty_trash(self) -> None:
        while names := [_text(name) for name in self._run("trash", _seconds(self._server.now_s()))]:
            self._texts.delete(names)


def _seconds(number: float) -> str:
    return repr(number)


def _text(data: bytes) -> str:
    return data.decode(errors="surrogatepass")
