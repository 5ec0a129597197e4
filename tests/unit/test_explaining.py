"""explain of both clients: it says what get_offers would show, and neither sends nor changes anything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from target import ArtifactNotReady, AsyncTargetClient, ClientClosed, OptionsError, Visitor
from tests.kit.calls import MakeClient, options_of
from tests.kit.cdn import artifact
from tests.kit.either import Make
from tests.kit.loopback import Answer
from tests.kit.shop import ETAG, HOME, Shop, events_of
from tests.kit.visitors import COOKIE, ORGANIZATION

COOKIE_OF_MBOX = "session#s1#9999999999|PC#visitor.38_0#9999999999"
SHARE: dict[str, Any] = {"and": [{"<=": [0, {"var": "allocation"}]}, {">=": [50, {"var": "allocation"}]}]}


def options(shop: Shop, **more: Any) -> dict[str, Any]:
    return options_of(shop.server.domain, **{**shop.options, **more})


def with_rules(*conditions: Any, **changes: Any) -> dict[str, Any]:
    """An artifact whose mbox home has a rule for each condition."""
    (rule,) = artifact()["rules"]["mboxes"]["home"]
    rules = [{**rule, "condition": condition, "activityId": number} for number, condition in enumerate(conditions, 1)]
    return artifact(rules={"mboxes": {"home": rules}, "views": {}}, **changes)


@pytest.mark.parametrize(("level", "won", "reason"), [("gold", 0, "targeting"), ("silver", 2, "targeting")])
def test_it_says_what_get_offers_would_show(shop: Shop, make: Make, level: str, won: int, reason: str) -> None:
    shop.artifact = with_rules({"==": ["gold", {"var": "mbox.level"}]}, False, True)
    client = make(options(shop))
    asked = {"execute": {"mboxes": [{"name": "home", "parameters": {"level": level}}, {"name": "till"}]}}
    home, till = client.explain(request=asked, target_cookie=COOKIE_OF_MBOX).parts
    assert ([rule.position for rule in home.won], home.reason) == ([won], reason)
    assert (till.won, till.reason) == ((), "remote")
    result = client.get_offers(request=asked, target_cookie=COOKIE_OF_MBOX)
    assert (result.content("home"), result.meta.remote_mboxes) == ({"from": "home"}, ["till"])


def test_nothing_is_sent_counted_or_told(shop: Shop, make: Make) -> None:
    names = ("geo_location_updated", "send_notification_failed", "artifact_download_failed")
    handlers, told = events_of(*names)
    client = make({**options(shop), "events": handlers, "telemetry_enabled": True})
    before = client.status()
    for _ in range(3):
        assert client.explain(request=HOME, target_cookie=COOKIE_OF_MBOX).parts[0].won
    assert {**client.status(), "artifact": None} == {**before, "artifact": None}
    assert client.flush(timeout=2000) == 0
    assert (shop.delivered, shop.lookups, told) == ([], [], [])


def test_options_are_those_of_get_offers(shop: Shop, make: Make) -> None:
    shop.artifact = with_rules(SHARE)
    client = make(options(shop))
    given = {"request": HOME, "target_cookie": COOKIE_OF_MBOX}
    assert client.explain(given).parts == client.explain(**given).parts
    assert client.explain(given).visitor == "tntId"
    assert client.explain(given, visitor_cookie=COOKIE).visitor == "marketingCloudVisitorId"
    assert client.explain(request={**HOME, "id": {"thirdPartyId": "a"}}).visitor == "thirdPartyId"
    assert client.explain(request=HOME).visitor == "new"
    with pytest.raises(OptionsError, match="unheard_of"):
        client.explain(request=HOME, unheard_of=1)
    with pytest.raises(OptionsError, match="callback"):
        client.explain(request=HOME, callback=print)
    with pytest.raises(OptionsError):
        client.explain(request={"execute": {}})


def test_a_place_is_looked_up_where_the_rules_ask_for_it(shop: Shop, make: Make) -> None:
    shop.artifact = with_rules({"==": ["BERN", {"var": "geo.city"}]}, geoTargetingEnabled=True)
    client = make(options(shop))
    asked = {**HOME, "context": {"channel": "web", "geo": {"ipAddress": "12.21.1.40"}}}
    (part,) = client.explain(request=asked).parts
    assert (part.reason, part.rules[0].clauses[0].seen) == ("targeting", {"geo.city": "BERN"})
    client.explain(request=asked)
    assert shop.lookups == ["12.21.1.40"]
    assert shop.delivered == []
    (part,) = client.explain(request=HOME).parts
    assert part.reason == "default"


def test_a_place_that_is_not_found_is_not_known(shop: Shop, make: Make) -> None:
    shop.artifact = with_rules({"==": ["BERN", {"var": "geo.city"}]}, geoTargetingEnabled=True)
    shop.geo = lambda _: Answer(status=500)
    asked = {**HOME, "context": {"channel": "web", "geo": {"ipAddress": "12.21.1.40"}}}
    (part,) = make(options(shop)).explain(request=asked).parts
    assert part.rules[0].clauses[0].seen == {"geo.city": None}


@pytest.mark.parametrize(
    ("method", "asked", "decided_by"),
    [
        ("on-device", "home", "on-device"),
        ("on-device", "till", "on-device"),
        ("hybrid", "home", "on-device"),
        ("hybrid", "till", "server-side"),
        ("server-side", "home", "server-side"),
    ],
)
def test_it_says_who_decides(shop: Shop, make: Make, method: str, asked: str, decided_by: str) -> None:
    client = make({**options(shop), "decisioning_method": "hybrid"})
    request = {"execute": {"mboxes": [{"name": asked}]}}
    explanation = client.explain(request=request, decisioning_method=method)
    assert explanation.decided_by == decided_by
    assert explanation.to_dict()["decidedBy"] == decided_by
    assert f"Decided {decided_by} with" in str(explanation)
    assert ("what follows is" in explanation.why) is (decided_by == "server-side")
    assert client.get_offers(request=request, decisioning_method=method).meta.decisioning_method == decided_by


def test_the_next_call_is_not_stitched_to_one_that_was_only_explained(shop: Shop, make: Make) -> None:
    visitor = Visitor(ORGANIZATION, COOKIE)
    before = visitor.state_json()
    make(options(shop)).explain(request=HOME, visitor=visitor)
    assert visitor.state_json() == before


def test_a_client_without_rules_says_what_to_do(shop: Shop, make: Make) -> None:
    client = make(options_of(shop.server.domain))
    with pytest.raises(OptionsError, match="decisioning_method='on-device' or 'hybrid'"):
        client.explain(request=HOME)


@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_a_client_whose_rules_are_not_there_yet_says_what_to_do(shop: Shop, make: Make, method: str) -> None:
    shop.cdn = lambda _: Answer(status=404)
    client = make({**options(shop, maximum_wait_ready=0), "decisioning_method": method})
    with pytest.raises(ArtifactNotReady, match="wait_until_ready"):
        client.explain(request=HOME)
    shop.cdn = lambda _: Answer(shop.artifact, headers={"ETag": ETAG})


def test_a_closed_client_says_so(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options)
    client.close()
    with pytest.raises(ClientClosed):
        client.explain(request=HOME)


def test_a_closed_asynchronous_client_says_so(shop: Shop) -> None:
    async def main() -> None:
        client = await AsyncTargetClient.create(options(shop))
        await client.aclose()
        with pytest.raises(ClientClosed):
            await client.explain(request=HOME)

    asyncio.run(main())
