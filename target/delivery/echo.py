"""Whose answer came: the API gives back the ``requestId`` of the request that it answers.

On a connection that was used before, an answer may have been sent for another visitor's request: a proxy out of step
sends one more, a moment too late to be noticed before the next request is written. Stand-ins for the API (stubs, mocks,
recordings) often give back none, or always the same; so a host is held to it only once it has done so.
"""

from __future__ import annotations

import contextlib
import json
import re
from enum import Enum
from typing import Any, NamedTuple

from target.delivery.reply import Reply
from target.delivery.request import Call
from target.reading import SMALL_BYTES, UnreadableJson, parse_json

# What proxies and gateways answer by themselves, and, to a beacon, the API: without a requestId. To ask again for each
# would add to what a host at its limit cannot do.
_BY_ITSELF = frozenset({204, 420, 429})
_MOST_HOSTS = 1024  # each a few hundred bytes; the cookies of visitors can name 10,000 clusters
_REQUEST_ID = re.compile(rb'"requestId"\s*:\s*("(?:[^"\\]|\\.){0,1000}"|[0-9]{1,100})')


class Kind(Enum):
    """What an answer says of whose it is."""

    THIS = "the requestId of the request"
    OTHER = "another requestId"
    UNNAMED = "a JSON object without one"
    NOTHING = "no JSON object"


class Whose(NamedTuple):
    """What an answer says of whose it is: another request's by its ``request_id``."""

    kind: Kind
    request_id: str | None = None


class Verdict(Enum):
    """What becomes of an answer."""

    TAKE = "it is handed on"
    TAKE_STATUS = "it is handed on without its body, and its connection closed"
    ASK_AGAIN = "it is not handed on, its connection closed, and the request sent over a new one"


_THIS, _NOTHING = Whose(Kind.THIS), Whose(Kind.NOTHING)

#: Of a host that gives back the requestId: the statuses that it answered with without it, over connections that were
#: new. None of a host that does not, or of which nothing is known.
Habit = frozenset[int] | None


def says_this(reply: Reply, call: Call) -> bool:
    """Whether ``reply`` gives back the requestId of ``call``."""
    asked = call.body.get("requestId")
    if asked == call.trace_id:
        # One that was made up for this call is in no other answer, and to look for it is cheaper than to parse.
        return f'"{asked}"'.encode() in reply.content
    return whose(reply, call).kind is Kind.THIS


def whose(reply: Reply, call: Call) -> Whose:
    """What ``reply`` says of whose it is."""
    asked = call.body.get("requestId")
    if asked == call.trace_id and says_this(reply, call):
        return Whose(Kind.THIS)
    if len(reply.content) > SMALL_BYTES:  # which takes too long to be parsed for this alone
        if not reply.content.lstrip().startswith(b"{"):
            return Whose(Kind.NOTHING)
        found = _REQUEST_ID.search(reply.content)
        return Whose(Kind.UNNAMED) if found is None else _compare(_text_of(found[1]), asked)
    data = _text_of(reply.content)
    if not isinstance(data, dict):
        return Whose(Kind.NOTHING)
    answered = data.get("requestId")
    return Whose(Kind.UNNAMED) if answered is None else _compare(answered, asked)


def _compare(answered: Any, asked: Any) -> Whose:
    answered = answered if isinstance(answered, str) else json.dumps(answered)
    return Whose(Kind.THIS) if answered == str(asked) else Whose(Kind.OTHER, answered)


def _text_of(content: bytes) -> Any:
    try:
        return parse_json(content)
    except UnreadableJson:
        return None


def judge(habit: Habit, is_kept: bool, status: int, said: Whose, before: Whose | None) -> tuple[Verdict, Habit]:
    """What becomes of an answer, and what is known of its host from then on.

    Args:
        habit: What is known of the host.
        is_kept: Whether the request went over a connection that had been used before.
        status: Of the answer.
        said: What the answer says of whose it is.
        before: What the answer said that was not handed on, where this is the one after it.
    """
    if said.kind is Kind.THIS:
        return Verdict.TAKE, habit - {status} if habit else frozenset()
    if habit is None:
        return Verdict.TAKE, None
    if is_kept:
        is_known = said.kind is not Kind.OTHER and status in habit
        return Verdict.TAKE_STATUS if is_known else Verdict.ASK_AGAIN, habit
    if said.kind is Kind.OTHER:
        # Over two connections the same one: a canned answer. Else somebody before the API mixes answers up.
        return (Verdict.TAKE, None) if said == before else (Verdict.ASK_AGAIN, habit)
    if status in _BY_ITSELF or status >= 500:
        return Verdict.TAKE, habit | {status}
    has_changed = said.kind is Kind.UNNAMED and 200 <= status < 300
    return Verdict.TAKE, None if has_changed else habit


class Habits:
    """What one client knows of its hosts: which of them give back the requestId, and are held to it.

    Safe to share between threads: each step is one operation of a dict. A forked child begins with none.
    """

    def __init__(self) -> None:
        self._of: dict[str, Habit] = {}

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
        if is_kept is None:
            return Verdict.TAKE, _NOTHING
        host = call.base_url
        habit = self._of.get(host)
        said = _THIS if says_this(reply, call) else _NOTHING
        if said is _NOTHING and habit is not None:
            said = whose(reply, call)
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
