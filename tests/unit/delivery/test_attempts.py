"""The attempts of one call, without a socket, a clock or a die: what is done after which outcome."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.delivery.attempts import Ended, NoAnswer, Send, Sleep, attempts, doubted, to_account
from target.delivery.echo import Kind, Whose
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.delivery.retry import FIRST_DELAY_S, Stage
from target.errors import TargetError, TargetTimeout, TransportError
from tests.kit.built_calls import offers

HOME, CLUSTER = "https://acme.tt.omtrdc.net", "https://mboxedge38.tt.omtrdc.net"
AT_HOME, AT_CLUSTER = offers(), offers(target_location_hint="38")
FIRST_S, SECOND_S = 0.75 * FIRST_DELAY_S, 1.5 * FIRST_DELAY_S  # as these dice fall
OTHERS = Whose(Kind.OTHER, "x")

GOOD = Reply(200, "OK", b"{}")
REFUSED = NoAnswer(TransportError("nobody there"), Stage.CONNECTING)
DIED = NoAnswer(TransportError("no answer"), Stage.UNANSWERED)
BROKEN = NoAnswer(TransportError("half an answer"), None)
LATE = NoAnswer(TargetTimeout("late"), None)


def status(number: int, asked_s: float | None = None) -> Reply:
    return Reply(number, "", b"", asked_s)


def told(ended: Reply | NoAnswer) -> Reply | TargetError:
    """What the caller gets where this was the last attempt."""
    return ended.error if isinstance(ended, NoAnswer) else ended


class Left:
    """What a call has left, that pauses alone use up."""

    def __init__(self, left_s: float, pauses_s: list[float]) -> None:
        self.left_s, self.pauses_s = left_s, pauses_s
        self.repeats = 0

    def remaining_s(self) -> float:
        return self.left_s - sum(self.pauses_s)


class Done(NamedTuple):
    """What was done for one call, and what its caller gets."""

    sends: list[Send]
    pauses_s: list[float]
    result: Reply | TargetError

    @property
    def hosts(self) -> list[str]:
        return [send.call.base_url for send in self.sends]


def run(
    outcomes: Iterable[Ended],
    call: Call = AT_HOME,
    *,
    retries: int = 2,
    left_s: float = 60.0,
    jitter: float = 0.5,
    longest_pause_s: float = math.inf,
    avoids_cluster: bool = False,
    beside: int = 0,
) -> Done:
    """Make the attempts of ``call``, which end as ``outcomes`` say; so many more are made ``beside`` the first."""
    sends: list[Send] = []
    pauses_s: list[float] = []
    left = Left(left_s, pauses_s)
    steps = attempts(call, HOME, avoids_cluster, retries, left, lambda: jitter, longest_pause_s)
    ends = iter(outcomes)
    try:
        step = next(steps)
        while not isinstance(step, Reply):
            if isinstance(step, Sleep):
                pauses_s.append(step.seconds)
                step = next(steps)
            else:
                sends.append(step)
                left.repeats = beside
                step = steps.send(next(ends))
    except TargetError as error:
        return Done(sends, pauses_s, error)
    return Done(sends, pauses_s, step)


@pytest.mark.parametrize(
    ("outcomes", "pauses_s"),
    [
        pytest.param([GOOD], [], id="answered"),
        pytest.param([status(204)], [], id="no-content"),
        pytest.param([status(302)], [], id="redirected"),
        pytest.param([status(400)], [], id="refused-by-the-api"),
        pytest.param([status(500)], [], id="broken-service"),
        pytest.param([BROKEN], [], id="half-an-answer"),
        pytest.param([LATE], [], id="late"),
        pytest.param([REFUSED, GOOD], [FIRST_S], id="no-connection-then-answered"),
        pytest.param([DIED, GOOD], [FIRST_S], id="died-then-answered"),
        pytest.param([status(503), GOOD], [FIRST_S], id="busy-then-answered"),
        pytest.param([status(429, 2.0), GOOD], [2.0], id="asked-for-a-pause"),
        pytest.param([status(429, 61.0)], [], id="asked-for-more-than-is-left"),
        pytest.param([DIED, status(400)], [FIRST_S], id="died-then-refused-by-the-api"),
        pytest.param([DIED, BROKEN], [FIRST_S], id="died-then-half-an-answer"),
        pytest.param([DIED, REFUSED, status(502)], [FIRST_S, SECOND_S], id="all-attempts-fail"),
        pytest.param([status(503), status(503), DIED], [FIRST_S, SECOND_S], id="the-last-failure-is-told"),
    ],
)
def test_what_follows_which_outcome(outcomes: list[Reply | NoAnswer], pauses_s: list[float]) -> None:
    done = run(outcomes)
    assert len(done.sends) == len(outcomes)
    assert done.pauses_s == pytest.approx(pauses_s)
    assert done.result is told(outcomes[-1])


def test_a_call_without_retries_is_sent_once() -> None:
    for ended in (DIED, REFUSED, status(503, 0.1)):
        done = run([ended], retries=0)
        assert done.result is told(ended)
        assert not done.sends[0].may_repeat


def test_it_is_told_which_attempt_may_be_repeated() -> None:
    assert [send.may_repeat for send in run([DIED] * 3).sends] == [True, True, False]


def test_attempts_beside_others_count() -> None:
    done = run([DIED, DIED], beside=1)
    assert [send.may_repeat for send in done.sends] == [True, False]
    assert done.pauses_s == pytest.approx([SECOND_S])
    assert run([DIED], beside=2).pauses_s == []


def test_what_died_unanswered_is_followed_by_a_new_connection() -> None:
    outcomes: list[Ended] = [REFUSED, DIED, status(503), GOOD]
    assert [send.anew for send in run(outcomes, retries=3).sends] == [False, False, True, False]


def test_an_answer_to_another_request_says_whose_host_gave_it_and_what_to_do() -> None:
    step = Send(AT_CLUSTER, True, True, False, OTHERS)
    ended = doubted(step, OTHERS)
    assert isinstance(ended, NoAnswer)
    assert str(ended.error) == (
        f"{AT_CLUSTER.base_url} answered another request, which may be another visitor's: try again. Where a stand-in "
        "has taken the API's place meanwhile, create a new client"
    )


def test_a_pause_that_is_too_long_is_left_to_the_caller() -> None:
    busy = status(503, 0.5)
    assert run([busy], longest_pause_s=0.0).result is busy
    assert run([busy, GOOD], longest_pause_s=0.5).pauses_s == [0.5]
    assert run([DIED, GOOD], longest_pause_s=0.0).pauses_s == pytest.approx([FIRST_S])


class TestClusters:
    @pytest.mark.parametrize(
        ("failure", "moves"),
        [
            (REFUSED, True),
            (DIED, True),
            (status(502), True),
            (status(503), True),
            (status(504), True),
            (status(429), False),
        ],
    )
    def test_a_host_that_fails_is_not_asked_again(self, failure: Ended, moves: bool) -> None:
        done = run([failure, GOOD], AT_CLUSTER)
        assert done.hosts == [CLUSTER, HOME if moves else CLUSTER]
        assert isinstance(done.result, Reply)
        assert done.result.moved is moves
        assert done.result.content == b"{}"
        assert done.sends[1].call.content is AT_CLUSTER.content

    def test_the_accounts_host_is_not_left(self) -> None:
        done = run([DIED, REFUSED, GOOD], AT_CLUSTER)
        assert done.hosts == [CLUSTER, HOME, HOME]
        for call in (AT_HOME, AT_HOME._replace(base_url="http://stand-in:8080")):
            done = run([DIED, REFUSED, GOOD], call)
            assert done.hosts == [call.base_url] * 3
            assert done.result is GOOD
            assert not any(send.leaves_time for send in done.sends)

    def test_a_pause_that_one_host_asked_for_is_no_others(self) -> None:
        assert run([status(503, 30.0), GOOD], AT_CLUSTER).pauses_s == pytest.approx([FIRST_S])
        assert run([status(503, 30.0), GOOD], AT_CLUSTER, longest_pause_s=0.0).hosts == [CLUSTER, HOME]
        assert run([status(429, 30.0), GOOD], AT_CLUSTER).pauses_s == [30.0]

    def test_it_leaves_time_for_the_other_host_where_there_may_be_one(self) -> None:
        assert [send.leaves_time for send in run([DIED, DIED, GOOD], AT_CLUSTER).sends] == [True, False, False]
        assert not run([GOOD], AT_CLUSTER, retries=0).sends[0].leaves_time
        assert not run([GOOD]).sends[0].leaves_time

    def test_a_cluster_that_keeps_failing_is_not_asked(self) -> None:
        done = run([GOOD], AT_CLUSTER, avoids_cluster=True)
        assert done.hosts == [HOME]
        assert isinstance(done.result, Reply)
        assert done.result.moved
        assert run([GOOD], avoids_cluster=True).result is GOOD

    def test_a_call_to_the_account_names_no_cluster(self) -> None:
        assert to_account(AT_HOME, HOME) is AT_HOME
        assert to_account(AT_CLUSTER, HOME) == AT_CLUSTER._replace(base_url=HOME, cluster=None)


class TestDoubt:
    def test_another_requests_answer_is_asked_for_again_over_a_new_connection(self) -> None:
        done = run([OTHERS, GOOD], retries=0)
        assert [(send.anew, send.doubt) for send in done.sends] == [(False, None), (True, OTHERS)]
        assert done.pauses_s == []
        assert done.result is GOOD

    def test_it_is_no_attempt_that_counts(self) -> None:
        done = run([OTHERS, DIED, DIED, DIED])
        assert done.pauses_s == pytest.approx([FIRST_S, SECOND_S])
        assert [send.may_repeat for send in done.sends] == [True, True, True, False]

    def test_another_host_is_not_doubted_for_it(self) -> None:
        assert [send.doubt for send in run([OTHERS, DIED, GOOD], AT_CLUSTER).sends] == [None, OTHERS, None]
        assert [send.doubt for send in run([OTHERS, DIED, GOOD]).sends] == [None, OTHERS, OTHERS]

    def test_the_second_one_is_an_error(self) -> None:
        first = Send(AT_HOME, may_repeat=True)
        assert doubted(first, OTHERS) is OTHERS
        ended = doubted(first._replace(doubt=OTHERS), OTHERS)
        assert isinstance(ended, NoAnswer)
        assert ended.stage is None
        assert isinstance(ended.error, TransportError)
        assert f"{HOME} answered another request" in str(ended.error)


ENDS = st.one_of(
    st.sampled_from([GOOD, REFUSED, DIED, BROKEN, LATE]),
    st.builds(status, st.sampled_from([200, 204, 400, 404, 429, 500, 502, 503, 504]), st.none() | st.floats(0, 100)),
)


@given(
    st.lists(ENDS, min_size=7, max_size=7),
    st.sampled_from([AT_HOME, AT_CLUSTER]),
    st.integers(0, 5),
    st.floats(0, 100),
    st.floats(0, 1),
    st.sampled_from([0.0, 1.0, math.inf]),
    st.booleans(),
    st.booleans(),
)
def test_whatever_happens(
    outcomes: list[Reply | NoAnswer],
    call: Call,
    retries: int,
    left_s: float,
    jitter: float,
    longest_pause_s: float,
    avoids_cluster: bool,
    is_doubted: bool,
) -> None:
    ends: list[Ended] = [OTHERS, *outcomes] if is_doubted else [*outcomes]
    done = run(
        ends,
        call,
        retries=retries,
        left_s=left_s,
        jitter=jitter,
        longest_pause_s=longest_pause_s,
        avoids_cluster=avoids_cluster,
    )
    counted = done.sends[is_doubted:]
    assert 1 <= len(counted) <= retries + 1
    assert len(done.pauses_s) == len(counted) - 1
    assert sum(done.pauses_s) <= left_s
    last = told(outcomes[len(counted) - 1])
    if isinstance(last, Reply):
        last = last._replace(moved=done.hosts[-1] != call.base_url)
    assert done.result == last  # an error, too, is the very one of the last attempt
    assert done.hosts == sorted(done.hosts, key=lambda host: host == HOME)  # once left, a cluster stays left
    for send, following, ended in zip(counted, counted[1:], outcomes, strict=False):
        assert send.may_repeat
        assert following.anew == (isinstance(ended, NoAnswer) and ended.stage is Stage.UNANSWERED)
        assert not isinstance(ended, Reply) or ended.status >= 400
