"""What a client knows of its hosts: learnt from answers, bounded, shared by threads, and not by children."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.delivery.echo import _MOST_HOSTS, Habits, Kind, Verdict, Whose, judge, says_this, whose
from target.delivery.reply import Reply
from target.delivery.request import Call
from tests.kit.built_calls import offers

CALL = offers()
OURS = Reply(200, "", json.dumps({"requestId": CALL.body["requestId"]}).encode())
MALLORYS = Reply(200, "", b'{"requestId": "mallory"}')
UNNAMED = Reply(200, "", b"{}")


def at(host: str) -> Call:
    return CALL._replace(base_url=f"https://{host}")


def test_each_host_is_held_to_what_it_has_done() -> None:
    habits = Habits()
    assert habits.judge(MALLORYS, at("stub"), True, None)[0] is Verdict.TAKE
    assert habits.judge(OURS, at("api"), False, None)[0] is Verdict.TAKE
    assert habits.judge(MALLORYS, at("api"), True, None) == (Verdict.ASK_AGAIN, Whose(Kind.OTHER, "mallory"))
    assert habits.judge(MALLORYS, at("stub"), True, None)[0] is Verdict.TAKE


def test_what_an_answer_says_is_looked_at_only_where_it_is_held_to_it() -> None:
    habits, nothing = Habits(), Whose(Kind.NOTHING)
    assert habits.judge(MALLORYS, at("api"), True, None) == (Verdict.TAKE, nothing)
    assert habits.judge(OURS, at("api"), False, None) == (Verdict.TAKE, Whose(Kind.THIS))
    assert habits.judge(MALLORYS, at("api"), None, None) == (Verdict.TAKE, nothing)
    assert habits.judge(UNNAMED, at("api"), True, None) == (Verdict.ASK_AGAIN, Whose(Kind.UNNAMED))


@pytest.mark.parametrize("canned", [False, True])
def test_a_host_that_gives_it_back_no_more_is_not_held_to_it(canned: bool) -> None:
    habits = Habits()
    habits.judge(OURS, at("api"), False, None)
    before = Whose(Kind.OTHER, "mallory") if canned else None
    assert habits.judge(MALLORYS if canned else UNNAMED, at("api"), False, before)[0] is Verdict.TAKE
    assert habits.judge(MALLORYS, at("api"), True, None)[0] is Verdict.TAKE


def test_what_stands_in_for_connections_is_neither_learnt_from_nor_judged() -> None:
    habits = Habits()
    habits.judge(OURS, at("tape"), None, None)
    assert habits.judge(MALLORYS, at("tape"), True, None)[0] is Verdict.TAKE
    habits.judge(OURS, at("tape"), False, None)
    assert habits.judge(MALLORYS, at("tape"), None, None)[0] is Verdict.TAKE


def test_there_are_no_more_hosts_than_so_many_and_the_oldest_are_forgotten() -> None:
    habits = Habits()
    for number in range(_MOST_HOSTS + 10):
        habits.judge(OURS, at(f"host{number}"), False, None)
    assert len(habits._of) == _MOST_HOSTS
    assert habits.judge(MALLORYS, at("host0"), True, None)[0] is Verdict.TAKE
    assert habits.judge(MALLORYS, at(f"host{_MOST_HOSTS}"), True, None)[0] is Verdict.ASK_AGAIN


def test_a_child_begins_with_none() -> None:
    habits = Habits()
    habits.judge(OURS, at("api"), False, None)
    habits.begin_anew()
    assert habits.judge(MALLORYS, at("api"), True, None)[0] is Verdict.TAKE


def test_threads_learn_and_forget_at_once() -> None:
    habits = Habits()
    raised: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(_MOST_HOSTS // 2):
                host = at(f"host{thread}-{number}")
                habits.judge(OURS, host, False, None)
                habits.judge(UNNAMED, host, False, None)
                habits.judge(OURS, host, False, None)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not raised
    assert len(habits._of) <= _MOST_HOSTS + len(threads)


@pytest.mark.parametrize("seen", [[], ["gone"]])
def test_what_another_thread_took_out_a_moment_ago_is_no_error(seen: list[str]) -> None:
    class Raced(dict[str, Any]):
        def __len__(self) -> int:
            return _MOST_HOSTS

        def __iter__(self) -> Iterator[str]:
            return iter(seen)

    habits = Habits()
    habits._of = Raced()
    habits._learn("gone", None)
    habits._learn("https://api", frozenset())
    assert habits.judge(MALLORYS, at("api"), True, None)[0] is Verdict.ASK_AGAIN


def judged_before(known: dict[str, Any], reply: Reply, call: Call, is_kept: bool | None, before: Whose | None) -> Any:
    """What ``Habits.judge`` says, in more steps."""
    habit = known.get(call.base_url)
    if habit is None or is_kept is None:
        said = Whose(Kind.THIS if is_kept is not None and says_this(reply, call) else Kind.NOTHING)
    else:
        said = whose(reply, call)
    if is_kept is None:
        return Verdict.TAKE, said
    verdict, known[call.base_url] = judge(habit, is_kept, reply.status, said, before)
    return verdict, said


NAMED = CALL._replace(body={**CALL.body, "requestId": "alices-order"})
ALICES = Reply(200, "", b'{"requestId": "alices\\u002dorder"}')
ANSWERS = st.tuples(
    st.sampled_from((OURS, MALLORYS, UNNAMED, ALICES, Reply(200, "", b"<html>"))),
    st.sampled_from((200, 204, 429, 500, 503)),
    st.sampled_from((CALL, NAMED)),
    st.sampled_from((True, False, None)),
    st.sampled_from((None, Whose(Kind.OTHER, "mallory"), Whose(Kind.UNNAMED))),
)


@given(st.lists(ANSWERS, max_size=8))
def test_one_answer_after_another_is_judged_as_before(answers: list[Any]) -> None:
    habits, known = Habits(), dict[str, Any]()
    for reply, status, call, is_kept, before in answers:
        asked = reply._replace(status=status), call, is_kept, before
        assert habits.judge(*asked) == judged_before(known, *asked)
