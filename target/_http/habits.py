"""What one client knows of its hosts: which of them give back the requestId, and are held to it."""

from __future__ import annotations

import contextlib

from target._background.forks import renew_in_children
from target.delivery.echo import Habit, Kind, Verdict, Whose, judge, says_this, whose
from target.delivery.reply import Reply
from target.delivery.request import Call

_MOST_HOSTS = 1024  # each a few hundred bytes; the cookies of visitors can name 10,000 clusters


class Habits:
    """Safe to share between threads: each step is one operation of a dict. A forked child begins with none."""

    def __init__(self) -> None:
        self._of: dict[str, Habit] = {}
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child."""
        self._of = {}

    def judge(self, reply: Reply, call: Call, is_kept: bool | None, before: Whose | None) -> tuple[Verdict, Whose]:
        """What becomes of ``reply``, and what it says of whose it is.

        Args:
            reply: The answer.
            call: What was sent.
            is_kept: Whether over a connection that had been used before; None where a test tool stands in for
                connections: then there is nothing to hold it to.
            before: What the answer before said, where it was not handed on.
        """
        of, host = self._of, call.base_url
        habit = of.get(host)
        if habit is None or is_kept is None:
            said = Whose(Kind.THIS if is_kept is not None and says_this(reply, call) else Kind.NOTHING)
        else:
            said = whose(reply, call)
        if is_kept is None:
            return Verdict.TAKE, said
        verdict, now = judge(habit, is_kept, reply.status, said, before)
        if now != habit:
            self._learn(host, now)
        return verdict, said

    def _learn(self, host: str, habit: Habit) -> None:
        if habit is None:
            self._of.pop(host, None)
            return
        if host not in self._of and len(self._of) >= _MOST_HOSTS:
            with contextlib.suppress(IndexError):
                self._of.pop(list(self._of)[0], None)  # in one step, whoever else changes it  # noqa: RUF015
        self._of[host] = habit
