from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.context import build_parameters
from tests.kit.rules import FIREFOX, NOW_S, build_scope


def test_dotted_names_are_paths_unless_a_dot_stands_where_none_may() -> None:
    assert build_parameters({"dot.notation.x": 1}) == {"dot": {"notation": {"x": 1, "x_lc": 1}}}
    for name in (".bad", "bad.", "a..b", "."):
        assert build_parameters({name: "V"}) == {name: "V", f"{name}_lc": "v"}


def test_a_parameter_and_a_path_through_it_do_not_collide() -> None:
    assert build_parameters({"a": "X", "a.b": "Y"})["a"] == {"b": "Y", "b_lc": "y"}
    assert build_parameters({"a.b": "Y", "a.b.c": "Z"})["a"]["b"] == {"c": "Z", "c_lc": "z"}


def test_what_is_not_asked_for_is_not_computed() -> None:
    scope = build_scope({"userAgent": FIREFOX})
    assert dict(scope) == {}
    assert scope["user"]["browserType"] == "firefox"
    assert set(scope) == {"user"}
    assert set(scope.visit) == {"user"}


def test_parts_of_the_call_are_computed_once_for_all_its_mboxes() -> None:
    scope = build_scope({"userAgent": FIREFOX})
    other = type(scope)(scope.visit, {"name": "other"})
    assert other["user"] is scope["user"]


def test_address_of_the_mbox_comes_before_that_of_the_call() -> None:
    context = {"address": {"url": "http://a.example.com/", "referringUrl": "http://r.example.org/"}}
    assert build_scope(context)["page"]["subdomain"] == "a"
    assert build_scope(context)["referring"]["topLevelDomain"] == "org"
    own = build_scope(context, address={"url": "http://b.example.com/"})
    assert own["page"]["subdomain"] == "b"
    assert own["referring"]["url"] == ""
    for nothing in (None, {}, "x"):
        assert build_scope(context, address=nothing)["page"]["subdomain"] == "a"


def test_client_hints_win_over_the_user_agent() -> None:
    hints = {"browserUAWithMajorVersion": '"Google Chrome";v="110"', "platform": "Linux"}
    for context in ({"clientHints": hints}, {"clientHints": hints, "userAgent": FIREFOX}):
        user = build_scope(context)["user"]
        assert (user["browserType"], user["browserVersion"], user["platform"]) == ("chrome", 110, "linux")
    assert build_scope({"clientHints": {}, "userAgent": FIREFOX})["user"]["browserType"] == "firefox"


@given(st.floats(0, 4e9))
def test_time_is_utc_and_monday_is_the_first_day(now_s: float) -> None:
    moment = datetime.datetime.fromtimestamp(int(now_s), datetime.UTC)
    scope = build_scope(now_s=now_s)
    assert scope["current_time"] == f"{moment:%H%M}"
    assert scope["current_day"] == moment.isoweekday()
    assert scope["current_timestamp"] == int(now_s * 1000)


def test_whole_data_is_a_copy_and_holds_everything() -> None:
    scope = build_scope({"userAgent": FIREFOX, "address": {"url": "http://example.com/"}}, parameters={"a": "B"})
    data = scope.as_data("7")
    assert data["mbox"] == {"a": "B", "a_lc": "b"}
    assert data["user"] == {"browserType": "firefox", "platform": "mac", "locale": "en", "browserVersion": 78}
    assert data["current_timestamp"] == int(NOW_S * 1000)
    assert data["allocation"] == scope.allocations["7"]
    assert data["referring"]["domain"] == ""
    data["page"]["url"] = "changed"
    assert scope["page"]["url"] == "http://example.com/"


@pytest.mark.parametrize("parameters", [None, [], "x", 5])
def test_odd_parameters_are_none(parameters: Any) -> None:
    assert build_scope(parameters=parameters)["mbox"] == {}
