from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from target.decisioning.artifact import Artifact, ArtifactError, parse_artifact, parse_artifact_text  # type: ignore[attr-defined]
from target.decisioning.decide import Decision, decide
from target.decisioning.places import LARGE_BYTES
from target.decisioning.remote import needs_reading
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
