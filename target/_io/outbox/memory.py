"""The store in memory: it dies with its process, and takes over where a file cannot be used."""

from __future__ import annotations

import heapq
import itertools
import json
import threading
from collections import deque
from collections.abc import Sequence

from target._io.outbox.store import Claim, Limits, Mark
from target.delivery.outgoing import MOST_PER_BATCH, Death, Entry, Lane, Settlement
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


class MemoryStore:
    """A Store in plain dicts, under one lock."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.forget()

    def forget(self) -> None:
        """Begin empty: what is in a parent's memory is the parent's to send."""
        self._lock = threading.Lock()
        self._seq = itertools.count(1)
        self._last_seq = 0
        self._tokens = itertools.count(1)
        self._sessions: dict[str, _Session] = {}
        self._session_of: dict[int, str] = {}  # by seq, oldest first
        # When each session is free, and stale lines besides, which are those that a session no longer agrees with.
        self._agenda: list[tuple[float, str]] = []
        self._dead: deque[Death] = deque(maxlen=self._limits.max_pending)

    def add(self, entries: Sequence[Entry]) -> int:
        """See Store."""
        with self._lock:
            excess = self._limits.require_room(len(self._session_of), len(entries))
            for seq in list(itertools.islice(self._session_of, excess)):
                self._remove(seq)
            self._append(entries)
            return excess

    def claim(self) -> Claim | None:
        """See Store."""
        now_s = self._limits.now_s()
        with self._lock:
            first_s = self._first_s()
            if first_s is None or first_s > now_s:
                return None
            session_id = self._agenda[0][1]
            session = self._sessions[session_id]
            session.token = f"memory-{id(self)}-{next(self._tokens)}"
            session.lease_end_s = now_s + self._limits.lease_s
            self._schedule(session_id, session)
            next_s = self._first_s()
            entries = tuple(itertools.islice(session.entries.values(), MOST_PER_BATCH))
            return Claim(session.token, session.lane, session_id, entries, next_s is not None and next_s <= now_s)

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

    def next_due_s(self) -> float | None:
        """See Store."""
        now_s = self._limits.now_s()
        with self._lock:
            first_s = self._first_s()
            if first_s is None or first_s <= self._limits.latest_due_s(now_s):
                return first_s
        self.hurry()  # the clock was set back
        return now_s

    def hurry(self) -> None:
        """See Store."""
        now_s = self._limits.now_s()
        with self._lock:
            for session in self._sessions.values():
                session.lane = session.lane._replace(due_s=min(session.lane.due_s, now_s))
            self._agenda = [(session.free_at_s(), session_id) for session_id, session in self._sessions.items()]
            heapq.heapify(self._agenda)

    def mark(self) -> Mark:
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
        return [DeadLetter(json.loads(e.notification), reason, status, e.queued_at) for e, reason, status in dead]

    def revive(self) -> int:
        """See Store."""
        now_s = self._limits.now_s()
        with self._lock:
            room = max(0, self._limits.max_pending - len(self._session_of))
            revived = [self._dead.popleft() for _ in range(min(room, len(self._dead)))]
            for death in revived:
                self._append([death.entry._replace(telemetry=None, since_s=now_s, misses=0)])
            return len(revived)

    def volatile(self) -> int:
        """See Store."""
        return self.pending()

    def close(self) -> None:
        """See Store: nothing is open."""

    def _append(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._last_seq = next(self._seq)
            session = self._sessions.get(entry.session_id)
            if session is None:
                due_s = self._limits.now_s() + self._limits.flush_interval_s
                session = self._sessions[entry.session_id] = _Session(due_s)
                self._schedule(entry.session_id, session)
            session.entries[self._last_seq] = entry._replace(seq=self._last_seq)
            self._session_of[self._last_seq] = entry.session_id

    def _schedule(self, session_id: str, session: _Session) -> None:
        heapq.heappush(self._agenda, (session.free_at_s(), session_id))

    def _first_s(self) -> float | None:
        """When the first session on the agenda is free, once stale lines before it are gone."""
        while self._agenda:
            free_at_s, session_id = self._agenda[0]
            session = self._sessions.get(session_id)
            if session is not None and session.free_at_s() == free_at_s:
                return free_at_s
            heapq.heappop(self._agenda)
        return None

    def _remove(self, seq: int) -> None:
        session_id = self._session_of.pop(seq, None)
        if session_id is None:
            return
        session = self._sessions[session_id]
        del session.entries[seq]
        if not session.entries:
            del self._sessions[session_id]
