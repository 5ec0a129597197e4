"""What calls a client: a fake one, which reaches no network and fails as it is told."""

from __future__ import annotations

import pytest
from shop.newsletter import PLAIN, subjects

from target import TargetTimeout
from target.testing import AsyncFakeTargetClient, FakeTargetClient

OFFERS = {"mboxes": {"newsletter": {"subject": "Bags, 20 % off"}}}


def test_each_customer_is_asked_for() -> None:
    client = FakeTargetClient(OFFERS)
    assert subjects(client, ["c-1", "c-2"]) == dict.fromkeys(["c-1", "c-2"], "Bags, 20 % off")
    assert [body["id"]["thirdPartyId"] for body in client.requests] == ["c-1", "c-2"]


@pytest.mark.parametrize("failure", [TargetTimeout, 503])
def test_letters_are_sent_on_a_bad_day(failure: type[TargetTimeout] | int) -> None:
    assert subjects(FakeTargetClient(OFFERS, fail_with=failure), ["c-1"]) == {"c-1": PLAIN}


async def test_an_event_loop_has_one_too() -> None:
    client = AsyncFakeTargetClient(OFFERS)
    letter = await client.get_attributes(["newsletter"])
    assert letter.get_str("newsletter", "subject", "") == "Bags, 20 % off"
