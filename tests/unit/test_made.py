"""Results of plain data, by ``TargetDeliveryResponse.from_data``."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import AttributesProvider, OptionsError, TargetDeliveryResponse
from target.config import default_runtime
from target.delivery.notify import build_notify_options
from tests.unit.test_response import ANSWER, result

made = TargetDeliveryResponse.from_data
OPTION = {"type": "html", "content": "x", "eventToken": "t", "responseTokens": {"activity.id": 1}}
CONTENTS = {"home": "<b>hi</b>", "flags": {"express": True, "limit": 3}, "list": [1], "empty": None}


def test_contents_of_mboxes_make_a_result() -> None:
    found = made({"mboxes": CONTENTS})
    assert {name: found.content(name) for name in CONTENTS} == CONTENTS
    assert found.options("home")[0].type == "html"
    assert found.content("none", "default") == found.content("empty", "default") == "default"
    assert [mbox.name for mbox in found.request.execute.mboxes] == list(CONTENTS)
    assert found.response.status == 200
    assert found.target_cookie.value.startswith("session#")
    assert found.meta.decisioning_method == "server-side"


def test_an_answer_in_wire_form_makes_a_result() -> None:
    answer: dict[str, Any] = {
        "id": {"tntId": "device.38_0"},
        "edgeHost": "mboxedge38.tt.omtrdc.net",
        "prefetch": {
            "mboxes": [
                {
                    "index": 0,
                    "name": "home",
                    "options": [
                        {"type": "html", "content": "x", "eventToken": "t", "responseTokens": {"activity.id": 1}}
                    ],
                }
            ],
            "views": [{"name": "cart", "options": [{"type": "html", "content": "y"}]}],
        },
    }
    found = made(answer)
    assert (found.content("home"), found.view("cart")[0].content) == ("x", "y")
    assert found.response_tokens == [{"activity.id": 1}]
    assert "PC#device.38_0#" in found.target_cookie.value
    assert found.target_location_hint_cookie is not None
    assert found.target_location_hint_cookie.value == "38"
    options = build_notify_options(found, {"displayed": ["home"]}, default_runtime)
    [told] = options["request"]["notifications"]
    assert (told.tokens, told.mbox.name) == (["t"], "home")


def test_what_contents_show_can_be_told() -> None:
    found = made({"mboxes": {"home": "x"}, "prefetch": {"mboxes": {"hero": "y", "empty": None}}})
    assert [mbox.name for mbox in found.request.prefetch.mboxes] == ["hero", "empty"]
    assert (found.content("home"), found.content("hero"), found.content("empty", "z")) == ("x", "y", "z")
    assert found.displayed("home") == found.displayed("empty") == found.clicked("empty") == []
    [shown] = found.displayed("hero")
    clicks = [found.clicked(name)[0] for name in ("home", "hero")]
    assert shown.tokens == ["display-token-of-hero"]
    assert [click.tokens for click in clicks] == [["click-token-of-home"], ["click-token-of-hero"]]


def test_attributes_are_read_of_it() -> None:
    flags = AttributesProvider(made({"mboxes": CONTENTS}))
    assert (flags.get_bool("flags", "express", False), flags.get_int("flags", "limit", 0)) == (True, 3)


def test_contents_and_an_answer_go_together() -> None:
    found = made({"mboxes": {"home": "x"}, "execute": {"pageLoad": {"options": [{"type": "html", "content": "y"}]}}})
    assert (found.content("home"), found.page_load()[0].content) == ("x", "y")


def decided_here() -> TargetDeliveryResponse:
    part = {"kind": "mbox", "name": "home", "mode": "execute", "reason": "split", "activity_id": "1"}
    meta = {"decisioning_method": "on-device", "remote_mboxes": [], "remote_views": [], "decisions": [part]}
    return made({"response": {"status": 200}, "meta": meta})


@pytest.mark.parametrize(
    "whole",
    [result(), made({"mboxes": CONTENTS}), made({"response": None}), decided_here()],
    ids=["a", "b", "204", "on device"],
)
def test_a_result_is_made_again_of_what_it_gives(whole: TargetDeliveryResponse) -> None:
    again = made(json.loads(json.dumps(whole.to_dict())))
    assert again.to_dict() == whole.to_dict()
    assert pickle.loads(pickle.dumps(again)).to_dict() == whole.to_dict()


def test_the_data_stays_the_callers() -> None:
    data = json.loads(json.dumps({**ANSWER, "mboxes": {"flags": {"a": [1]}}}))
    before = json.dumps(data)
    found = made(data)
    found.content("flags")["a"].append(2)
    assert json.dumps(data) == before
    data["mboxes"] = None
    assert found.content("flags") == {"a": [1]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (5, "A result is made of a dict, not int"),
        ({"mboxs": {}}, "'mboxs' is no part of a result: did you mean 'mboxes'?"),
        ({"home": "x"}, "Contents of mboxes go under 'mboxes'."),
        ({"response": {}, "metta": 1}, "'metta' is no part of a result: did you mean 'meta'?"),
        ({"mboxes": [1]}, "'mboxes' of a result must be a dict, a name and its content each, not list"),
        ({"prefetch": {"mboxes": {5: 1}}}, "'mboxes' of a result has a name that is no text, but int"),
        ({"mboxes": {5: 1}}, "'mboxes' of a result has a name that is no text, but int"),
        ({"mboxes": {}, "execute": [1]}, "'execute' of a result must be a dict, not list"),
        ({"execute": {"mboxes": 5}}, "ExecuteResponse.mboxes: expected a list, got a number"),
        ({"response": 5}, "'response' of a result must be a dict, not int"),
        ({"response": None, "request": 5}, "'request' of a result is not as the Delivery API documents it"),
        ({"response": None, "meta": {"decisions": 5}}, "'decisions' of a result's meta must be a list, not int"),
        (
            {"response": None, "meta": {"decisions": [{"kin": "mbox"}]}},
            "'decisions' of a result must be a dict with kind, name, mode, reason, activity_id",
        ),
        ({"response": None, "meta": 5}, "'meta' of a result must be a dict with decisioning_method"),
        ({"response": None, "target_cookie": {"name": "mbox"}}, "'target_cookie' of a result must be a dict with name"),
    ],
)
def test_what_makes_no_result_is_told(data: Any, said: str) -> None:
    with pytest.raises(OptionsError) as refused:
        made(data)
    assert said in str(refused.value)


names = st.sampled_from([*ANSWER, "mboxes", "options", "x"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner),
    max_leaves=8,
)
keys = st.sampled_from(["mboxes", "execute", "prefetch", "id", "response", "request", "meta", "target_cookie", "trace"])


@given(st.dictionaries(keys, anything, max_size=4))
def test_nothing_else_is_raised(data: Any) -> None:
    try:
        found = made(data)
    except OptionsError:
        return
    assert found.content("home", "default") is not None
