from __future__ import annotations

import copy
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target.decisioning import address, user_agent
from target.decisioning import artifact as artifact_module
from target.decisioning.artifact import parse_artifact, parse_artifact_text
from target.decisioning.decide import decide
from target.decisioning.rules import Gap
from target.errors import ArtifactError, TargetError
from target_delivery_api.models import DeliveryResponse
from tests.kit.properties import examples
from tests.kit.rules import FIREFOX, NOW_S, ask, build_artifact, build_offer, build_rule, run


def test_another_major_version_is_refused_with_the_known_message() -> None:
    with pytest.raises(ArtifactError) as caught:
        parse_artifact(build_artifact(version="99.0.0"))
    assert str(caught.value) == (
        "The decisioning artifact version (99.0.0) is not supported. "
        "This library is compatible with this major version: 1"
    )
    assert isinstance(caught.value, TargetError)


@pytest.mark.parametrize("version", ["1.0.0", "1", "1.99.3-beta", 1, 1.5])
def test_every_version_1_is_taken(version: Any) -> None:
    assert parse_artifact(build_artifact(version=version)).version == str(version)


@pytest.mark.parametrize("version", ["10.0.0", "0.9", "", "v1", 2, "x" * 1000])
def test_no_other_version_is(version: Any) -> None:
    with pytest.raises(ArtifactError) as caught:
        parse_artifact(build_artifact(version=version))
    assert f"({str(version)[:40]}) is not supported" in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "x",
        5,
        {},
        {"version": None, "rules": {}},
        {"version": "1.0.0"},
        {"version": "1.0.0", "rules": []},
        {"version": "1.0.0", "rules": {"mboxes": []}},
        {"version": "1.0.0", "rules": {"views": "x"}},
    ],
)
def test_what_is_no_artifact_is_refused(data: Any) -> None:
    with pytest.raises(ArtifactError, match="decisioning artifact"):
        parse_artifact(data)


BROKEN = [
    None,
    [],
    {},
    build_rule({"cat": ["a", "b"]}),
    build_rule(consequence=None),
    build_rule(consequence={"options": {}}),
    build_rule(consequence={"options": ["x"]}),
    build_rule(consequence={"options": [{"type": "html", "responseTokens": "x"}]}),
    build_rule(consequence={"options": [], "metrics": [5]}),
    build_rule(meta=[1]),
    build_rule(ruleKey=None),
    build_rule(ruleKey=True),
    build_rule(activityId=None),
    build_rule(activityId={}),
    build_rule(propertyTokens="x"),
    {key: value for key, value in build_rule().items() if key != "condition"},
]


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_leaves_a_gap_and_is_told(rule: Any) -> None:
    artifact = parse_artifact(build_artifact(build_rule(True, 9), rule, build_rule(True, 11)))
    first, gap, last = artifact.mboxes["hero"].rules
    assert (first.key, type(gap), last.key) == ("9", Gap, "11")
    assert len(artifact.problems) == 1
    assert "'hero': rule 1: " in artifact.problems[0]
    decision = run(artifact, execute=ask("hero"))
    assert decision.response["status"] == 206
    assert decision.remote_mboxes == ["hero"]
    assert decision.response["execute"]["mboxes"][0]["options"][0]["content"] == "offer 9"


def test_rules_that_are_no_list_make_their_place_remote() -> None:
    artifact = parse_artifact(build_artifact(rules={"mboxes": {"hero": {"a": 1}}, "views": {"home": None}}))
    assert len(artifact.problems) == 2
    decision = run(artifact, execute=ask("hero", "quiet"), prefetch={"views": [{}]})
    assert decision.remote_mboxes == ["hero"]
    assert decision.remote_views == ["home"]


def test_content_nested_too_deeply_breaks_its_rule_only() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    rule = build_offer(True, 10, {"type": "json", "content": deep})
    artifact = parse_artifact(build_artifact(rule, build_rule(), meta={"deep": deep}))
    assert len(artifact.problems) == 1
    assert "nested" in artifact.problems[0]
    assert artifact.meta == {}
    while deep:
        deep = deep.pop()  # or the interpreter recurses to free it


def test_what_is_no_json_breaks_its_rule_only() -> None:
    rules = [build_rule(meta={"x": {1, 2}}), build_rule(meta={5: "x"}), build_rule()]
    artifact = parse_artifact(build_artifact(*rules))
    assert len(artifact.problems) == 2


def test_nothing_of_the_data_is_kept() -> None:
    data = build_artifact(build_offer(True, 10, {"type": "json", "content": {"a": [1]}}))
    artifact = parse_artifact(data)
    rule = data["rules"]["mboxes"]["hero"][0]
    rule["consequence"]["options"][0]["content"]["a"].append(2)
    rule["meta"]["experience.id"] = 9
    data["localMboxes"].clear()
    decision = run(artifact, prefetch=ask("hero"))
    assert decision.is_complete
    assert decision.response["prefetch"]["mboxes"][0]["options"][0]["content"] == {"a": [1]}


def test_a_caller_who_changes_an_answer_changes_no_other() -> None:
    artifact = parse_artifact(build_artifact(build_offer(True, 10, {"type": "json", "content": {"a": [1]}})))
    first = DeliveryResponse.from_dict(run(artifact, prefetch=ask("hero")).response)
    option = first.prefetch.mboxes[0].options[0]
    option.content["a"].append(2)
    option.response_tokens["x"] = 1
    second = run(artifact, prefetch=ask("hero")).response["prefetch"]["mboxes"][0]["options"][0]
    assert second["content"] == {"a": [1]}
    assert "x" not in second["responseTokens"]


