"""What a cassette of a later API holds that the models do not know survives a round trip: fields and enum values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from target import DeliveryRequest, DeliveryResponse, TargetClient
from tests.contract import tape
from tests.contract.recorded import FACTS, RECORDED
from tests.contract.scenario import run

LATER = {"text": "later", "list": [1, {"deep": None}], "number": 0.5}


def later(node: Any) -> Any:
    """The JSON of a version in which every object has a field more, and every mbox an offer of a new type."""
    if isinstance(node, list):
        return [later(item) for item in node]
    if not isinstance(node, dict):
        return node
    grown = {key: later(value) for key, value in node.items()}
    if isinstance(node.get("options"), list):
        grown["options"].append({"type": "hologram", "content": {"a": [1]}, "fieldOfALaterSpec": LATER})
    return {**grown, "fieldOfALaterSpec": LATER}


def interactions(name: str) -> list[Any]:
    cassette = yaml.safe_load((tape.RECORDED / f"{name}.yaml").read_text(encoding="utf-8"))
    found: list[Any] = cassette["interactions"]
    return found


@pytest.mark.parametrize("name", RECORDED)
def test_requests_and_answers_of_a_later_spec_are_read_and_written_unchanged(name: str) -> None:
    for interaction in interactions(name):
        request = later(json.loads(interaction["request"]["body"]))
        assert DeliveryRequest.from_dict(request).to_dict() == request
        if interaction["response"]["status"]["code"] == 200:
            answer = later(json.loads(interaction["response"]["body"]["string"]))
            assert DeliveryResponse.from_dict(answer).to_dict() == answer


def test_a_client_replays_a_cassette_of_a_later_spec(
    replaying: TargetClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "session_over_two_calls"
    cassette = yaml.safe_load((tape.RECORDED / f"{name}.yaml").read_text(encoding="utf-8"))
    answers = []
    for interaction in cassette["interactions"]:
        body = interaction["response"]["body"]
        answer = json.loads(body["string"]) | {"fieldOfALaterSpec": LATER}
        answers.append(answer)
        body["string"] = json.dumps(answer)
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(cassette), encoding="utf-8")
    got = []
    asked = TargetClient.get_offers

    def kept(*arguments: Any, **options: Any) -> Any:
        result = asked(*arguments, **options)
        got.append(result)
        return result

    monkeypatch.setattr(TargetClient, "get_offers", kept)
    with tape.tape(tmp_path).use_cassette(f"{name}.yaml"):
        assert run(RECORDED[name], replaying) == FACTS[name]
    assert [result.response.to_dict() for result in got] == answers
