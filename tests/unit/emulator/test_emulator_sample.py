from __future__ import annotations

import re

import pytest

from target.decisioning.catalogue import list_activities
from target.emulator.sample import load_sample
from target.emulator.stage import Stage
from tests.kit.processes import ROOT
from tests.kit.rules import ask

OFFERS, RULES = load_sample()
ACTIVITIES = list_activities(RULES.artifact)
README_MBOXES = {"home", "feature-flag-a"}


def shown(*names: str, stage: Stage | None = None, session: str = "s", **more: object) -> list[list[object]]:
    body = {"context": {"channel": "web", **more}, "execute": ask(*names)}
    answered = (stage or Stage(OFFERS, RULES)).answer(body, session_id=session, request_id="r")
    return [[option.get("content") for option in mbox.get("options", [])] for mbox in answered["execute"]["mboxes"]]


def test_every_rule_can_be_decided() -> None:
    assert RULES.problems == ()
    assert RULES.client == OFFERS.client == "acmeclient"


@pytest.mark.parametrize("activity", [each for each in ACTIVITIES if each.type == "ab"], ids=lambda each: str(each.id))
def test_the_shares_of_each_test_sum_to_all_visitors(activity: object) -> None:
    [shares] = [[each.shares for each in found.experiences] for found in ACTIVITIES if found is activity]
    assert sum(most - least for ranges in shares for least, most in ranges) == 100


def test_it_shows_every_kind() -> None:
    places = {kind for each in ACTIVITIES for one in each.experiences for kind, _ in one.places}
    assert places == {"mbox", "view", "page load"}
    assert {each.type for each in ACTIVITIES} == {"ab", "landing"}
    assert {len(each.experiences) for each in ACTIVITIES} == {1, 2, 3}
    assert any(each.property_tokens for each in ACTIVITIES)
    assert RULES.artifact.remote_mboxes <= set(OFFERS.mboxes)


def test_what_readme_asks_for_is_there_for_everybody() -> None:
    named = set(re.findall(r'"mboxes": \[\{"name": "([\w-]+)"', (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named <= README_MBOXES
    for number in range(20):
        assert all(shown(*sorted(README_MBOXES), session=str(number)))


def test_rules_and_offers_answer_together() -> None:
    greeting, delivery, others, flags = shown(
        "greeting", "delivery", "recommendations", "flags", geo={"countryCode": "CH"}
    )
    assert greeting == []
    assert delivery == ["<p>With you tomorrow.</p>"]
    assert others == [{"title": "Others bought", "products": ["bag-17", "shoe-4", "belt-9"]}]
    assert flags == [{"newCheckout": True}]
