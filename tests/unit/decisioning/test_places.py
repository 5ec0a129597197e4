from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target.decisioning import address, user_agent
from target.decisioning.artifact import Artifact, ArtifactError, parse_artifact, parse_artifact_text  # type: ignore[attr-defined]
from target.decisioning.artifact_text import Passage
from target.decisioning.decide import Decision, decide
from target.decisioning.places import LARGE_BYTES, Place, Places, read_rules
from target.decisioning.remote import needs_reading
from target.decisioning.rules import Gap, Rule, copy_json
from target.decisioning.variables import Undecidable
from tests.kit.properties import examples
from tests.kit.rules import NOW_S, ask, build_artifact, build_rule, run
from tests.unit.decisioning.test_artifact import JSON, REQUEST, WHOLE, places, put

UNDECIDABLE = build_rule({"unheard_of": []}, 12)


def read(artifact: dict[str, Any], noted: list[str] | None = None) -> Artifact:
    return parse_artifact_text(json.dumps(artifact).encode(), (noted if noted is not None else []).extend)


def build_large(name: str = "hero", **more: Any) -> dict[str, Any]:
    """An artifact with one place that takes long to read, and a small one."""
    rules = [build_rule(False, number) for number in range(100)] + [build_rule(True, 100)]
    assert len(json.dumps(rules)) > LARGE_BYTES
    return build_artifact(rules={"mboxes": {name: rules, "small": [build_rule()]}, "views": {"home": rules}}, **more)


def decided(artifact: Artifact, body: Any) -> Decision:
    return decide(body, artifact, client="acme", now_s=NOW_S, new_id=lambda: "id", session_id="s")


def read_or_refuse(way: Callable[[], Artifact]) -> tuple[Artifact | None, str]:
    """The artifact, or why there is none."""
    try:
        return way(), ""
    except ArtifactError as error:
        return None, str(error)


@given(path=st.sampled_from(places(WHOLE)), value=JSON)
@settings(max_examples=examples(300))
def test_an_artifact_read_as_needed_decides_as_one_read_at_once(path: tuple[Any, ...], value: Any) -> None:
    data = json.loads(json.dumps(put(WHOLE, path, value)))
    noted: list[str] = []
    eager, why = read_or_refuse(lambda: parse_artifact(data))
    lazy, lazy_why = read_or_refuse(lambda: read(data, noted))
    assert lazy_why == why
    if eager is None or lazy is None:
        return
    assert repr(decided(lazy, REQUEST)) == repr(decided(eager, REQUEST))
    assert set(noted) == set(lazy.problems) <= set(eager.problems)
    for place in (*lazy.mboxes, *lazy.views):
        assert lazy.mboxes[place] is lazy.mboxes[place]
        assert lazy.views[place] is lazy.views[place]
    assert sorted(lazy.problems) == sorted(eager.problems)


def test_problems_are_known_and_told_once_when_a_place_is_first_needed() -> None:
    noted: list[str] = []
    artifact = read(build_artifact(UNDECIDABLE, build_rule()), noted)
    assert artifact.problems == ()
    assert noted == []
    for _ in range(2):
        run(artifact, execute=ask("hero"))
    assert len(noted) == 1
    assert "mboxes 'hero': rule 0: the operator 'unheard_of'" in noted[0]
    assert artifact.problems == tuple(noted)


def test_what_is_asked_for_is_read_once_by_any_number_of_threads() -> None:
    artifact = read(build_large())
    found: list[Any] = []
    begin = threading.Barrier(8)

    def look() -> None:
        begin.wait()
        found.append(artifact.mboxes["hero"])

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(place) for place in found}) == 1
    assert len(found) == 8


def test_what_is_not_known_has_no_rules_and_is_not_remembered() -> None:
    artifact = read(build_artifact())
    for number in range(1000):
        assert artifact.mboxes[f"mbox-{number}"].rules == ()
    assert list(artifact.mboxes) == ["hero"]


