"""A Delivery API that answers with the session it was asked for, and remembers who asked over which connection."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict

from tests.kit.loopback import Answer, Received, ok


class Echo:
    """A responder for ``tests.kit.loopback.serving``. Sessions begin with the id of the process that asks, and a dash.

    Attributes:
        latency_s: How long every answer takes.
        processes: Connection to the processes that used it.
        sessions: How often each session was asked for.
        notified: How often each notification arrived.
    """

    def __init__(self, latency_s: float = 0.0) -> None:
        self.latency_s = latency_s
        self.processes: defaultdict[str, set[str]] = defaultdict(set)
        self.sessions: Counter[str] = Counter()
        self.notified: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, received: Received) -> Answer:
        body, session = received.body, received.session_id
        with self._lock:
            # The server has one thread for each connection.
            self.processes[threading.current_thread().name].add(session.partition("-")[0])
            self.sessions[session] += 1
            self.notified.update(item["id"] for item in body.get("notifications", ()))
        if self.latency_s:
            time.sleep(self.latency_s)
        answer = ok(received).body
        for mbox in answer.get("execute", {}).get("mboxes", ()):
            mbox["options"] = [{"type": "json", "content": {"session": session}}]
        return Answer(answer)

    def connections_by_process(self) -> dict[str, int]:
        """How many connections each process had. Fails when two processes used the same."""
        assert all(len(users) == 1 for users in self.processes.values()), dict(self.processes)
        return dict(Counter(user for users in self.processes.values() for user in users))
