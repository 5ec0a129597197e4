from __future__ import annotations

import json
from typing import Any

import pytest

from target.decisioning.artifact import parse_artifact, parse_artifact_text
from target.decisioning.places import LARGE_BYTES
from target.decisioning.remote import find_remote, needs_reading, needs_remote
from tests.kit.rules import ask, build_artifact, build_rule, run

UNKNOWN = {"cat": ["a"]}


def remote(artifact: dict[str, Any], **request: Any) -> tuple[list[str], list[str]]:
    return tuple(find_remote(request, parse_artifact(artifact)))  # type: ignore[return-value]


def test_unknown_and_remote_mboxes_are_named_once_in_the_order_asked() -> None:
    artifact = build_artifact(build_rule(), remoteMboxes=["b", "hero-remote"])
    decision = run(artifact, execute=ask("b", "hero", "a"), prefetch=ask("a", "quiet"))
    assert decision.response["status"] == 206
    assert not decision.is_complete
    assert (decision.remote_mboxes, decision.remote_views) == (["b", "a"], [])
    assert run(artifact, execute=ask("hero")).response["status"] == 200


def test_an_mbox_that_is_partly_remote_is_decided_as_far_as_it_goes() -> None:
    decision = run(build_artifact(build_rule(), remoteMboxes=["hero"]), execute=ask("hero"))
    assert decision.response["status"] == 206
    assert decision.response["execute"]["mboxes"][0]["options"]


def test_page_load_is_the_global_mbox() -> None:
    assert remote(build_artifact(remoteMboxes=["target-global-mbox"]), prefetch={"pageLoad": {}})[0] == [
        "target-global-mbox"
    ]
    assert remote(build_artifact(globalMbox="page"), execute={"pageLoad": {}})[0] == ["page"]
    assert remote(build_artifact(remoteMboxes=["target-global-mbox"]), execute=ask("hero"))[0] == []


def test_views() -> None:
    artifact = build_artifact(remoteViews=["map", "cart"])
    assert remote(artifact, prefetch={"views": [{"name": "home"}]})[1] == []
    assert remote(artifact, prefetch={"views": [{"name": "cart"}, {"name": "new"}]})[1] == ["cart", "new"]
    assert remote(artifact, prefetch={"views": [{}]})[1] == ["map", "cart"]
    assert remote(build_artifact(), prefetch={"views": [{}]})[1] == []


def test_undecidable_rules_count_for_their_property_only() -> None:
    artifact = build_artifact(build_rule(UNKNOWN, propertyTokens=["x"]))
    artifact["rules"]["views"]["home"] = [build_rule(UNKNOWN, propertyTokens=["x"])]
    request = {"execute": ask("hero"), "prefetch": {"views": [{}]}}
    assert remote(artifact, **request) == ([], [])
    assert remote(artifact, **request, property={"token": "y"}) == ([], [])
    assert remote(artifact, **request, property={"token": "x"}) == (["hero"], ["home"])


def test_artifact_that_does_not_say_what_is_local_has_local_what_has_rules() -> None:
    artifact = build_artifact(build_rule(), localMboxes=None, localViews=None)
    artifact["rules"]["views"]["home"] = [build_rule()]
    assert remote(artifact, execute=ask("hero", "a"), prefetch={"views": [{"name": "home"}, {"name": "b"}]}) == (
        ["a"],
        ["b"],
    )


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"execute": ask("hero")}, False),
        ({"execute": ask("hero", "a")}, True),
        ({"prefetch": {"views": [{"name": "b"}]}}, True),
        ({"execute": ask("hero"), "qaMode": {"token": "t"}}, True),
        ({"execute": ask("hero"), "preview": {"token": "t"}}, True),
        ({"execute": ask("hero"), "preview": None}, False),
    ],
)
def test_hybrid_goes_to_the_server(request_: dict[str, Any], expected: bool) -> None:
    assert needs_remote(request_, parse_artifact(build_artifact(build_rule()))) is expected


def test_only_a_large_place_that_was_asked_for_has_to_be_read_first() -> None:
    views = {"home": [build_rule(padding="x" * LARGE_BYTES)], "cart": [build_rule()]}
    artifact = parse_artifact_text(json.dumps(build_artifact(rules={"mboxes": {}, "views": views})).encode())
    for names, expected in (
        (["home"], True),
        (["cart"], False),
        ([None], True),
        (["cart", "none"], False),
        ([], False),
    ):
        asked = [{} if name is None else {"name": name} for name in names]
        assert needs_reading({"prefetch": {"views": asked}}, artifact) is expected


def test_a_gap_in_a_view_counts_for_its_property() -> None:
    gap = build_rule(UNKNOWN, propertyTokens=["prop"])
    artifact = build_artifact(rules={"mboxes": {}, "views": {"home": [gap], "cart": []}})
    views = {"views": [{"name": "home"}, {"name": "cart"}]}
    assert remote(artifact, prefetch=views, property={"token": "prop"}) == ([], ["home"])
    assert remote(artifact, prefetch=views, property={"token": "other"}) == ([], [])
