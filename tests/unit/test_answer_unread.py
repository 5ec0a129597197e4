"""An answer of which is made what somebody looks at: the same as one made whole, for all threads, and nobody else's."""

from __future__ import annotations

import copy
import json
import pickle
import re
import threading
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import AttributesProvider, DeliveryResponse, TargetDeliveryResponse
from target.answer import Reading
from target.delivery.reply import Reply, assemble, assemble_answer, assemble_decision, read_reply
from target.errors import TransportError
from target.parts import mboxes_of
from target.response import Meta
from tests.generation.test_models_taken import ANSWERS, KEYS
from tests.kit.built_calls import NOW_S, offers

CALL = offers()
META = Meta("on-device", [], [])
TEXT = st.sampled_from(["home", "cart", ""])
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "c.d"]), inner, max_size=3),
    max_leaves=6,
)
OPTION = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["json", "html", "actions"]),
        "content": CONTENT,
        "eventToken": TEXT,
        "responseTokens": st.dictionaries(TEXT, TEXT, max_size=2),
    },
)
MBOX = st.fixed_dictionaries(
    {"name": TEXT, "index": st.integers(0, 3)},
    optional={
        "options": st.lists(OPTION, max_size=3),
        "trace": st.dictionaries(TEXT, CONTENT, max_size=2),
        "analytics": st.just({"payload": {"pe": "tnt", "tnta": "1:0:0"}}),
    },
)
PART = st.fixed_dictionaries({}, optional={"mboxes": st.lists(MBOX, max_size=3), "pageLoad": MBOX})
DECISION = st.fixed_dictionaries(
    {"status": st.just(200), "id": st.just({"tntId": "a.38_0"}), "client": st.just("acme")},
    optional={"execute": PART, "prefetch": PART},
)


def unread(data: dict[str, Any]) -> TargetDeliveryResponse:
    return assemble_decision(CALL, data, NOW_S, META)


@given(DECISION, TEXT)
def test_what_is_read_of_the_data_is_what_the_model_holds(data: dict[str, Any], name: str) -> None:
    before = copy.deepcopy(data)
    whole = assemble(CALL, DeliveryResponse.from_dict(data), NOW_S, META)
    assert unread(data).content(name, "default") == whole.content(name, "default")
    assert AttributesProvider(unread(data)).as_object() == AttributesProvider(whole).as_object()
    assert unread(data).response_tokens == whole.response_tokens
    assert unread(data).trace == whole.trace
    assert unread(data).analytics_details == whole.analytics_details
    assert unread(data).to_dict() == whole.to_dict()
    assert unread(data) == whole
    assert pickle.loads(pickle.dumps(unread(data))) == copy.deepcopy(unread(data)) == whole
    assert data == before


NULLS = st.recursive(
    st.none() | MBOX | OPTION | TEXT,
    lambda inner: st.dictionaries(st.sampled_from(KEYS), inner | st.lists(inner, max_size=2), max_size=3),
    max_leaves=9,
)


@given(DECISION | ANSWERS | NULLS, TEXT | st.just("html"))
def test_what_is_read_of_any_answer_of_a_server_is_what_its_model_holds(data: Any, name: str) -> None:
    sent = Reply(200, "OK", json.dumps(data).encode())
    if not isinstance(data, dict):
        return
    try:
        whole = assemble(CALL, DeliveryResponse.from_dict(json.loads(sent.content)), NOW_S)
    except (TypeError, ValueError) as error:
        with pytest.raises(TransportError, match=f"as the Delivery API documents it: {re.escape(str(error))}$"):
            read_reply(sent, CALL)
        return
    read = partial(assemble_answer, CALL, now_s=NOW_S)
    assert read(read_reply(sent, CALL)).content(name, "default") == whole.content(name, "default")
    assert AttributesProvider(read(read_reply(sent, CALL))).as_object() == AttributesProvider(whole).as_object()
    assert read(read_reply(sent, CALL)).to_dict() == whole.to_dict()
    assert read(read_reply(sent, CALL)) == whole
    for key, (wire_key, kind) in DeliveryResponse.FIELDS.items():
        if kind in (str, int):
            assert read_reply(sent, CALL).value(wire_key, key) == getattr(whole.response, key)


def looks(result: TargetDeliveryResponse, name: str) -> list[Any]:
    """What each look at one mbox finds."""
    return [result.options(name), result.mbox(name), result.content(name, "default")]


