"""What a backlog is made of: a call that waits, and what is known of its host and its session."""

from __future__ import annotations

import math
from collections import OrderedDict

from target.delivery.request import Call


class Waiting:
    """One call in the backlog. ``seq`` is its place in the order of coming, ``tries`` how often it was begun."""

    __slots__ = ("call", "in_flight", "seq", "tries")

    def __init__(self, seq: int, call: Call) -> None:
        self.seq = seq
        self.call = call
        self.in_flight = False
        self.tries = 0


class Host:
    """The calls to one host, oldest first, those in flight included, and whose turn it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: OrderedDict[Waiting, None] = OrderedDict()
        self.turns: OrderedDict[str, None] = OrderedDict()  # sessions with nothing in flight whose next call goes here
        self.in_flight = 0
        self.answers = False  # whether the latest call got an answer; unknown counts as no
        self.rests_until_s = -math.inf

    @property
    def waiting(self) -> int:
        return len(self.calls) - self.in_flight


class Session:
    """The calls of one session, oldest first, without the one in flight."""

    __slots__ = ("busy", "calls")

    def __init__(self) -> None:
        self.calls: list[Waiting] = []  # mostly of one, for which a deque would take ten times the room
        self.busy = False
