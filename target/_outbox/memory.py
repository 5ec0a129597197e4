"""The store in memory: it dies with its process, and takes over where a file cannot be used."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Sequence

from target._outbox.store import Claim, IsOpen, Limits, Mark
from target.delivery.entries import Entry, read_notification
from target.delivery.outgoing import MOST_PER_BATCH, Death, Lane, Settlement
from target.outbox import DeadLetter


class _Session:
    """The entries of one session, in order, and who sends them."""

    def __init__(self, due_s: float) -> None:
        self.lane = Lane(due_s)
        self.entries: dict[int, Entry] = {}
        self.token: str | None = None
        self.lease_end_s = 0.0

    def free_at_s(self) -> float:
        return self.lane.due_s if self.token is None else max(self.lane.due_s, self.lease_end_s)

    def cluster(self) -> str | None:
        return next(iter(self.entries.values())).cluster


class MemoryStore:
    """A Store in plain dicts, under one lock.

    Args:
        limits: How much, and for how long.
        patience_s: How long a session waits at least before it may be sent: where a file takes it over, the file's
            notifications of the same session come first.
    """

    def __init__(self, limits: Limits, patience_s: float = 0.0) -> None:
        self._limits = limits
        self._wait_s = max(limits.flush_interval_s, patience_s)
        self.forget()

    def forget(self) -> None:
        """Begin empty: what is in a parent's memory is the parent's to send."""
        self._lock = threading.Lock()
        self._seq = itertools.count(1)
        self._last_seq = 0
        self._tokens = itertools.count(1)
        self._sessions: dict[str, _Session] = {}
        self._session_of: dict[int, str] = {}  # by seq, oldest first
        # By cluster, when each session is free, and stale lines besides: those that a session no longer agrees with.
        self._agendas: dict[str | None, list[tuple[float, str]]] = {}
        self._dead: deque[Death] = deque(maxlen=self._limits.max_pending)

    def add(self, entries: Sequence[Entry], _may_wait: bool = True, /, elsewhere: int = 0) -> int:
        """See Store. ``elsewhere`` is how many wait that are not here."""
        with self._lock:
            excess = self._limits.require_room(len(self._session_of) + elsewhere, len(entries))
            dropped = list(itertools.islice(self._session_of, excess))
            for seq in dropped:
                self._remove(seq)
            self._append(entries)
            return len(dropped)

    def keep(self, entries: Sequence[Entry]) -> None:
        """Add what was promised to be kept, whether or not there is room, ahead of what was queued after it."""
        with self._lock:
            self._append(entries)
            session = self._sessions[entries[0].session_id]
            session.entries = dict(sorted(session.entries.items(), key=lambda item: item[1].since.steady_s))
            self._schedule(entries[0].session_id, session)

    def holds(self, session_id: str) -> bool:
        """Whether something of the session is here."""
        return session_id in self._sessions

    def claim(self, is_open: IsOpen) -> Claim | None:
        """See Store."""
        now_s = self._limits.now_s()
        with self._lock:
            first = self._first(is_open)
            if first is None or first[0] > now_s:
                return None
            claim = self._claim(first[1], now_s)
            after = self._first(is_open)
            return claim._replace(more=after is not None and after[0] <= now_s)

    def claim_any(self) -> Claim | None:
        """A session that nobody has claimed, due or not."""
        now_s = self._limits.now_s()
        with self._lock:
            free = (name for name, item in self._sessions.items() if item.token is None or item.lease_end_s <= now_s)
            session_id = next(free, None)
            return None if session_id is None else self._claim(session_id, now_s)

    def settle(self, claim: Claim, settlement: Settlement) -> bool:
        """See Store."""
        with self._lock:
            session = self._sessions.get(claim.session_id)
            if session is None or session.token != claim.token:
                return False
            for entry in settlement.missed:
                if entry.seq in session.entries:
                    session.entries[entry.seq] = entry._replace(misses=entry.misses + 1)
            for entry in settlement.acknowledged:
                self._remove(entry.seq)
            for death in settlement.dead:
                self._remove(death.entry.seq)
                self._dead.append(death)
            session.lane, session.token = settlement.lane, None
            self._schedule(claim.session_id, session)
            return True

    def next_due_s(self, is_open: IsOpen) -> float | None:
        """See Store."""
        with self._lock:
            first = self._first(is_open)
            return None if first is None else first[0]

    def hurry(self) -> None:
        """See Store."""
        now_s = self._limits.now_s()
        with self._lock:
            self._agendas.clear()
            for session_id, session in self._sessions.items():
                session.lane = session.lane._replace(due_s=min(session.lane.due_s, now_s))
                self._schedule(session_id, session)

    def mark(self, _wait_s: float, /) -> Mark:
        """See Store."""
        return (self._last_seq,)

    def passed(self, mark: Mark) -> bool:
        """See Store."""
        with self._lock:
            oldest = next(iter(self._session_of), None)
            return oldest is None or oldest > (mark[0] or 0)

    def pending(self) -> int:
        """See Store."""
        return len(self._session_of)

    def dead_letters(self) -> list[DeadLetter]:
        """See Store."""
        with self._lock:
            dead = list(self._dead)
        return [
            DeadLetter(read_notification(entry.notification), reason, status, entry.queued_at, message)
            for entry, reason, status, message in dead
        ]

    def revive(self) -> int:
        """See Store."""
        now = self._limits.now()
        with self._lock:
            room = max(0, self._limits.max_pending - len(self._session_of))
            revived = [self._dead.popleft() for _ in range(min(room, len(self._dead)))]
            for death in revived:
                self._append([death.entry._replace(telemetry=None, since=now, misses=0)])
            return len(revived)

    def volatile(self) -> int:
        """See Store."""
        return self.pending()

    def tend(self) -> bool:
        """See Store: there is no file."""
        return False

    def close(self) -> None:
        """See Store: nothing is open."""

    def _claim(self, session_id: str, now_s: float) -> Claim:
        session = self._sessions[session_id]
        session.token = f"memory-{id(self)}-{next(self._tokens)}"
        session.lease_end_s = now_s + self._limits.lease_s
        self._schedule(session_id, session)
        entries = tuple(itertools.islice(session.entries.values(), MOST_PER_BATCH))
        return Claim(session.token, session.lane, session_id, entries, False, session.lease_end_s)

    def _append(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._last_seq = next(self._seq)
            session = self._sessions.get(entry.session_id)
            is_new = session is None
            if session is None:
                session = self._sessions[entry.session_id] = _Session(self._limits.now_s() + self._wait_s)
            session.entries[self._last_seq] = entry._replace(seq=self._last_seq)
            self._session_of[self._last_seq] = entry.session_id
            if is_new:
                self._schedule(entry.session_id, session)

    def _schedule(self, session_id: str, session: _Session) -> None:
        if session.entries:
            heapq.heappush(self._agendas.setdefault(session.cluster(), []), (session.free_at_s(), session_id))

    def _first(self, is_open: IsOpen) -> tuple[float, str] | None:
        """When the first session that may be sent is free, and which; stale lines before it are gone then."""
        first = None
        for cluster in tuple(self._agendas):
            agenda = self._agendas[cluster]
            while agenda and not self._agrees(agenda[0], cluster):
                heapq.heappop(agenda)
            if not agenda:
                del self._agendas[cluster]
            elif (first is None or agenda[0] < first) and is_open(cluster):
                first = agenda[0]
        return first

    def _agrees(self, line: tuple[float, str], cluster: str | None) -> bool:
        session = self._sessions.get(line[1])
        return session is not None and session.free_at_s() == line[0] and session.cluster() == cluster

    def _remove(self, seq: int) -> None:
        session_id = self._session_of.pop(seq, None)
        if session_id is None:
            return
        session = self._sessions[session_id]
        was = session.cluster()
        del session.entries[seq]
        if not session.entries:
            del self._sessions[session_id]
        elif session.cluster() != was:
            self._schedule(session_id, session)
