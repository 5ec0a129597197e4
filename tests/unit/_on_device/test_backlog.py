"""What waits to be sent in the background: order, turns, bounds, pauses, and what is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target._on_device.backlog import Backlog
from target._on_device.waiting import Waiting
from target.delivery.request import Call
from tests.kit.calls import eventually, timed

FAR_S = 3600.0


def call(number: int, session_id: str | None = None, host: str = "http://a") -> Call:
    return Call(
        body={"number": number},
        base_url=host,
        session_id=session_id or f"s{number}",
        device_id=None,
        cluster=None,
        names_cluster=True,
        trace_id=str(number),
        visitor=None,
        written=[],
    )


def number_of(taken: Waiting | float | None) -> int:
    assert isinstance(taken, Waiting)
    return taken.call.body["number"]


def taken_from(backlog: Backlog, now_s: float = 0.0) -> Iterator[Waiting]:
    """All that may be in flight at once."""
    while isinstance(taken := backlog.take(now_s), Waiting):
        yield taken


def backlog_of(*calls: Call, most_waiting: int = 1000, most_at_once: int = 32, known: str = "") -> Backlog:
    """A backlog with ``calls``; of the host ``known`` it is known that it answers."""
    backlog = Backlog(most_waiting, most_at_once)
    if known:
        backlog.put(call(-1, host=known))
        taken = backlog.take(0.0)
        assert isinstance(taken, Waiting)
        backlog.settle(taken, answered=True)
    for each in calls:
        assert backlog.put(each) is None
        backlog._sort()  # looks in, as a thread would
    return backlog


def test_a_session_has_one_call_in_flight_and_keeps_its_order() -> None:
    backlog = backlog_of(call(1, "s"), call(2, "s"), call(3, "t"))
    first, other = taken_from(backlog)
    assert [number_of(first), number_of(other)] == [1, 3]
    backlog.settle(first, answered=True)
    (second,) = taken_from(backlog)
    assert number_of(second) == 2


def test_a_session_keeps_its_order_over_two_hosts() -> None:
    backlog = backlog_of(call(1, "s"), call(2, "s", "http://b"), call(3, "s"))
    for expected in (1, 2, 3):
        (taken,) = taken_from(backlog)
        assert number_of(taken) == expected
        backlog.settle(taken, answered=True)
    assert backlog.take(0.0) is None


def test_what_is_put_back_comes_before_what_followed_it() -> None:
    backlog = backlog_of(call(1, "s"), call(2, "s"))
    (taken,) = taken_from(backlog)
    backlog.put_back(taken)
    (taken,) = taken_from(backlog)
    assert (number_of(taken), taken.tries) == (1, 2)


def test_a_host_that_answers_gets_all_and_a_new_one_few() -> None:
    backlog = backlog_of(*(call(number) for number in range(100)), known="http://a")
    assert len(list(taken_from(backlog))) == 32
    backlog = backlog_of(*(call(number) for number in range(100)))
    first, *more = taken_from(backlog)
    assert len(more) == 3
    backlog.settle(first, answered=True)
    assert len(list(taken_from(backlog))) == 32 - 3
    backlog.settle(more[0], answered=False)
    assert list(taken_from(backlog)) == []


def test_hosts_that_do_not_answer_leave_room_for_one_that_does() -> None:
    hanging = [call(number, host=f"http://hangs{number % 20}") for number in range(400)]
    good = [call(1000 + number) for number in range(100)]
    backlog = backlog_of(*hanging, *good, known="http://a")
    in_flight = [taken.call.base_url for taken in taken_from(backlog)]
    assert in_flight.count("http://a") >= 20
    assert len(in_flight) == backlog.most_in_flight == 40


def test_a_host_that_answered_and_then_hangs_leaves_room_for_another() -> None:
    backlog = backlog_of(*(call(number) for number in range(100)), known="http://a")
    assert len(list(taken_from(backlog))) == 32
    for number in range(100):
        backlog.put(call(1000 + number, host="http://b"))
    first, *_ = taken_from(backlog)
    backlog.settle(first, answered=True)
    assert len(list(taken_from(backlog))) > 0


@pytest.mark.parametrize("most_at_once", [1, 2, 3, 7])
def test_however_few_may_be_sent_at_once_a_hanging_host_does_not_take_the_last(most_at_once: int) -> None:
    backlog = backlog_of(*(call(number) for number in range(50)), known="http://a", most_at_once=most_at_once)
    assert len(list(taken_from(backlog))) == most_at_once
    backlog.put(call(1000, host="http://b"))
    (taken,) = taken_from(backlog)
    assert number_of(taken) == 1000


def test_a_host_that_rests_is_left_alone_and_the_others_are_not() -> None:
    backlog = backlog_of(call(1), call(2), call(3, host="http://b"))
    first = next(taken_from(backlog, 100.0))
    backlog.put_back(first, rests_until_s=160.0)
    assert [number_of(taken) for taken in taken_from(backlog, 100.0)] == [3]
    assert backlog.take(100.0) == 60.0
    assert backlog.take(159.0) == 1.0
    assert [number_of(taken) for taken in taken_from(backlog, 160.0)] == [2, 1]


def test_the_nearest_end_of_a_rest_is_told() -> None:
    backlog = backlog_of(call(1), call(2, host="http://b"))
    first, second = taken_from(backlog)
    backlog.put_back(first, rests_until_s=60.0)
    backlog.put_back(second, rests_until_s=30.0)
    assert backlog.take(0.0) == 30.0


def test_without_room_the_oldest_of_the_host_that_most_wait_for_goes() -> None:
    backlog = backlog_of(
        call(1, host="http://b"), *(call(number) for number in range(2, 9)), most_waiting=4, known="http://a"
    )
    assert number_of(backlog.take(0.0)) == 1
    assert [dropped.body["number"] for dropped in backlog.take_excess()] == [2, 3, 4]
    assert backlog.waiting == 4
    backlog.put(call(9, host="http://b"))
    assert [dropped.body["number"] for dropped in backlog.take_excess()] == [5]
    assert [number_of(taken) for taken in taken_from(backlog)] == [9, 6, 7, 8]


def test_what_was_put_back_is_the_first_to_go() -> None:
    backlog = backlog_of(call(1, "s"), call(2, "s"), call(3, "t"), most_waiting=2)
    taken = backlog.take(0.0)
    assert number_of(taken) == 1
    assert isinstance(taken, Waiting)
    backlog.put_back(taken)
    assert [dropped.body["number"] for dropped in backlog.take_excess()] == [1]
    assert sorted(number_of(each) for each in taken_from(backlog)) == [2, 3]


def test_the_bound_holds_even_where_no_thread_ever_looks() -> None:
    backlog = Backlog(3, 1)
    dropped = [backlog.put(call(number)) for number in range(10)]
    assert [each.body["number"] for each in dropped if each is not None] == list(range(7))
    assert backlog.waiting == 3


def test_all_is_taken_but_for_what_is_in_flight_oldest_first() -> None:
    backlog = backlog_of(call(1, "s"), call(2, "s"), call(3, host="http://b"), call(4))
    in_flight = backlog.take(0.0)
    assert number_of(in_flight) == 1
    assert [each.body["number"] for each in backlog.take_all()] == [2, 3, 4]
    assert (backlog.waiting, backlog.in_flight) == (0, 1)
    assert backlog.take(0.0) is None


def test_waiting_ends_when_all_up_to_the_mark_is_done_with() -> None:
    backlog = backlog_of(call(1), call(2))
    mark = backlog.mark()
    backlog.put(call(3))
    first, second, _ = taken_from(backlog)
    backlog.settle(second, answered=True)
    left: list[int] = []
    thread = threading.Thread(target=lambda: left.append(backlog.wait(mark, time.monotonic() + 10)))
    thread.start()
    time.sleep(0.02)
    assert left == []
    backlog.settle(first, answered=True)
    thread.join(10)
    assert left == [0]


def test_waiting_says_how_many_are_left_when_time_is_over_or_nothing_can_be_sent_before() -> None:
    backlog = backlog_of(call(1), call(2), call(3, host="http://b"))
    assert 0.05 <= timed(lambda: backlog.wait(backlog.mark(), time.monotonic() + 0.05)) < 5
    taken = next(taken_from(backlog))
    backlog.put_back(taken, rests_until_s=time.monotonic() + FAR_S)
    other = next(taken_from(backlog, time.monotonic()))
    backlog.settle(other, answered=True)
    left: list[int] = []
    assert timed(lambda: left.append(backlog.wait(backlog.mark(), time.monotonic() + 10))) < 5
    assert left == [2]


def test_hosts_are_not_remembered_without_end() -> None:
    backlog = Backlog(10_000, 32)
    for number in range(1000):
        backlog.put(call(number, host=f"http://host{number}"))
        taken = backlog.take(0.0)
        assert isinstance(taken, Waiting)
        backlog.settle(taken, answered=False)
    assert len(backlog._hosts) <= 256
    assert backlog._sessions == {}


def test_a_host_of_ones_own_for_every_call_slows_nothing_down() -> None:
    """Visitors' cookies name clusters: none of 10,000 may be looked at for each call."""
    backlog = Backlog(10_000, 32)
    started_s = time.monotonic()
    for number in range(10_000):
        backlog.put(call(number, host=f"http://cluster{number}"))
    backlog._sort()
    hanging = list(taken_from(backlog))
    assert 0 < len(hanging) <= backlog.most_in_flight // 2
    for number in range(5_000):
        backlog.put(call(20_000 + number))
        backlog.take_excess()
        taken = backlog.take(0.0)
        if isinstance(taken, Waiting):
            backlog.settle(taken, answered=False)
        else:
            backlog.settle(hanging.pop(), answered=False)
    assert time.monotonic() - started_s < 10