def test_a_follower_reads_ahead_what_callers_would_wait_for() -> None:
    first, second = read(build_large()), read(build_large())
    assert needs_reading({"execute": ask("hero")}, first)
    assert needs_reading({"prefetch": {"views": [{}]}}, first)
    assert needs_reading({"prefetch": {"views": [{"name": "home"}]}}, first)
    assert not needs_reading({"execute": ask("small", "nowhere")}, first)
    assert not needs_reading({"execute": {"pageLoad": {}}}, first)
    assert needs_reading({"execute": {"pageLoad": {}}}, read(build_large("target-global-mbox")))
    run(first, execute=ask("hero", "small"))
    assert not needs_reading({"execute": ask("hero")}, first)
    second.read_ahead(first)
    assert not needs_reading({"execute": ask("hero")}, second)
    assert needs_reading({"prefetch": {"views": [{}]}}, second)  # nobody asked the first for it
    third = read(build_large())
    third.read_ahead(second)
    assert not needs_reading({"execute": ask("hero")}, third)  # though nobody has asked the second
    assert run(second, execute=ask("hero")).response == run(first, execute=ask("hero")).response


def test_what_was_forgotten_is_read_again_where_it_is_needed() -> None:
    noted: list[str] = []
    artifact = read(build_artifact(rules={"mboxes": {"hero": [build_rule()] * 200, "small": [UNDECIDABLE]}}), noted)
    before = run(artifact, execute=ask("hero", "small")).response
    artifact.forget()
    assert not needs_reading({"execute": ask("hero")}, artifact)  # a call that has not ended need not wait
    assert len(noted) == 1
    assert run(artifact, execute=ask("hero", "small")).response == before
    assert len(noted) == 2  # it was read twice
    given_as_data = parse_artifact(build_artifact(build_rule(), UNDECIDABLE))
    given_as_data.forget()
    (option,) = run(given_as_data, execute=ask("hero")).response["execute"]["mboxes"][0]["options"]
    assert option["content"] == "offer 10"


def test_rules_nested_too_deeply_for_the_callers_stack_are_left_to_the_server() -> None:
    deep = "[" * 400 + "]" * 400
    text = json.dumps(build_artifact(build_rule(meta={"deep": "DEEP"}))).replace('"DEEP"', deep).encode()
    artifact = parse_artifact_text(text)

    def far_down(steps: int) -> Any:
        return far_down(steps - 1) if steps else run(artifact, execute=ask("hero"))

    assert far_down(700).remote_mboxes == ["hero"]
    assert run(parse_artifact_text(text), execute=ask("hero")).remote_mboxes == ["hero"]


def nested(levels: int) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value]
    return value


WITHOUT_CONDITION = {key: value for key, value in build_rule().items() if key != "condition"}


@pytest.mark.parametrize(
    ("rule", "problem", "key"),
    [
        (None, "it is not an object", None),
        (["ruleKey"], "it is not an object", None),
        (build_rule(propertyTokens="x"), "propertyTokens is not a list", "10"),
        (build_rule(meta=[1]), "meta and consequence must be objects", "10"),
        (build_rule(meta="x"), "meta and consequence must be objects", "10"),
        (build_rule(consequence=None), "meta and consequence must be objects", "10"),
        (build_rule(consequence=[]), "meta and consequence must be objects", "10"),
        (WITHOUT_CONDITION, "it has no condition", "10"),
        (build_rule(ruleKey=None), "it has no ruleKey", None),
        (build_rule(ruleKey=True), "it has no ruleKey", None),
        (build_rule(ruleKey=""), "it has no ruleKey", None),
        (build_rule(ruleKey=["x"]), "it has no ruleKey", None),
        (build_rule(activityId=None), "it has no activityId", "10"),
        (build_rule(activityId=""), "it has no activityId", "10"),
        (build_rule(meta=nested(66)), "it is nested more than 64 deep", "10"),
        (build_rule(meta={1: 2}), "an object has a key that is no text", "10"),
        (build_rule(meta={"a": {1}}), "set is no JSON", "10"),
        (build_rule({"unheard_of": []}, ruleKey=7.0), "the operator 'unheard_of' is not known", "7"),
    ],
)
@pytest.mark.parametrize("tokens", [None, ["a", 5]])
def test_a_rule_that_cannot_be_decided_leaves_a_gap_with_its_key_and_properties(
    rule: Any, problem: str, key: str | None, tokens: list[Any] | None
) -> None:
    if isinstance(rule, dict) and "propertyTokens" not in rule:
        rule = {**rule, "propertyTokens": tokens}
        expected = frozenset({"a"}) if tokens else None
    else:
        expected = None
    place = read_rules([build_rule(activity=1), rule, build_rule(activity=3)], ())
    assert place.gaps == (Gap(key, expected, problem),)
    assert [item.key for item in place.rules] == ["1", key, "3"]
    assert place.problems == (f"rule 1: {problem}",)


