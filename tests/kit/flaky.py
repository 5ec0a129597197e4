"""A Delivery API that fails at random, the same way for the same seed, and remembers what it took."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable

from tests.kit.loopback import Answer, Received, ok


class Flaky:
    """A responder for LoopbackServer: of ``rates``, each a share from 0 to 1, and otherwise success.

    ``taken`` counts the ids of complete answers of success only: of what failed, nobody may rely on anything.
    """

    def __init__(self, seed: int, hang_s: float, **rates: float) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._hang_s = hang_s
        self._rates = rates
        self.taken: Counter[str] = Counter()
        self.impressions: dict[str, set[str]] = {}
        self.faults: Counter[str] = Counter()

    def __call__(self, received: Received) -> Answer | Callable[[socket.socket], None]:
        with self._lock:
            fault = self._pick()
            self.faults[fault] += 1
            sent = received.body["notifications"]
            for item in sent:
                self.impressions.setdefault(item["id"], set()).add(item["impressionId"])
            if fault == "none":
                self.taken.update(item["id"] for item in sent)
                return ok(received)
            if fault == "omission":
                answer = json.loads(ok(received).content())
                dropped = answer["notifications"].pop(self._random.randrange(len(sent)))["id"]
                self.taken.update(item["id"] for item in sent if item["id"] != dropped)
                return Answer(answer)
        if fault == "refusal":
            return Answer({"status": 503, "message": "try later"}, 503)
        return {"reset": _reset, "hang": self._hang, "half": _half}[fault]

    def _pick(self) -> str:
        point = self._random.random()
        for name, rate in self._rates.items():
            if point < rate:
                return name
            point -= rate
        return "none"

    def _hang(self, sock: socket.socket) -> None:
        time.sleep(self._hang_s)


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _half(sock: socket.socket) -> None:
    sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"status": 200, ')
