from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.experiences import Standing
from target.emulator.visitors import Visitors


def test_a_visitor_is_found_by_every_id_that_came_once() -> None:
    visitors = Visitors()
    first = visitors.find({"tntId": "abc.38_0", "thirdPartyId": "t", "marketingCloudVisitorId": "m"}, "s1")
    assert first.tnt_id == "abc"
    for ids in ({"tntId": "abc"}, {"tntId": "abc.21_0"}, {"thirdPartyId": "t"}, {"marketingCloudVisitorId": "m"}):
        assert visitors.find(ids, "s2") is first
    assert visitors.find({"thirdPartyId": "m"}, "s2") is not first


def test_who_names_nobody_is_the_session() -> None:
    visitors = Visitors()
    assert visitors.find({}, "s1") is visitors.find({}, "s1")
    assert visitors.find({}, "s1") is not visitors.find({}, "s2")
    assert visitors.find({"tntId": None, "thirdPartyId": ""}, "\ud800").tnt_id


def test_to_look_up_remembers_nothing() -> None:
    visitors = Visitors()
    known = visitors.find({"tntId": "a"}, "s")
    assert visitors.look_up({"tntId": "a"}, "s") is known
    assert visitors.look_up({"thirdPartyId": "t"}, "s").tnt_id
    assert len(visitors) == 1


def test_who_was_away_for_longest_is_forgotten_first() -> None:
    visitors = Visitors(most=2)
    first = visitors.find({"tntId": "a", "thirdPartyId": "t"}, "s")
    visitors.find({"tntId": "b"}, "s")
    assert visitors.find({"tntId": "a"}, "s") is first
    visitors.find({"tntId": "c"}, "s")
    assert len(visitors) == 2
    assert visitors.find({"tntId": "a"}, "s") is first


ids = st.dictionaries(st.sampled_from(["tntId", "thirdPartyId", "marketingCloudVisitorId"]), st.text(max_size=3))


@given(st.lists(st.tuples(ids, st.text(max_size=3))))
def test_what_is_remembered_can_be_kept(visits: list[tuple[dict[str, str], str]]) -> None:
    visitors = Visitors(most=3)
    for given_, session in visits:
        visitor = visitors.find(given_, session)
        visitor.stays["1"] = "0"
        visitor.shown.add(Standing("1", "0"))
    kept = json.loads(json.dumps(visitors.to_dict()))
    restored = Visitors()
    restored.restore(kept)
    assert json.loads(json.dumps(restored.to_dict())) == kept
    for given_, session in visits:
        assert restored.look_up(given_, session).tnt_id == visitors.look_up(given_, session).tnt_id


@pytest.mark.parametrize("data", [{}, {"visitors": [1], "others": {}}, {"visitors": [], "others": []}])
def test_anything_else_is_refused_and_changes_nothing(data: Any) -> None:
    visitors = Visitors()
    visitors.find({"tntId": "a"}, "s")
    before = visitors.to_dict()
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        visitors.restore(data)
    assert visitors.to_dict() == before
