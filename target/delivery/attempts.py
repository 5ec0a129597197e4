"""The attempts of one call: what is sent and waited for until there is an answer, or a reason why there is none.

A generator says what to do next, and is told what came of it: who drives it has the sockets, the clock and the dice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import NamedTuple, Protocol

from target.delivery.echo import Whose
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.delivery.retry import Failure, Stage, is_of_host, retry_delay_s
from target.errors import TargetError, TransportError


class Send(NamedTuple):
    """Make one attempt.

    Attributes:
        call: What to send.
        may_repeat: Whether it may go out once more: after this attempt, or beside it.
        leaves_time: Whether a connection has to be there in half of the time left, as another host is next.
        anew: Whether only a new connection will do.
        doubt: What the answer before said of whose it is, where that one was not handed on.
    """

    call: Call
    may_repeat: bool
    leaves_time: bool = False
    anew: bool = False
    doubt: Whose | None = None


class Sleep(NamedTuple):
    """Wait for so many seconds, which the deadline leaves."""

    seconds: float


class NoAnswer(NamedTuple):
    """An attempt that brought no answer.

    Attributes:
        error: What the caller gets where no attempt follows.
        stage: How far it got; None where it is not to be made again.
    """

    error: TargetError
    stage: Stage | None


class Budget(Protocol):
    """What a call has left.

    Attributes:
        repeats: How many attempts were made beside others until now.
    """

    repeats: int

    def remaining_s(self) -> float:
        """Seconds until its deadline."""


#: How an attempt ended; Whose is what an answer said that is not to be handed on.
Ended = Reply | NoAnswer | Whose
#: A Send is answered by how it Ended, a Reply is the last step.
Steps = Generator[Send | Sleep | Reply, Ended, None]


def attempts(
    call: Call,
    home: str,
    avoids_cluster: bool,
    retries: int,
    budget: Budget,
    jitter: Callable[[], float],
    longest_pause_s: float = math.inf,
) -> Steps:
    """What to do, step by step, to get an answer to ``call``.

    Args:
        call: What to send: to its cluster, and to the account's host once that has failed.
        home: Base URL of the account's host.
        avoids_cluster: Whether to send it to the account's host from the start.
        retries: How many attempts may follow the first, those beside others included.
        budget: What is left for them.
        jitter: Says a random number from 0 to 1.
        longest_pause_s: An answer that asks for a longer pause is handed on at once.

    Raises:
        TargetError: There is no usable answer, and no attempt left.
    """
    asked, made, anew = call, 0, False
    doubt: Whose | None = None
    if avoids_cluster:
        call = to_account(call, home)
    while True:
        may_repeat = made + budget.repeats < retries
        leaves_time = may_repeat and call.cluster is not None and call.base_url != home
        ended = yield Send(call, may_repeat, leaves_time, anew, doubt)
        if isinstance(ended, Whose):
            anew, doubt = True, ended  # nobody has answered this call yet
            continue
        made += 1
        failure = None
        if isinstance(ended, NoAnswer):
            failure = None if ended.stage is None else Failure(ended.stage)
        elif ended.status >= 400:
            failure = Failure(Stage.ANSWERED, ended.status, ended.retry_after_s)
        if failure is not None:
            following = to_account(call, home) if is_of_host(failure) else call
            if following is not call:
                failure = failure._replace(retry_after_s=None)  # a pause that one host asked for is no other's
            delay_s = None
            if (failure.retry_after_s or 0.0) <= longest_pause_s:
                delay_s = retry_delay_s(failure, made + budget.repeats, retries, budget.remaining_s(), jitter())
            if delay_s is not None:
                yield Sleep(delay_s)
                anew = failure.stage is Stage.UNANSWERED  # what killed that one may have killed all
                if following is not call:
                    call, doubt = following, None
                continue
        if isinstance(ended, NoAnswer):
            raise ended.error
        yield ended if call.base_url == asked.base_url else ended._replace(moved=True)


def doubted(step: Send, said: Whose) -> Ended:
    """How an attempt ended whose answer names another request: it is made again, the second time it is an error."""
    if step.doubt is None:
        return said
    error = TransportError(
        f"{step.call.base_url} answered another request, which may be another visitor's: try again. Where a stand-in "
        "has taken the API's place meanwhile, create a new client"
    )
    return NoAnswer(error, None)


def to_account(call: Call, home: str) -> Call:
    """``call`` to the account's own host, from which any cluster can be reached; as it is where it goes to none."""
    is_at_cluster = call.cluster is not None and call.base_url != home
    return call._replace(base_url=home, cluster=None) if is_at_cluster else call
