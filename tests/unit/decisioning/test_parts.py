"""The answers to mboxes, page load and views."""

from __future__ import annotations

from typing import Any

import pytest

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
