"""The answers to mboxes, page load and views."""

from __future__ import annotations

from typing import Any

import pytest

from target.decisioning.macros import compile_content
from target.decisioning.notifications import Notifications
from tests.kit.rules import ask, build_artifact, build_offer, run

HTML = {"type": "html", "content": "hello ${mbox.who}"}
CLICK = {"type": "click", "eventToken": "clicked"}


@pytest.mark.parametrize("mode", ["execute", "prefetch"])
def test_an_mbox_lists_the_metrics_of_its_rule_once_for_each_token(mode: str) -> None:
    artifact = build_artifact(build_offer(True, 10, HTML, metrics=[CLICK, CLICK, {**CLICK, "eventToken": "other"}]))
    mbox = run(artifact, **{mode: ask("hero")}).response[mode]["mboxes"][0]
    assert mbox["metrics"] == [CLICK, {**CLICK, "eventToken": "other"}]


@pytest.mark.parametrize("order", [1, -1])
def test_a_view_asked_for_by_name_has_its_own_parameters_whatever_the_order(order: int) -> None:
    views = {name: [build_offer(True, number, HTML)] for number, name in enumerate(("home", "cart"), 1)}
    asked: list[Any] = [{"name": "home", "parameters": {"who": "you"}}, {"parameters": {"who": "all"}}]
    decided = run(build_artifact(rules={"mboxes": {}, "views": views}), prefetch={"views": asked[::order]})
    shown = {view["name"]: view["options"][0]["content"] for view in decided.response["prefetch"]["views"]}
    assert shown == {"home": "hello you", "cart": "hello all"}


def test_a_view_and_the_page_load_show_what_counts_for_their_property_and_where_the_visitor_is() -> None:
    rules = [build_offer(True, number, HTML) for number in (1, 2, 3)]
    rules[0]["propertyTokens"], rules[1]["propertyTokens"] = ["other"], ["prop"]
    artifact = build_artifact(
        rules={"mboxes": {"target-global-mbox": rules}, "views": {"home": rules}},
        responseTokens=["geo.city"],
        geoTargetingEnabled=True,
    )
    request = {"property": {"token": "prop"}, "context": {"geo": {"city": "BERN"}}}
    answer = run(artifact, prefetch={"pageLoad": {}, "views": [{"name": "home"}]}, **request).response["prefetch"]
    for part in (answer["pageLoad"], *answer["views"]):
        assert [option["responseTokens"]["geo.city"] for option in part["options"]] == ["BERN", "BERN"]


@pytest.mark.parametrize("name", [5, ["home"], {"home": 1}])
def test_a_view_whose_name_is_no_text_is_no_view(name: Any) -> None:
    artifact = build_artifact(rules={"mboxes": {}, "views": {"home": [build_offer(True, 1, HTML)]}})
    assert run(artifact, prefetch={"views": [{"name": name}]}).response["prefetch"]["views"] == []


@pytest.mark.parametrize("odd", [5, "x", [1], True])
def test_what_is_of_another_kind_is_as_good_as_none(odd: Any) -> None:
    artifact = build_artifact(build_offer(True, 10, HTML))

    def answer(**request: Any) -> Any:
        decided = run(artifact, **{"id": {}, **request})
        return decided.response["id"], decided.response["execute"]

    assert answer(id=odd, execute={"pageLoad": odd}) == answer(execute={"pageLoad": {}})
    assert answer(id={"tntId": odd}, execute=ask("hero"))[0] == {"tntId": odd if odd == "x" else "id-1"}
    both = {"marketingCloudVisitorId": "m", "tntId": odd}
    assert answer(id=both, execute=ask("hero"))[0] == both


def test_an_offer_shown_twice_counts_once_and_what_follows_it_too() -> None:
    added = Notifications(1.0, lambda: "id").add("hero", ["a", "a", "b"])
    assert [entry["tokens"] for entry in added] == [["a"], ["b"]]


@pytest.mark.parametrize(("kind", "content"), [("json", [{"content": "${mbox.who}"}]), ("actions", {"content": "a"})])
def test_only_the_list_of_actions_has_macros(kind: str, content: Any) -> None:
    assert compile_content(kind, content, {}) is content