def test_a_new_host_gets_its_turn_beside_busy_ones() -> None:
    backlog = backlog_of(*(call(number) for number in range(100)), known="http://a")
    for number in range(100):
        backlog.put(call(1000 + number, host="http://b"))
    first = backlog.take(0.0)
    assert number_of(first) == 1000  # the one that is not known yet
    assert isinstance(first, Waiting)
    backlog.settle(first, answered=True)
    backlog.put(call(5000, host="http://c"))
    assert 5000 in [number_of(taken) for taken in taken_from(backlog)]


class Steps:
    """What may happen to a backlog, with a model of it beside."""

    def __init__(self) -> None:
        self.backlog = Backlog(5, 2)
        self.in_flight: list[Waiting] = []
        self.put, self.gone, self.now_s = 0, 0, 0.0

    def do(self, step: str, which: int) -> None:
        if step == "put":
            self.put += 1
            given_up = self.backlog.put(call(self.put, f"s{which % 4}", f"http://h{which % 3}"))
            self.gone += given_up is not None
        elif step == "take":
            taken = self.backlog.take(self.now_s)
            if isinstance(taken, Waiting):
                assert all(taken.call.session_id != other.call.session_id for other in self.in_flight)
                self.in_flight.append(taken)
        elif step == "excess":
            self.gone += len(self.backlog.take_excess())
            assert self.backlog.waiting <= 5
        elif step == "later":
            self.now_s += 1.0
        elif self.in_flight:
            taken = self.in_flight.pop(which % len(self.in_flight))
            if step == "settle":
                self.gone += 1
                self.backlog.settle(taken, (True, False, None)[which % 3])
            else:
                self.backlog.put_back(taken, (None, self.now_s + 2.0)[which % 2])


