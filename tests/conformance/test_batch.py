"""The scenarios as batches of one row, where an mbox of them has that form: what is decided is what the engine says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pytest

from target.batch import BatchDecider
from target.batch.sources import ADDRESSES, IDS, PLACES
from target.decisioning.allocation import allocation_of, visitor_of
from target.decisioning.artifact import parse_artifact
from target.decisioning.decide import Decision, needs_geo
from target.decisioning.geo import geo_of, parse_geo
from target.decisioning.remote import property_token_of
from tests.conformance.runner import needs_shared
from tests.conformance.scenarios import OWN, SHARED, Scenario, load_scenarios
from tests.conformance.test_engine import SOME_DAY_S, run

MODES = ("execute", "prefetch")


def cases(folder: Any) -> list[Any]:
    return [
        pytest.param(scenario, id=scenario.name) for scenario in load_scenarios(folder) if has_a_batch_form(scenario)
    ]


def has_a_batch_form(scenario: Scenario) -> bool:
    """Whether it asks for an mbox that the rules know, for a visitor who has an id, by what columns can hold."""
    hints = (scenario.request.get("context") or {}).get("clientHints")
    return visitor_of(scenario.request.get("id") or {}) is not None and not hints and any(asked(scenario))


def asked(scenario: Scenario) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Mode, position and the mbox."""
    artifact = parse_artifact(scenario.artifact)
    known = {*artifact.mboxes, *(artifact.local_mboxes or ()), *artifact.remote_mboxes}
    for mode in MODES:
        for position, mbox in enumerate((scenario.request.get(mode) or {}).get("mboxes") or ()):
            if mbox["name"] in known:
                yield mode, position, mbox


def columns(scenario: Scenario, mbox: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row of one mbox, and the options that name its columns."""
    request = scenario.request
    context = request.get("context") or {}
    is_looked_up = needs_geo(request, parse_artifact(scenario.artifact))
    place = {**geo_of(request), **(parse_geo(scenario.geo) if is_looked_up else {})}
    address = mbox.get("address") or context.get("address") or {}
    row: dict[str, Any] = {"browser": context.get("userAgent")}
    options: dict[str, Any] = {"user_agent": "browser"}
    for option, names, values in (
        ("id_columns", IDS, request["id"]),
        ("address", ADDRESSES, address),
        ("geo", PLACES, place),
    ):
        options[option] = {name: key for name, key in names.items() if values.get(key) is not None}
        row |= {key: values[key] for key in options[option].values()}
    parameters = mbox.get("parameters") or {}
    options["parameters"] = {name: f"p_{name}" for name in parameters}
    return {**row, **{f"p_{name}": value for name, value in parameters.items()}}, options


def check(scenario: Scenario) -> None:
    decision = run(scenario)
    for mode, position, mbox in asked(scenario):
        row, options = columns(scenario, mbox)
        decider = BatchDecider(
            scenario.artifact,
            mboxes=[mbox["name"]],
            client=scenario.client,
            property_token=property_token_of(scenario.request),
            at=scenario.now or SOME_DAY_S,
            **options,
        )
        (told,) = decider(pa.RecordBatch.from_pylist([row])).to_pylist()
        assert told["error"] is None
        visitor = visitor_of(scenario.request["id"])
        assert told["visitor"] == visitor
        rule = shown(decision, mode, position)
        if rule is None:
            is_remote = mbox["name"] in decision.remote_mboxes
            assert told["status"] in (("remote", "undecidable") if is_remote else ("default",))
            assert told["activity_id"] is None
            continue
        assert (told["status"], told["activity_id"], told["rule_key"]) == ("decided", rule.activity_id, rule.key)
        assert told["bucket"] == allocation_of(scenario.client, rule.activity_id, str(visitor))
        if mode == "execute":
            option = next(iter(decision.response[mode]["mboxes"][position]["options"]), {})
            content = option.get("content")
            text = content if content is None or isinstance(content, str) else json.dumps(content)
            assert told["option_type"] == option.get("type")
            if isinstance(content, str | None):
                assert told["content"] == text
            else:
                assert json.loads(told["content"]) == content


def shown(decision: Decision, mode: str, position: int) -> Any:
    """The rule that the engine shows there."""
    before = 0
    found = []
    for part_mode, kind, _, end in decision.parts:
        if (part_mode, kind) == (mode, "mbox"):
            found.append(decision.shown[before][3] if end > before else None)
        before = end
    return found[position]


def test_most_scenarios_have_a_batch_form() -> None:
    assert len(cases(OWN)) >= 20


@pytest.mark.parametrize("scenario", cases(OWN))
def test_own_scenarios(scenario: Scenario) -> None:
    check(scenario)


@needs_shared
@pytest.mark.parametrize("scenario", cases(SHARED))
def test_shared_scenarios(scenario: Scenario) -> None:
    check(scenario)
