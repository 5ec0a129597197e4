"""The store in memory: it dies with its process, and takes over where another cannot be used."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Sequence

from target.protocols import (
    MOST_PER_BATCH,
    Claim,
    Counts,
    Death,
    Entry,
    IsOpen,
    LaneState,
    Settlement,
    Store,
    StoreSettings,
)


class _Lane:
    """The entries of one lane, in order, and who sends them."""

    def __init__(self, due_s: float) -> None:
        self.state = LaneState(due_s)
        self.entries: dict[int, Entry] = {}
        self.token: str | None = None
        self.lease_end_s = 0.0

    def free_at_s(self) -> float:
        return self.state.due_s if self.token is None else max(self.state.due_s, self.lease_end_s)

    def cluster(self) -> str | None:
        return next(iter(self.entries.values())).cluster


class MemoryStore(Store):
    """A Store in plain dicts, under one lock; and a SteadyStore, since it never fails."""

    name = "memory"
    is_usable = True

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin empty: what is in a parent's memory is the parent's to send."""
        self._lock = threading.Lock()
        self._seq = itertools.count(1)
        self._last_seq = 0
        self._tokens = itertools.count(1)
        self._lanes: dict[str, _Lane] = {}
        self._session_of: dict[int, str] = {}  # by seq, oldest first
        # By cluster, when each lane is free, and stale lines besides: those that a lane no longer agrees with.
        self._agendas: dict[str | None, list[tuple[float, str]]] = {}
        self._dead: deque[Death] = deque(maxlen=self._settings.max_pending)

    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False, elsewhere: int = 0) -> int:
        """See Store. ``elsewhere`` is how many wait that are not here."""
        with self._lock:
            waiting = len(self._session_of) + elsewhere
            excess = 0 if promised else self._settings.require_room(waiting, len(entries))
            dropped = list(itertools.islice(self._session_of, excess))
            for seq in dropped:
                self._remove(seq)
            self._append(entries, due_s)
            return len(dropped)

    def queue(self, entries: Sequence[Entry], due_s: float, _may_wait: bool = True, /) -> int:
        """See SteadyStore."""
        return self.add(entries, due_s)

    def keep(self, entries: Sequence[Entry], due_s: float) -> None:
        """Add what was promised to be kept, ahead of what was queued after it."""
        with self._lock:
            self._append(entries, due_s)
            lane = self._lanes[entries[0].session_id]
            lane.entries = dict(sorted(lane.entries.items(), key=lambda item: item[1].since.steady_s))
            self._schedule(entries[0].session_id, lane)

    def holds(self, session_id: str) -> bool:
        """Whether something of the lane is here."""
        return session_id in self._lanes

    def claim(self, is_open: IsOpen) -> Claim | None:
        """See Store."""
        now_s = self._settings.now_s()
        with self._lock:
            first = self._first(is_open)
            if first is None or first[0] > now_s:
                return None
            claim = self._claim(first[1], now_s)
            after = self._first(is_open)
            return claim._replace(more=after is not None and after[0] <= now_s)

    def claim_any(self) -> Claim | None:
        """A lane that nobody has claimed, due or not."""
        now_s = self._settings.now_s()
        with self._lock:
            free = (name for name, item in self._lanes.items() if item.token is None or item.lease_end_s <= now_s)
            session_id = next(free, None)
            return None if session_id is None else self._claim(session_id, now_s)

    def settle(self, claim: Claim, settlement: Settlement) -> bool:
        """See Store."""
        with self._lock:
            lane = self._lanes.get(claim.session_id)
            if lane is None or lane.token != claim.token:
                return False
            for entry in settlement.missed:
                if entry.seq in lane.entries:
                    lane.entries[entry.seq] = entry._replace(misses=entry.misses + 1)
            for entry in settlement.acknowledged:
                self._remove(entry.seq)
            for death in settlement.dead:
                self._remove(death.entry.seq)
                self._dead.append(death)
            lane.state, lane.token = settlement.state, None
            self._schedule(claim.session_id, lane)
            return True

    def next_due_s(self, is_open: IsOpen) -> float | None:
        """See Store."""
        with self._lock:
            first = self._first(is_open)
            return None if first is None else first[0]

    def hurry(self) -> None:
        """See Store."""
        now_s = self._settings.now_s()
        with self._lock:
            self._agendas.clear()
            for session_id, lane in self._lanes.items():
                lane.state = lane.state._replace(due_s=min(lane.state.due_s, now_s))
                self._schedule(session_id, lane)

    def mark(self, _wait_s: float = 0.0, /) -> int:
        """See Store."""
        return self._last_seq

    def passed(self, mark: int, /) -> bool:
        """See Store."""
        with self._lock:
            oldest = next(iter(self._session_of), None)
            return oldest is None or oldest > mark

    def counts(self) -> Counts:
        """See Store."""
        return Counts(len(self._session_of), len(self._dead))

    def known(self) -> Counts:
        """See SteadyStore."""
        return self.counts()

    def refresh(self) -> None:
        """See SteadyStore."""

    def dead_letters(self) -> Sequence[Death]:
        """See Store."""
        with self._lock:
            return list(self._dead)

    def revive(self) -> int:
        """See Store."""
        now, revived = self._settings.now(), 0
        with self._lock:
            room = self._settings.max_pending - len(self._session_of)
            for _ in range(len(self._dead)):
                death = self._dead.popleft()
                if revived < room and death.reason != "unreadable":
                    revived += 1
                    self._append([death.entry._replace(telemetry=None, since=now, misses=0)], now.steady_s)
                else:
                    self._dead.append(death)
        return revived

    def volatile(self) -> int:
        """See SteadyStore."""
        return len(self._session_of)

    def tend(self) -> bool:
        """See SteadyStore: nothing is stored elsewhere."""
        return False

    def close(self) -> None:
        """See Store: nothing is open."""

    def _claim(self, session_id: str, now_s: float) -> Claim:
        lane = self._lanes[session_id]
        lane.token = f"memory-{id(self)}-{next(self._tokens)}"
        lane.lease_end_s = now_s + self._settings.lease_s
        self._schedule(session_id, lane)
        entries = tuple(itertools.islice(lane.entries.values(), MOST_PER_BATCH))
        return Claim(lane.token, lane.state, session_id, entries, False, lane.lease_end_s)

    def _append(self, entries: Sequence[Entry], due_s: float) -> None:
        for entry in entries:
            self._last_seq = next(self._seq)
            lane = self._lanes.get(entry.session_id)
            is_new = lane is None
            if lane is None:
                lane = self._lanes[entry.session_id] = _Lane(due_s)
            lane.entries[self._last_seq] = entry._replace(seq=self._last_seq)
            self._session_of[self._last_seq] = entry.session_id
            if is_new:
                self._schedule(entry.session_id, lane)

    def _schedule(self, session_id: str, lane: _Lane) -> None:
        if lane.entries:
            heapq.heappush(self._agendas.setdefault(lane.cluster(), []), (lane.free_at_s(), session_id))

    def _first(self, is_open: IsOpen) -> tuple[float, str] | None:
        """When the first lane that may be sent is free, and which; stale lines before it are gone then."""
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
        lane = self._lanes.get(line[1])
        return lane is not None and lane.free_at_s() == line[0] and lane.cluster() == cluster

    def _remove(self, seq: int) -> None:
        session_id = self._session_of.pop(seq, None)
        if session_id is None:
            return
        lane = self._lanes[session_id]
        was = lane.cluster()
        del lane.entries[seq]
        if not lane.entries:
            del self._lanes[session_id]
        elif lane.cluster() != was:
            self._schedule(session_id, lane)