@pytest.mark.parametrize("rules", [None, {}, "x", 5])
def test_rules_that_are_no_list_are_a_gap_for_every_property(rules: Any) -> None:
    for source in (rules, Passage(text := json.dumps(rules).encode(), 0, len(text))):
        gap = Gap(None, None, "its rules are not a list")
        assert read_rules(source, ()) == Place((gap,), (gap,), ("its rules are not a list",))


def test_rules_nested_deeper_than_any_stack_are_a_gap() -> None:
    text = b"[" * 1_000_000 + b"]" * 1_000_000
    assert read_rules(Passage(text, 0, len(text)), ()).problems == ("its rules are nested too deeply",)


def test_of_a_place_that_cannot_be_decided_its_kind_and_name_are_told() -> None:
    noted: list[str] = []
    artifact = read(build_artifact(rules={"mboxes": {"hero": 1}, "views": {"home": [UNDECIDABLE]}}), noted)
    assert (artifact.mboxes["hero"].problems, artifact.views["home"].problems) == ((noted[0],), (noted[1],))
    assert noted == [
        "mboxes 'hero': its rules are not a list",
        "views 'home': rule 0: the operator 'unheard_of' is not known",
    ]


@pytest.mark.parametrize(
    ("rule", "key", "activity_id", "tokens"),
    [
        (build_rule(), "10", "10", None),
        (build_rule(propertyTokens=[]), "10", "10", None),
        (build_rule(propertyTokens=["a", None, "b"]), "10", "10", frozenset({"a", "b"})),
        (build_rule(propertyTokens=("a",)), "10", "10", frozenset({"a"})),
        (build_rule(propertyTokens=[5]), "10", "10", frozenset()),
        (build_rule(ruleKey=0, activityId=0), "0", "0", None),
        (build_rule(ruleKey="x", activityId=2.0), "x", "2", None),
        (build_rule(activityId="own", meta={"activity.id": 5}), "10", "own", None),
        ({key: value for key, value in build_rule().items() if key != "activityId"}, "10", "10", None),
    ],
)
def test_a_rule_has_the_key_activity_and_properties_that_it_names(
    rule: Any, key: str, activity_id: str, tokens: frozenset[str] | None
) -> None:
    text = json.dumps([rule]).encode()
    for source in ([rule], (rule,), Passage(b"[" + text + b"]", 1, len(text) + 1)):
        (found,) = read_rules(source, ()).rules
        assert isinstance(found, Rule)
        assert (found.key, found.activity_id, found.property_tokens) == (key, activity_id, tokens)
        assert found.meta == rule["meta"]
        assert found.condition is True
        assert found.meta is found.meta
        assert found.consequence is found.consequence


def test_the_details_of_a_rule_are_read_once_more_when_they_are_needed_and_then_kept() -> None:
    reads = []

    class Noted(Passage):
        def read(self) -> Any:
            reads.append(self)
            return super().read()

    text = json.dumps(build_rule()).encode()
    (found,) = read_rules([Noted(text, 0, len(text))], ()).rules
    assert isinstance(found, Rule)
    assert len(reads) == 1
    for _ in range(2):
        assert (found.meta, found.condition) == (build_rule()["meta"], True)
        assert len(reads) == 2


