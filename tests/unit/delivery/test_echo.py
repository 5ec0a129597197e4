"""Whose answer came, and what becomes of it: all that can be said, without a socket."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.delivery.echo import Kind, Verdict, Whose, judge, says_this, whose
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.reading import SMALL_BYTES
from tests.kit.built_calls import offers

CALL = offers()
ASKED = CALL.body["requestId"]
NAMED = CALL._replace(body={**CALL.body, "requestId": "alices-order"})
HELD: frozenset[int] = frozenset()
THIS, UNNAMED, NOTHING = Whose(Kind.THIS), Whose(Kind.UNNAMED), Whose(Kind.NOTHING)
OTHER, ANOTHER = Whose(Kind.OTHER, "mallory"), Whose(Kind.OTHER, "trudy")


def reply(body: Any, status: int = 200) -> Reply:
    return Reply(status, "", body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("body", "call", "said"),
    [
        ({"status": 200, "requestId": ASKED}, CALL, THIS),
        ({"requestId": "mallory"}, CALL, OTHER),
        ({"requestId": 4711}, CALL, Whose(Kind.OTHER, "4711")),
        ({"requestId": None}, CALL, UNNAMED),
        ({}, CALL, UNNAMED),
        ([], CALL, NOTHING),
        (b"", CALL, NOTHING),
        (b"<html>", CALL, NOTHING),
        (b'{"requestId": "', CALL, NOTHING),
        (b"[" * 100_000, CALL, NOTHING),
        ({"requestId": "alices-order"}, NAMED, THIS),
        ({"requestId": ASKED}, NAMED, Whose(Kind.OTHER, ASKED)),
        ({"execute": {"mboxes": [{"name": "alices-order"}]}, "requestId": "mallory"}, NAMED, OTHER),
        ({"requestId": 7}, CALL._replace(body={**CALL.body, "requestId": 7}), THIS),
        (b'{"requestId": "alices\\u002dorder"}', NAMED, THIS),
    ],
)
def test_what_an_answer_says_of_whose_it_is(body: Any, call: Call, said: Whose) -> None:
    assert whose(reply(body), call) == said
    assert says_this(reply(body), call) is (said is THIS)


def test_a_request_id_that_was_made_up_is_found_without_parsing() -> None:
    assert whose(reply(b'not even JSON "%s"' % ASKED.encode()), CALL) == THIS


LARGE = b" " * (SMALL_BYTES + 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LARGE + b'{"requestId": "alices-order"}', THIS),
        (b'{"requestId": "alices\\u002dorder"}' + LARGE, THIS),
        (b'{"requestId" : "mallory"}' + LARGE, OTHER),
        (b'{"requestId":4711}' + LARGE, Whose(Kind.OTHER, "4711")),
        (b'{"status": 200}' + LARGE, UNNAMED),
        (b"<html>" + LARGE, NOTHING),
        (b'["requestId", {"requestId": "alices-order"}]' + LARGE, NOTHING),
        (LARGE, NOTHING),
    ],
)
def test_a_large_answer_is_looked_into_without_parsing_all_of_it(content: bytes, said: Whose) -> None:
    assert whose(reply(content), NAMED) == said


STATUSES = (200, 204, 302, 400, 413, 420, 429, 500, 502, 503)
SAYINGS = (THIS, OTHER, UNNAMED, NOTHING)


@pytest.mark.parametrize(("status", "said", "is_kept"), list(product(STATUSES, SAYINGS, (True, False))))
def test_a_host_that_never_gave_it_back_is_held_to_nothing(status: int, said: Whose, is_kept: bool) -> None:
    verdict, habit = judge(None, is_kept, status, said, None)
    assert verdict is Verdict.TAKE
    assert habit == (HELD if said is THIS else None)


@pytest.mark.parametrize(("status", "said"), list(product(STATUSES, SAYINGS[1:])))
def test_over_a_used_connection_a_host_that_gives_it_back_is_held_to_it(status: int, said: Whose) -> None:
    assert judge(HELD, True, status, said, None) == (Verdict.ASK_AGAIN, HELD)


@pytest.mark.parametrize("habit", [None, HELD, frozenset({503})])
@pytest.mark.parametrize("is_kept", [True, False])
def test_the_right_answer_is_taken(habit: frozenset[int] | None, is_kept: bool) -> None:
    assert judge(habit, is_kept, 503, THIS, None) == (Verdict.TAKE, HELD)


def test_a_status_that_came_with_the_right_id_is_none_that_comes_without() -> None:
    assert judge(frozenset({500, 503}), True, 503, THIS, None) == (Verdict.TAKE, frozenset({500}))


@pytest.mark.parametrize("said", [UNNAMED, NOTHING])
def test_what_gateways_answer_by_themselves_is_known_once_it_came_over_a_new_connection(said: Whose) -> None:
    for status in (204, 420, 429, 500, 502, 503, 504):
        assert judge(HELD, False, status, said, said)[0] is Verdict.TAKE
        habit = judge(HELD, False, status, said, said)[1]
        assert habit == frozenset({status})
        assert judge(habit, True, status, said, None) == (Verdict.TAKE_STATUS, habit)
        assert judge(habit, True, status, OTHER, None) == (Verdict.ASK_AGAIN, habit)
        assert judge(habit, True, 200, said, None) == (Verdict.ASK_AGAIN, habit)


@pytest.mark.parametrize("status", [200, 302, 400, 404, 413])
def test_what_could_be_anothers_is_asked_for_again_every_time(status: int) -> None:
    said = NOTHING
    assert judge(HELD, False, status, said, said) == (Verdict.TAKE, HELD)
    assert judge(HELD, True, status, said, None) == (Verdict.ASK_AGAIN, HELD)


def test_a_host_that_gives_nothing_back_any_more_is_not_held_to_it() -> None:
    assert judge(HELD, False, 200, UNNAMED, UNNAMED) == (Verdict.TAKE, None)
    assert judge(HELD, False, 299, UNNAMED, UNNAMED) == (Verdict.TAKE, None)
    assert judge(HELD, False, 300, UNNAMED, UNNAMED) == (Verdict.TAKE, HELD)


def test_over_two_connections_the_same_answer_is_canned_and_different_ones_are_anothers() -> None:
    assert judge(HELD, False, 200, OTHER, None) == (Verdict.ASK_AGAIN, HELD)
    assert judge(HELD, False, 200, OTHER, OTHER) == (Verdict.TAKE, None)
    assert judge(HELD, False, 200, ANOTHER, OTHER) == (Verdict.ASK_AGAIN, HELD)


@given(
    habit=st.none() | st.frozensets(st.sampled_from(STATUSES)),
    is_kept=st.booleans(),
    status=st.sampled_from(STATUSES),
    said=st.sampled_from((*SAYINGS, ANOTHER)),
    before=st.sampled_from((None, OTHER, ANOTHER, UNNAMED, NOTHING)),
)
def test_a_held_host_never_hands_on_a_body_that_is_anothers(
    habit: frozenset[int] | None, is_kept: bool, status: int, said: Whose, before: Whose | None
) -> None:
    verdict, _ = judge(habit, is_kept, status, said, before)
    if habit is not None and said.kind is not Kind.THIS and is_kept:
        assert verdict is not Verdict.TAKE
    if habit is not None and said.kind is Kind.OTHER and said != before:
        assert verdict is Verdict.ASK_AGAIN
