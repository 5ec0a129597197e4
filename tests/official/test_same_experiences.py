"""Adobe's SDKs and this one give a visitor the same experience in each activity of the sample shop."""

from __future__ import annotations

from typing import Any

import pytest

from target import TargetClient
from target.emulator import Emulator
from target.emulator.sample import load_sample
from tests.official.sdks import Sdk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

VISITORS = range(144)
PROPERTY = "a2b4c6d8-1357-2468-9abc-def012345678"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64"
CHROME = f"{WINDOWS}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
FIREFOX = f"{WINDOWS}; rv:121.0) Gecko/20100101 Firefox/121.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1"
URLS = ("https://shop.example/", "https://shop.example/sale/bags", "https://stage.shop.example/")
PLACES = ({"countryCode": "CH"}, {"countryCode": "US", "stateCode": "CA"}, {"countryCode": "DE"})
MEMBERSHIPS = ("gold", "Silver", "none")


def request_of(number: int) -> dict[str, Any]:
    """All places of the shop, for one of many visitors who differ in all that its audiences look at."""
    parameters = {
        "greeting": {"membership": MEMBERSHIPS[number % 3], "firstName": "Ada"},
        "promo": {"cartTotal": ("150", "50")[number // 2 % 2]},
    }
    mboxes = sorted(load_sample()[1].artifact.local_mboxes or ())
    return {
        "id": {"tntId": f"visitor-{number}"},
        "context": {
            "channel": "web",
            "userAgent": (CHROME, FIREFOX)[number % 2],
            "address": {"url": URLS[number // 3 % 3]},
            "geo": PLACES[number // 9 % 3],
        },
        "property": {"token": PROPERTY},
        "prefetch": {
            "pageLoad": {},
            "views": [{"parameters": {"category": ("books", "bags")[number % 2]}}],
            "mboxes": [
                {"name": name, "index": index, "parameters": parameters.get(name, {})}
                for index, name in enumerate((name for name in mboxes if name != "target-global-mbox"), 1)
            ],
        },
    }


def contents(response: dict[str, Any]) -> dict[str, list[Any]]:
    """What each place shows; a view that shows nothing is left out of an answer."""
    prefetched = response["prefetch"]
    found = {each["name"]: each for each in [*prefetched.get("mboxes", []), *(prefetched.get("views") or [])]}
    found["page load"] = prefetched.get("pageLoad") or {}
    return {name: [option.get("content") for option in each.get("options") or []] for name, each in found.items()}


def ours(emulator: Emulator, method: str, requests: list[dict[str, Any]]) -> list[dict[str, list[Any]]]:
    with TargetClient.create(
        client="acmeclient",
        organization_id="1234567890@AdobeOrg",
        server_domain=emulator.server_domain,
        cdn_base_path=emulator.url,
        secure=False,
        edge_routing=False,
        decisioning_method=method,
        telemetry_enabled=False,
        timeout=10_000,
    ) as client:
        assert method == "server-side" or client.wait_until_ready(10_000)
        return [contents(client.get_offers(request=request).response.to_dict()) for request in requests]


@pytest.mark.parametrize("method", ["server-side", "on-device"])
def test_every_activity(sdk: Sdk, emulator: Emulator, cdn: Emulator, method: str) -> None:
    requests = [request_of(number) for number in VISITORS]
    sdk.create(emulator, cdn, method)
    wanted = ours(emulator, method, requests)
    theirs = [contents(sdk.offers(request)["response"]) for request in requests]
    later = ours(emulator, method, requests)  # one of the activities is by time of day
    named = {name for each in wanted for name in each}
    assert named >= {*(load_sample()[1].artifact.local_views or ()), "page load", "app", "hours", "landing", "outlet"}
    assert [
        (number, name)
        for number, (each, before, after) in enumerate(zip(theirs, wanted, later, strict=True))
        for name in {*each, *before}
        if each.get(name, []) not in (before.get(name, []), after.get(name, []))
    ] == []
    for name, least in {
        "home": 2,
        "prices": 3,
        "greeting": 3,
        "delivery": 3,
        "app": 2,
        "landing": 3,
        "promo": 3,
    }.items():
        assert len({str(each[name]) for each in wanted}) >= least, name


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("app", {"userAgent": IPHONE}),
        ("landing", {"address": {"url": "https://shop.example/start?campaign=newsletter"}}),
    ],
    ids=["system-of-a-phone", "query-parameter"],
)
def test_what_they_do_not_know_on_the_device(
    sdk: Sdk, emulator: Emulator, cdn: Emulator, name: str, context: dict[str, Any]
) -> None:
    """As docs/emulator.md says: the server decides it for them."""
    asked = {"context": {"channel": "web", **context}, "prefetch": {"mboxes": [{"name": name, "index": 1}]}}
    shown = {}
    for method in ("server-side", "on-device"):
        sdk.create(emulator, cdn, method)
        shown[method] = contents(sdk.offers(asked)["response"])[name]
    assert len(shown["server-side"]) == 1
    assert shown["on-device"] == []