@given(DECISION | ANSWERS | NULLS, TEXT | st.just("html"), TEXT)
def test_mboxes_that_were_looked_at_first_are_those_of_the_whole(data: Any, name: str, other: str) -> None:
    if not isinstance(data, dict):
        return
    sent = Reply(200, "OK", json.dumps(data).encode())
    try:
        whole = assemble(CALL, DeliveryResponse.from_dict(json.loads(sent.content)), NOW_S)
    except (TypeError, ValueError):
        return
    results = [assemble_answer(CALL, read_reply(sent, CALL), NOW_S)]
    if "id" not in data or isinstance(data["id"], dict):
        results.append(assemble_decision(CALL, data, NOW_S, whole.meta))
    for result in results:
        assert looks(result, name) == looks(whole, name)
        before = [*result.options(name), result.mbox(name)]
        assert looks(result, other) == looks(whole, other)
        assert result.response == whole.response
        assert result == whole
        assert [id(each) for each in before] == [id(each) for each in [*result.options(name), result.mbox(name)]]
        assert all(any(each is found for found in mboxes_of(result.response)) for each in before[-1:] if each)
        assert looks(result, other) == looks(whole, other)
        assert [result.response_tokens, result.analytics_details] == [whole.response_tokens, whole.analytics_details]


def test_what_was_changed_of_an_mbox_is_what_the_whole_has() -> None:
    result = unread({"status": 200, "execute": {"mboxes": [{"name": "home", "options": [{"content": "a"}]}] * 2}})
    first, second = result.options("home")
    second.content, second.response_tokens = "mine", {"a": "b"}
    assert (result.content("home"), [option.content for option in result.options("home")]) == ("a", ["a", "mine"])
    assert result.response is not None
    assert result.response.execute is not None
    mboxes = result.response.execute.mboxes or []
    assert [option for mbox in mboxes for option in mbox.options or ()] == [first, second]
    assert result.response_tokens == [{"a": "b"}]
    mboxes.pop()
    assert result.options("home") == [first]


@given(DECISION)
def test_what_is_read_is_ones_own(data: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    result = unread(data)
    _spoil(result.content("home"))
    _spoil(AttributesProvider(result).as_object("home"))
    _spoil(result.response_tokens)
    for option in result.options("home"):
        _spoil(option.content)
        option.content = "mine"
    assert data == before
    assert all(option.content == "mine" for option in result.options("home"))
    assert not result.options("home") or result.content("home") == "mine"


@pytest.mark.parametrize("first", ["all", "an mbox", "both"])
def test_all_threads_get_the_same_models(first: str) -> None:
    mbox = {"name": "home", "index": 0, "options": [{"content": "a"}]}
    data = {"status": 200, "id": {}, "execute": {"mboxes": [mbox] * 100}, "prefetch": {"mboxes": [mbox] * 100}}
    for _ in range(30):
        result = unread(data)
        found: list[Any] = []
        barrier = threading.Barrier(4)

        def look(at_mbox: bool, result: TargetDeliveryResponse = result, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            mine = result.options("home") if at_mbox else []
            found.append((result.response, result.trace, result.response, mine or result.options("home")))  # noqa: B023

        at_mbox = {"all": [False] * 4, "an mbox": [True] * 4, "both": [True, False] * 2}[first]
        threads = [threading.Thread(target=look, args=(each,)) for each in at_mbox]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {id(each) for model, _, again, _ in found for each in (model, again)} == {id(result.response)}
        held = [id(option) for mbox in mboxes_of(result.response) for option in mbox.options or ()]
        assert [[id(option) for option in options] for *_, options in found] == [held] * 4
        assert len(set(held)) == 200


def test_a_result_with_another_cookie_has_the_same_answer() -> None:
    result = unread({"status": 200, "id": {}, "execute": {"mboxes": [{"name": "home", "index": 0}]}})
    other = result._replaced(visitor_state={"a": 1})
    assert (other.visitor_state, other.response) == ({"a": 1}, result.response)
    assert other == assemble(CALL, result.response, NOW_S, META)._replaced(visitor_state={"a": 1})


def _spoil(value: Any) -> None:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            each["spoilt"] = True
            for inner in list(each.values()):
                _spoil(inner)


def test_nothing_is_made_that_nobody_reads() -> None:
    made: list[str] = []
    result = unread({"status": 200, "id": {}, "execute": {"mboxes": [{"name": "home", "options": [{"content": 1}]}]}})
    result._answer._reading = Reading(made.append, lambda *_: made.append("an mbox"), made.append)  # type: ignore[arg-type]
    assert (result.content("home"), result.target_cookie.name, result.meta) == (1, "mbox", META)
    assert made == []
