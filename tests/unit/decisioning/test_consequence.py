from __future__ import annotations

from typing import Any

import pytest

from target.decisioning.consequence import EXECUTE, PREFETCH, of_one_activity, once_per_token, parse_consequence

META = {"activity.id": 12, "activity.name": "Sale", "offer.id": None}
METHOD = {"activity.decisioningMethod": "on-device"}


def options_of(*options: Any, mode: str = PREFETCH, geo_tokens: Any = (), tokens: Any = (), **part: Any) -> Any:
    return parse_consequence({"options": list(options)}, META, tokens).options(mode, part, dict(geo_tokens))


def test_what_is_the_same_for_everybody_is_made_once() -> None:
    consequence = parse_consequence({"options": [{"type": "json", "content": {"a": 1}, "eventToken": "t"}]}, META, ())
    for mode, token in ((EXECUTE, {}), (PREFETCH, {"eventToken": "t"})):
        options = consequence.options(mode, {"name": "hero"}, {})
        assert options == [{"type": "json", "content": {"a": 1}, "responseTokens": METHOD, **token}]
        assert consequence.options(mode, {"name": "other"}, {}) is options


def test_macros_that_the_rule_fills_are_filled_for_everybody_and_the_others_for_each_part() -> None:
    fixed, open_ = {"type": "html", "content": "${activity.name}"}, {"type": "html", "content": "${mbox.who}"}
    assert [option["content"] for option in options_of(fixed)] == ["Sale"]
    for who in ("Ann", "Bob"):
        shown = options_of(fixed, open_, {"type": "html"}, parameters={"who": who})
        assert [option.get("content", "none") for option in shown] == ["Sale", who, "none"]


def test_response_tokens_are_those_of_the_option_the_rule_and_the_place() -> None:
    option = {"type": "html", "content": "a", "responseTokens": {"own": "x", "activity.id": "theirs"}}
    (shown,) = options_of(option, tokens=("activity.id", "offer.id", "profile.none"))
    assert shown["responseTokens"] == {"own": "x", "activity.id": 12, **METHOD}
    (shown,) = options_of(option, geo_tokens={"geo.city": "BERN", "own": "y"})
    assert shown["responseTokens"] == {"own": "y", "activity.id": "theirs", "geo.city": "BERN", **METHOD}
    (shown,) = options_of({"type": "html", "content": "a", "responseTokens": None})
    assert shown["responseTokens"] == METHOD


def test_event_tokens_are_told_each_once_and_in_order() -> None:
    options = [{"eventToken": token} for token in ("b", "a", "b", None)]
    assert parse_consequence({"options": options}, META, ()).event_tokens == ("b", "a")


@pytest.mark.parametrize("key", ["options", "metrics"])
@pytest.mark.parametrize("value", [{}, "x", 5])
def test_what_is_no_list_is_named(key: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{key} is not a list$"):
        parse_consequence({key: value}, META, ())


def test_what_is_left_out_is_empty() -> None:
    consequence = parse_consequence({"options": None}, META, ())
    assert (consequence.offers, consequence.metrics, consequence.event_tokens) == ((), [], ())
    assert consequence.options(EXECUTE, {}, {}) == []


def test_metrics_without_a_token_are_all_kept() -> None:
    first: dict[str, Any] = {"eventToken": "a", "n": 1}
    again, bare = {"eventToken": "a", "n": 2}, {"type": "click"}
    assert once_per_token([bare, first, bare, again]) == [bare, first, bare]
    pairs = [("1", bare), ("1", first), ("2", bare), ("1", again), ("2", again)]
    assert of_one_activity(pairs) == [bare, first, bare, again]
