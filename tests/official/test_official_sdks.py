"""Adobe's own SDKs against the emulator, through several visits of one visitor: it is a Target to them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from target.emulator import Emulator
from tests.official.sdks import Sdk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

GERMAN = "203.0.113.7"


def ask(*names: str, **more: Any) -> dict[str, Any]:
    return {"mboxes": [{"name": name, "index": index} for index, name in enumerate(names, 1)], **more}


def mbox(result: dict[str, Any], name: str, mode: str = "execute") -> dict[str, Any]:
    [found] = [each for each in result["response"][mode]["mboxes"] if each["name"] == name]
    assert isinstance(found, dict)
    return found


def content(result: dict[str, Any], name: str, mode: str = "execute") -> Any:
    options = mbox(result, name, mode).get("options") or [{}]
    return options[0].get("content")


def counted(emulator: Emulator, activity: str) -> tuple[int, int, int]:
    [found] = [each for each in emulator.counts() if each.id == activity]
    sums = [(each.visitors, each.impressions, each.conversions) for each in found.experiences]
    visitors, impressions, conversions = (sum(column) for column in zip(*sums, strict=True))
    return visitors, impressions, conversions


@pytest.mark.parametrize("method", ["server-side", "on-device", "hybrid"])
def test_a_visitor_comes_back_and_stays(sdk: Sdk, emulator: Emulator, cdn: Emulator, method: str) -> None:
    cookie, seen, devices = None, set(), set()
    for visit in range(1, 4):  # each in a process of its own, as on another day
        sdk.create(emulator, cdn, method)
        result = sdk.offers({"execute": ask("home")}, cookie)
        assert result["targetLocationHintCookie"] is None
        cookie = result["targetCookie"]
        seen.add(content(result, "home"))
        devices.add(result["response"]["id"]["tntId"])
        if method != "server-side":
            emulator.wait_for_notifications(visit, timeout_ms=20_000)
    assert (len(seen), len(devices)) == (1, 1)
    executed = [each for each in emulator.received if (each.body or {}).get("execute")]
    assert len(executed) == (3 if method == "server-side" else 0)
    assert counted(emulator, "310001") == (1, 3, 0)


def test_prefetch_display_and_click(sdk: Sdk, emulator: Emulator, cdn: Emulator) -> None:
    sdk.create(emulator, cdn)
    result = sdk.offers({"prefetch": ask("home")})
    assert counted(emulator, "310001") == (0, 0, 0)
    shown = mbox(result, "home", "prefetch")
    tokens = {"display": shown["options"][0]["eventToken"], "click": shown["metrics"][0]["eventToken"]}
    for kind, token in tokens.items():
        told = {"id": f"id-{kind}", "timestamp": 1_700_000_000_000, "type": kind, "tokens": [token]}
        notification = {**told, "impressionId": f"impression-{kind}", "mbox": {"name": "home"}}
        for _ in range(2):  # as after an answer that got lost
            answer = sdk.notify({"notifications": [notification]}, result["targetCookie"])
        assert [each["id"] for each in answer["response"]["notifications"]] == [f"id-{kind}"]
    known = [(each["notification"]["type"], each["known"], each["repeat"]) for each in emulator.notifications]
    assert known == [(kind, True, repeat) for kind in tokens for repeat in (False, True)]
    assert counted(emulator, "310001") == (1, 1, 1)


def test_analytics_for_target(sdk: Sdk, emulator: Emulator, cdn: Emulator) -> None:
    sdk.create(emulator, cdn)
    logged = {"experienceCloud": {"analytics": {"logging": "client_side"}}}
    found = mbox(sdk.offers({"execute": ask("home"), **logged}), "home")
    experience = found["options"][0]["responseTokens"]["experience.id"]
    assert found["analytics"]["payload"] == {"pe": "tnt", "tnta": f"310001:{experience}:0|2"}
    body = emulator.received[-1].body
    assert body["experienceCloud"]["analytics"]["logging"] == "client_side"
    stitched = body["experienceCloud"]["analytics"].get("supplementalDataId")
    # Python's takes it from a visitor of its caller's alone, and brings no class of them.
    assert stitched is None if sdk.name == "python" else re.fullmatch(r"[0-9A-F]{16}-[0-9A-F]{16}", stitched)


def test_qa_mode_shows_what_its_link_names_and_counts_nothing(sdk: Sdk, emulator: Emulator, cdn: Emulator) -> None:
    sdk.create(emulator, cdn)
    for experience, said in ((1, "20 % off"), (2, "free shipping")):
        link = {"previewIndexes": [{"activityIndex": 1, "experienceIndex": experience}], "listedActivitiesOnly": True}
        result = sdk.offers({"execute": ask("home", "prices"), "qaMode": {"token": "t", **link}})
        assert said in content(result, "home")
        assert content(result, "prices") is None
    assert counted(emulator, "310001") == counted(emulator, "310003") == (0, 0, 0)


@pytest.mark.parametrize("method", ["server-side", "on-device"])
def test_the_place_of_an_address(sdk: Sdk, emulator: Emulator, cdn: Emulator, method: str) -> None:
    sdk.create(emulator, cdn, method)
    place = {"context": {"channel": "web", "geo": {"ipAddress": GERMAN}}}
    result = sdk.offers({"execute": ask("delivery"), **place})
    found = mbox(result, "delivery")["options"][0]
    assert found["content"] == "<p>With you within a week.</p>"
    assert found["responseTokens"]["geo.country"].upper() == "DE"
    assert [each.path for each in cdn.fetched if each.of == "geo"] == (["/v1/geo"] if method == "on-device" else [])


def test_on_device_decides_here_and_tells_what_was_shown(sdk: Sdk, emulator: Emulator, cdn: Emulator) -> None:
    sdk.create(emulator, cdn, "on-device")
    assert [each.status for each in cdn.fetched if each.of == "rules"] == [200]
    before = len(emulator.received)
    result = sdk.offers({"execute": ask("home")})
    assert "Summer sale" in content(result, "home")
    [told] = emulator.wait_for_notifications(1, timeout_ms=20_000)
    assert (told["notification"]["type"], told["known"]) == ("display", True)
    assert counted(emulator, "310001") == (1, 1, 0)
    sent = emulator.received[before:]
    assert all("execute" not in each.body for each in sent)


def test_hybrid_asks_the_server_for_what_the_rules_leave_to_it(sdk: Sdk, emulator: Emulator, cdn: Emulator) -> None:
    sdk.create(emulator, cdn, "hybrid")
    before = len(emulator.received)
    here = sdk.offers({"prefetch": ask("home")})
    assert "Summer sale" in content(here, "home", "prefetch")
    asked = [each for each in emulator.received[before:] if (each.body or {}).get("prefetch")]
    assert asked == []
    there = sdk.offers({"execute": ask("home", "recommendations")})
    assert content(there, "recommendations")["title"] == "Others bought"
    asked = [each for each in emulator.received[before:] if (each.body or {}).get("execute")]
    assert len(asked) == 1