def test_what_a_rule_lacks_is_empty() -> None:
    (found,) = read_rules([build_rule(meta=None)], ()).rules
    assert isinstance(found, Rule)
    assert found.meta == {}


def test_json_is_copied_down_to_64_levels_and_no_further() -> None:
    value = {"a": [1, {"b": (True, None)}], "c": 1.5}
    copied = copy_json(value)
    assert copied == {"a": [1, {"b": [True, None]}], "c": 1.5}
    assert copied["a"] is not value["a"]
    assert copy_json(nested(65)) == nested(65)
    for shape in (nested(66), {"a": {"b": nested(64)}}):
        with pytest.raises(Undecidable, match="it is nested more than 64 deep"):
            copy_json(shape)
    assert copy_json({"a": nested(64)}) == {"a": nested(64)}


def test_a_place_takes_long_to_read_from_so_many_bytes_on() -> None:
    rules = json.dumps([build_rule()])
    for extra, is_slow in ((0, False), (1, True)):
        text = (rules + " " * (LARGE_BYTES + extra - len(rules))).encode()
        place = Places("mboxes", {"hero": Passage(text + b"  ", 0, len(text))}, (), lambda _: None)
        shifted = Places("mboxes", {"hero": Passage(b"  " + text, 2, len(text) + 2)}, (), lambda _: None)
        for places_ in (place, shifted):
            assert places_.is_slow("hero") is is_slow
            assert not places_.is_slow("nowhere")
        assert place["hero"].rules
        assert not place.is_slow("hero")
        place.forget()
        assert not place.is_slow("hero")
    assert not Places("mboxes", {"hero": [build_rule(padding="x" * LARGE_BYTES)]}, (), lambda _: None).is_slow("hero")


def test_what_is_large_is_kept_where_another_artifact_has_followed_and_what_is_small_is_not() -> None:
    artifact = read(build_large())
    large, small = artifact.mboxes["hero"], artifact.mboxes["small"]
    artifact.forget()
    assert artifact.mboxes["hero"] is large
    assert artifact.mboxes["small"] is not small
    given_at_once = parse_artifact(build_large())
    large, small = given_at_once.mboxes["hero"], given_at_once.mboxes["small"]
    given_at_once.forget()
    assert given_at_once.mboxes["hero"] is large
    assert given_at_once.mboxes["small"] is small


def test_only_what_was_asked_for_and_takes_long_is_read_ahead() -> None:
    noted: list[str] = []
    broken = [build_rule({"unheard_of": []}, padding="x" * LARGE_BYTES)]
    data = build_artifact(rules={"mboxes": {"a": broken, "b": broken, "small": [UNDECIDABLE]}, "views": {}})
    first, second = read(data), read(data, noted)
    run(first, execute=ask("a", "small", "nowhere"))
    second.read_ahead(first)
    assert noted == ["mboxes 'a': rule 0: the operator 'unheard_of' is not known"]
    gone = read(build_artifact(rules={"mboxes": {}, "views": {}}))
    gone.read_ahead(second)  # what this has no more
    third = read(data)
    third.read_ahead(gone)
    assert not needs_reading({"execute": ask("a")}, third)
    assert needs_reading({"execute": ask("b")}, third)


@pytest.mark.parametrize(
    ("condition", "loads"),
    [
        (True, (False, False)),
        ({"==": ["x", {"var": "page.url"}]}, (True, False)),
        ({"==": ["x", {"var": "referring.path"}]}, (True, False)),
        ({"==": ["x", {"var": "user.platform"}]}, (False, True)),
        ({"==": ["x", {"var": ""}]}, (True, True)),
    ],
)
def test_what_a_rule_needs_is_loaded_when_the_rule_is_read(condition: Any, loads: tuple[bool, bool]) -> None:
    address._suffixes.cache_clear()
    user_agent._parse.cache_clear()
    read_rules([build_rule(condition)], ())
    assert (address._suffixes.cache_info().currsize == 1, user_agent._parse.cache_info().currsize == 1) == loads