def assert_consistent(backlog: Backlog) -> None:
    """What is counted as it changes is what counting all of it comes to."""
    hosts = backlog._hosts.values()
    assert backlog._doubtful == sum(host.in_flight for host in hosts if not host.answers)
    for answers in (True, False):
        assert set(backlog._ready[answers]) == {host.name for host in hosts if host.turns and host.answers is answers}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "put", "take", "take", "settle", "back", "excess", "later"]), st.integers(0, 11)
        )
    )
)
def test_whatever_happens_no_call_is_lost_doubled_or_out_of_order(steps: list[tuple[str, int]]) -> None:
    case = Steps()
    for step, which in steps:
        case.do(step, which)
        assert case.backlog.in_flight == len(case.in_flight)
        assert_consistent(case.backlog)
        assert case.put == case.gone + len(case.in_flight) + case.backlog.waiting
    for taken in case.in_flight:
        case.backlog.put_back(taken)
    order: dict[str, list[int]] = {}
    for _ in range(case.backlog.waiting):
        taken = case.backlog.take(case.now_s + FAR_S)  # type: ignore[assignment]
        assert isinstance(taken, Waiting)
        order.setdefault(taken.call.session_id, []).append(number_of(taken))
        case.backlog.settle(taken, answered=True)
    assert all(numbers == sorted(numbers) for numbers in order.values())
    assert (case.backlog.waiting, case.backlog._sessions) == (0, {})
    assert case.backlog.wait(case.backlog.mark(), time.monotonic() + 10) == 0


def test_threads_share_it() -> None:
    backlog, sent, lock = Backlog(100_000, 8), [], threading.Lock()
    ended = threading.Event()

    def send() -> None:
        while not (ended.is_set() and backlog.waiting == 0):
            taken = backlog.take(time.monotonic())
            if not isinstance(taken, Waiting):
                time.sleep(0.0005)
                continue
            with lock:
                sent.append(taken.call)
            backlog.settle(taken, answered=True)

    threads = [threading.Thread(target=send, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(3000):
        backlog.put(call(number, f"s{number % 40}"))
    assert backlog.wait(backlog.mark(), time.monotonic() + 30) == 0
    ended.set()
    assert eventually(lambda: not any(thread.is_alive() for thread in threads), 30)
    assert len(sent) == 3000
    for session in range(40):
        own = [each.body["number"] for each in sent if each.session_id == f"s{session}"]
        assert own == sorted(own)