def test_without_the_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_module, "_PACKAGES", {"no_such_module": "no-such-package", "json": "json"})
    artifact_module.require_packages.cache_clear()
    try:
        with pytest.raises(ArtifactError, match=r"\(no-such-package missing\).*target-delivery\[on-device\]"):
            parse_artifact(build_artifact())
    finally:
        artifact_module.require_packages.cache_clear()


def test_import_loads_none_of_the_packages() -> None:
    packages = "{'mmh3', 'tldextract', 'ua_parser', 'requests'}"
    code = f"import sys, target.decisioning.decide; print({packages} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)
WHOLE = build_artifact(
    build_rule({"and": [{"<=": [0, {"var": "allocation"}]}, {"==": [{"var": "user.platform"}, "mac"]}]}),
    build_offer(True, 11, {"type": "actions", "content": [{"type": "setHtml", "content": "${mbox.user}"}]}),
    build_offer(
        True, 12, {"type": "html", "content": "${mbox.user}", "eventToken": "t"}, metrics=[{"eventToken": "m"}]
    ),
    responseTokens=["activity.id", "geo.city"],
)
WHOLE["rules"]["views"]["home"] = [build_rule({"in": ["/", {"var": "page.path"}]}, 13, propertyTokens=["p"])]
WHOLE["rules"]["mboxes"]["target-global-mbox"] = [build_rule(True, 14)]
REQUEST = {
    "requestId": "r1",
    "id": {"tntId": "a.38_0"},
    "property": {"token": "p"},
    "context": {"userAgent": FIREFOX, "address": {"url": "http://example.com/"}, "geo": {"city": "BERN"}},
    "trace": {},
    "execute": {"pageLoad": {}, "mboxes": [{"name": "hero", "index": 1, "parameters": {"user": "Ann"}}]},
    "prefetch": {"pageLoad": {}, "mboxes": [{"name": "hero", "index": 1}], "views": [{}, {"name": "home"}]},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def put(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    whole = copy.deepcopy(whole)
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    if path:
        holder[path[-1]] = value
    return whole if path else value


def decide_whole(body: Any, data: Any) -> None:
    """Decides, and makes what a caller would see of it. Raises what must not be raised."""
    decision = decide(
        body, parse_artifact(data), client="acme", now_s=NOW_S, new_id=lambda: "id", session_id="s", location_hint="38"
    )
    DeliveryResponse.from_dict(decision.response).to_dict()
    json.dumps(decision.notifications)


@given(JSON)
def test_any_json_is_an_artifact_or_an_artifact_error(data: Any) -> None:
    with pytest.raises(ArtifactError):
        parse_artifact(data)


@given(path=st.sampled_from(places(WHOLE)), value=JSON)
@settings(max_examples=examples(500))
def test_an_artifact_with_any_json_in_any_place_decides_or_is_refused(path: tuple[Any, ...], value: Any) -> None:
    try:
        decide_whole(REQUEST, put(WHOLE, path, value))
    except ArtifactError:
        assert len(path) <= 2  # only the artifact as a whole can be refused


@given(path=st.sampled_from([path for path in places(REQUEST) if len(path) > 1]), value=JSON)
@settings(max_examples=examples(300))
def test_a_request_with_any_json_in_any_place_is_decided(path: tuple[Any, ...], value: Any) -> None:
    decision = decide(put(REQUEST, path, value), parse_artifact(WHOLE), client="acme", now_s=NOW_S, new_id=lambda: "id")
    assert decision.response["status"] in (200, 206)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{", "The decisioning artifact is not complete JSON"),
        (b"[]", "The decisioning artifact must be a JSON object, not list"),
        (b'{"rules": {}}', "The decisioning artifact has no version: it is not one, or it is cut short"),
        (b'{"version": "1.0.0"}', "The decisioning artifact has no rules: it is not one, or it is cut short"),
    ],
)
def test_what_is_no_artifact_is_said(text: bytes, problem: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        parse_artifact_text(text)
    assert str(caught.value) == problem


@pytest.mark.parametrize("name", ["", None, 5, ["page"]])
def test_a_global_mbox_without_a_name_has_the_usual_one(name: Any) -> None:
    assert parse_artifact(build_artifact(globalMbox=name)).global_mbox == "target-global-mbox"


@pytest.mark.parametrize(
    ("condition", "loads"),
    [
        (True, (False, False)),
        ({"==": ["page", {"var": "mbox.user"}]}, (False, False)),
        ({"==": ["x", {"var": "page.url"}]}, (True, False)),
        ({"==": ["x", {"var": "referring.path"}]}, (True, False)),
        ({"==": ["x", {"var": "user.platform"}]}, (False, True)),
    ],
)
def test_what_the_rules_of_a_text_need_is_loaded_before_a_call_needs_it(
    condition: Any, loads: tuple[bool, bool]
) -> None:
    address._suffixes.cache_clear()
    user_agent._parse.cache_clear()
    parse_artifact_text(json.dumps(build_artifact(build_rule(condition))).encode())
    assert (address._suffixes.cache_info().currsize == 1, user_agent._parse.cache_info().currsize == 1) == loads


@pytest.mark.parametrize("meta", [None, "x", 5, ["environment"], {"a": {1}}])
def test_what_an_artifact_says_of_itself_is_an_object_or_nothing(meta: Any) -> None:
    artifact = parse_artifact(build_artifact(build_rule(), meta=meta))
    assert artifact.meta == {}
    answer = run(artifact, trace={}, execute=ask("hero")).response["execute"]["mboxes"][0]
    assert answer["trace"]["artifact"] == {"artifactVersion": "1.0.0"}
