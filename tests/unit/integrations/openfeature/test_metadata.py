"""The metadata of a flag: nobody can change it, and everybody can copy and write it."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from target import TargetClient
from target.integrations.openfeature import TargetProvider
from tests.kit.loopback import LoopbackServer
from tests.unit.integrations.openfeature.pages import VISITOR, flags_of, json_offer, showing


@pytest.fixture
def metadata(server: LoopbackServer, client: TargetClient) -> Any:
    tokens = {"activity.id": 7, "activity.name": "Summer"}
    server.answer = showing(home=[json_offer({"on": True}, responseTokens=tokens)])
    with flags_of(TargetProvider(client)) as flags:
        details = flags.get_boolean_details("home.on", False, VISITOR)
    assert asdict(details)["flag_metadata"] == details.flag_metadata
    return details.flag_metadata


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held.update(mbox="other"),
        lambda held: held.__setitem__("mbox", "other"),
        lambda held: held.__delitem__("mbox"),
        lambda held: held.__ior__({"mbox": "other"}),
        lambda held: held.pop("mbox"),
        lambda held: held.popitem(),
        lambda held: held.setdefault("more", 1),
        lambda held: held.clear(),
    ],
)
def test_it_refuses_to_be_changed(metadata: Any, change: Callable[[Any], object]) -> None:
    before = dict(metadata)
    with pytest.raises(TypeError, match=r"take a copy, dict\(metadata\)"):
        change(metadata)
    assert metadata == before


def test_it_can_be_copied_and_written(metadata: Any) -> None:
    for made in (copy.copy(metadata), copy.deepcopy(metadata), pickle.loads(pickle.dumps(metadata)), dict(metadata)):
        assert made == metadata
    assert json.loads(json.dumps(metadata)) == metadata
    assert {**metadata, "more": 1} == {**dict(metadata), "more": 1}
    assert metadata["activity.name"] == "Summer"
