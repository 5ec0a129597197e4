"""What waits to be sent in the background: in order within a session, fair between hosts, never more than so much."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
from collections import OrderedDict, deque

from target._background.clock import monotonic_s
from target._background.flag import Flag
from target._on_device.waiting import Host, Session, Waiting
from target.delivery.request import Call

_MOST_WAITS = 1024  # at once; whoever is one more hears of nothing before its time is over
_MOST_HOSTS = 256  # remembered though nothing waits for them


class Backlog:
    """Calls by session and host. Safe to share between threads; moments are those of ``clock.monotonic_s``.

    One host has at most ``most_at_once`` calls in flight, and all together a quarter more. One that is not known to
    answer, since it is new or its last call got no answer, has few, and all of that kind together no more than a part:
    so hosts that hang leave senders to the others.

    Args:
        most_waiting: How many calls may wait; see ``take_excess``.
        most_at_once: See above; ``most_in_flight`` is how many calls that makes to all hosts.
    """

    def __init__(self, most_waiting: int, most_at_once: int) -> None:
        self._most_waiting = most_waiting
        self._most_at_once = most_at_once
        self._few = max(1, most_at_once // 8)
        self.most_in_flight = most_at_once + max(1, most_at_once // 4)
        self._most_doubtful = max(2, self.most_in_flight // 2)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything, the lock included: in the child of a fork."""
        # A SimpleQueue may be put into from anywhere, a signal handler or a garbage collection included.
        self._inbox: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waits: deque[Flag] = deque(maxlen=_MOST_WAITS)  # of those in ``wait``; setting one lets it look again
        self._hosts: dict[str, Host] = {}
        # Those with turns, by whether they answer. A visitor's cookie can name any of 10,000: none of it looks at all.
        self._ready: dict[bool, OrderedDict[str, Host]] = {True: OrderedDict(), False: OrderedDict()}
        self._fullest: Host | None = None  # as far as what came since tells
        self._sessions: dict[str, Session] = {}
        self._seq = self._waiting = self._in_flight = self._doubtful = 0

    @property
    def waiting(self) -> int:
        """How many calls wait, those in flight not counted."""
        return self._inbox.qsize() + self._waiting

    @property
    def in_flight(self) -> int:
        """How many calls are being sent."""
        return self._in_flight

    @property
    def has_excess(self) -> bool:
        """Whether too much waits."""
        return self.waiting > self._most_waiting

    @property
    def most_of_use(self) -> int:
        """How many senders may have something to send now: those above ``most_at_once`` are for further hosts."""
        return self.most_in_flight if len(self._hosts) > 1 else self._most_at_once

    def put(self, call: Call) -> Call | None:
        """Let ``call`` wait. Takes no lock; what is given up for it where no thread has looked in for very long."""
        self._inbox.put(call)
        if self._inbox.qsize() > self._most_waiting:
            with contextlib.suppress(queue.Empty):
                return self._inbox.get_nowait()
        return None

    def take_excess(self) -> list[Call]:
        """What is given up since too much waits: for each, the oldest call of the host that most wait for."""
        if not self.has_excess:
            return []
        with self._lock:
            self._sort()
            return [self._drop() for _ in range(self._waiting - self._most_waiting)]

    def take(self, now_s: float) -> Waiting | float | None:
        """The next call to send, which ``settle`` or ``put_back`` must follow; else in how many seconds a host that
        rests may be called; None where nothing can be sent until then."""
        with self._lock:
            self._sort()
            if self._in_flight >= self.most_in_flight:
                return None
            first_s = math.inf
            for answers in (False, True) if self._doubtful < self._few else (True, False):
                for host in self._ready[answers].values():
                    if not answers and self._doubtful >= self._most_doubtful:
                        break
                    if host.rests_until_s > now_s:
                        first_s = min(first_s, host.rests_until_s - now_s)
                    elif self._has_room(host):
                        return self._begin(host)
            return None if math.isinf(first_s) else first_s

    def settle(self, waiting: Waiting, answered: bool | None = None) -> None:
        """``waiting`` is done with. ``answered`` is what that says of its host."""
        with self._lock:
            host = self._end(waiting, answered)
            del host.calls[waiting]
            self._free(waiting.call.session_id)
            self._forget(host)
            self._tell()

    def put_back(self, waiting: Waiting, rests_until_s: float | None = None) -> None:
        """Let ``waiting`` wait again, in its old place; its host rests until then."""
        with self._lock:
            host = self._end(waiting, None)
            if rests_until_s is not None:
                host.rests_until_s = rests_until_s
                self._judge(host, answers=False)
            self._waiting += 1
            session_id = waiting.call.session_id
            self._sessions[session_id].calls.insert(0, waiting)
            self._free(session_id)
            self._tell()  # what now rests for too long is not waited for

    def take_all(self) -> list[Call]:
        """All that waits, oldest first; afterwards nothing does, but for what is in flight."""
        with self._lock:
            self._sort()
            left = [waiting for host in self._hosts.values() for waiting in host.calls if not waiting.in_flight]
            for waiting in left:
                self._remove(waiting)
            return [waiting.call for waiting in sorted(left, key=lambda waiting: waiting.seq)]

    def mark(self) -> int:
        """Where the backlog ends now."""
        with self._lock:  # so that nobody sorts; nor does who waits, who may be interrupted in the middle of it
            return self._seq + self._inbox.qsize()

    def wait(self, mark: int, ends_at_s: float) -> int:
        """Wait until all up to ``mark`` is done with: how many calls are not, at ``ends_at_s``, or as soon as nothing
        that is left can be sent before."""
        while True:
            changed = Flag()
            with self._lock:
                left = [host for host in self._hosts.values() if host.calls and next(iter(host.calls)).seq <= mark]
                left_s = ends_at_s - monotonic_s()
                unsorted = max(0, mark - self._seq)
                is_stuck = all(host.rests_until_s > ends_at_s and not host.in_flight for host in left)
                if left_s <= 0 or (is_stuck and not unsorted):  # the latter, too, where nothing is left
                    return unsorted + sum(waiting.seq <= mark for host in left for waiting in host.calls)
                self._waits.append(changed)
            changed.wait(left_s)

    def _tell(self) -> None:
        """Let those who wait look again."""
        with contextlib.suppress(IndexError):
            while True:
                self._waits.popleft().set()

    def _sort(self) -> None:
        """Put what came where it belongs."""
        while True:
            try:
                call = self._inbox.get_nowait()
            except queue.Empty:
                break
            self._seq += 1
            waiting = Waiting(self._seq, call)
            host = self._hosts.get(call.base_url)
            if host is None:
                host = self._hosts[call.base_url] = Host(call.base_url)
            host.calls[waiting] = None
            self._waiting += 1
            if self._fullest is None or host.waiting > self._fullest.waiting:
                self._fullest = host
            session = self._sessions.get(call.session_id)
            if session is None:
                session = self._sessions[call.session_id] = Session()
            session.calls.append(waiting)
            if len(session.calls) == 1 and not session.busy:
                self._free(call.session_id)
        if self._waits:  # what came may have to wait for too long
            self._tell()

    def _has_room(self, host: Host) -> bool:
        if host.answers:
            return host.in_flight < self._most_at_once
        if not host.in_flight:  # the one that finds out
            return self._doubtful < self._most_doubtful
        return host.in_flight < self._few and self._doubtful < self.most_in_flight - self._most_at_once

    def _judge(self, host: Host, answers: bool) -> None:
        if answers:
            host.rests_until_s = -math.inf
        if answers != host.answers:
            self._doubtful += -host.in_flight if answers else host.in_flight
            self._ready[host.answers].pop(host.name, None)
            host.answers = answers
            self._make_ready(host)

    def _make_ready(self, host: Host) -> None:
        ready = self._ready[host.answers]
        if not host.turns:
            ready.pop(host.name, None)
        elif host.name not in ready:
            ready[host.name] = host

    def _forget(self, host: Host) -> None:
        """Unless there is something to remember of the host."""
        if not host.calls and (len(self._hosts) > _MOST_HOSTS or not (host.answers or host.rests_until_s > 0)):
            self._hosts.pop(host.name, None)
            if self._fullest is host:
                self._fullest = None

    def _begin(self, host: Host) -> Waiting:
        session_id, _ = host.turns.popitem(last=False)
        session = self._sessions[session_id]
        waiting = session.calls.pop(0)
        session.busy = waiting.in_flight = True
        waiting.tries += 1
        host.in_flight += 1
        self._doubtful += not host.answers
        self._in_flight += 1
        self._waiting -= 1
        self._ready[host.answers].move_to_end(host.name)
        self._make_ready(host)
        return waiting

    def _end(self, waiting: Waiting, answered: bool | None) -> Host:
        host = self._hosts[waiting.call.base_url]
        host.in_flight -= 1
        self._doubtful -= not host.answers
        self._in_flight -= 1
        if answered is not None:
            self._judge(host, answered)
        waiting.in_flight = False
        self._sessions[waiting.call.session_id].busy = False
        return host

    def _free(self, session_id: str) -> None:
        """The session may send its next call, where it has one."""
        session = self._sessions[session_id]
        if session.calls:
            host = self._hosts[session.calls[0].call.base_url]
            host.turns[session_id] = None
            self._make_ready(host)
        else:
            del self._sessions[session_id]

    def _drop(self) -> Call:
        """Give up the oldest call of the host that most wait for."""
        host = self._fullest
        if host is None or host.waiting <= 0:
            host = self._fullest = next(each for each in self._hosts.values() if each.waiting > 0)
        oldest = next(waiting for waiting in host.calls if not waiting.in_flight)
        self._remove(oldest)
        return oldest.call

    def _remove(self, waiting: Waiting) -> None:
        call = waiting.call
        session = self._sessions[call.session_id]
        session.calls.remove(waiting)
        self._waiting -= 1
        host = self._hosts[call.base_url]
        del host.calls[waiting]
        if not session.busy:
            host.turns.pop(call.session_id, None)
            self._make_ready(host)
            self._free(call.session_id)
        self._forget(host)
        self._tell()
