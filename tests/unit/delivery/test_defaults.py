"""The answer to a call that nothing decides has the shape of any other, and says why it holds nothing."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from target import OptionsError
from target.delivery.defaults import answer_with_defaults
from target.delivery.request import Call
from tests.kit.built_calls import CLICK, NOW_S, expires, notify, offers

ASKED: dict[str, Any] = {
    "execute": {"pageLoad": {}, "mboxes": [{"name": "home", "index": 3}]},
    "prefetch": {"pageLoad": {}, "mboxes": [{"name": "next"}], "views": [{"name": "cart"}, {}]},
}


def answer(call: Call) -> Any:
    return answer_with_defaults(call, "acme", NOW_S, "offline")


def test_all_that_was_asked_for_is_there_and_holds_nothing() -> None:
    result = answer(offers(ASKED))
    response = result.response.to_dict()
    assert response.pop("requestId") == result.request.request_id
    assert response == {
        "status": 200,
        "client": "acme",
        "id": {},
        "execute": {"pageLoad": {"options": [], "metrics": []}, "mboxes": [{"index": 3, "name": "home"}]},
        "prefetch": {
            "pageLoad": {"options": [], "metrics": []},
            "mboxes": [{"index": 0, "name": "next"}],
            "views": [],
        },
    }
    assert (result.content("home"), result.content("home", "mine"), result.options("next")) == (None, "mine", [])
    assert (result.page_load(), result.view("cart"), result.mbox("home").name) == ([], [], "home")
    assert result.displayed("home", "next", page_load=True) == result.clicked("home") == []
    with pytest.raises(OptionsError, match="other"):
        result.displayed("other")


def test_each_part_says_why() -> None:
    parts = answer(offers(ASKED)).meta.decisions
    assert [(part.mode, part.kind, part.name) for part in parts] == [
        ("execute", "pageLoad", "target-global-mbox"),
        ("execute", "mbox", "home"),
        ("prefetch", "pageLoad", "target-global-mbox"),
        ("prefetch", "mbox", "next"),
        ("prefetch", "view", "cart"),
        ("prefetch", "view", ""),  # all of them
    ]
    assert {part.reason for part in parts} == {"offline"}
    assert {part.activity_id for part in parts} == {None}


def test_it_is_made_here() -> None:
    meta = answer(offers(ASKED)).meta
    assert (meta.decisioning_method, meta.remote_mboxes, meta.remote_views) == ("on-device", [], [])


def test_a_visitor_stays_who_it_is() -> None:
    known = answer(offers(ASKED, target_cookie=f"session#s1#{expires()}|PC#device.38_0#{expires()}"))
    assert known.target_cookie.value.startswith("session#s1#")
    assert "PC#device.38_0#" in known.target_cookie.value
    assert known.target_location_hint_cookie.value == "38"
    assert known.response.id.tnt_id == "device.38_0"
    new = answer(offers(ASKED))
    assert "PC#" not in new.target_cookie.value
    assert new.response.id.to_dict() == {}


def test_a_call_that_only_tells_has_no_answer() -> None:
    result = answer(notify({"notifications": [CLICK]}))
    assert result.response is None
    assert result.meta.decisions == []


def test_it_is_like_any_result() -> None:
    result = answer(offers(ASKED))
    assert pickle.loads(pickle.dumps(result)).to_dict() == result.to_dict()
    assert result.server_state()["response"]["execute"]["pageLoad"] == {"options": [], "metrics": []}
    assert (result.trace, result.response_tokens, result.analytics_details) == (None, None, None)


@pytest.mark.parametrize("mode", ["execute", "prefetch"])
def test_what_was_not_asked_for_is_not_there(mode: str) -> None:
    response = answer(offers({mode: {"mboxes": [{"name": "home"}]}})).response.to_dict()
    assert response.keys() & {"execute", "prefetch"} == {mode}
    assert response[mode] == {"mboxes": [{"index": 0, "name": "home"}]}
