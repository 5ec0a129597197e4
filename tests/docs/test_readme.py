"""README.md tells the truth: its Python runs against the emulator, with the offers of the repository and without."""

from __future__ import annotations

import re
from typing import Any

import pytest

from target.emulator import load_offers, running
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.processes import ROOT

PAGE = ROOT / "README.md"
README = PAGE.read_text()


@pytest.fixture(scope="module")
def page() -> Any:
    """The names that README's blocks define, run one after another as a reader would."""
    with running(offers=load_offers(ROOT / "examples/offers.json").in_cluster("38")) as emulator:
        names: dict[str, Any] = {"__name__": "readme"}
        for number in run_blocks(PAGE, names, emulator.server_domain):
            if number == 1:
                assert "Max-Age=63244800" in names["result"].target_cookie.set_cookie_header()
            names["blocks"] = number
        names["emulator"] = emulator
        yield names
        names["client"].close()
        names["app"].extensions["target"].client.close()


def test_blocks_run_and_do_what_the_text_says(page: dict[str, Any]) -> None:
    assert page["blocks"] == 7
    told = page["emulator"].notifications
    assert [taken.id for taken in page["answer"].response.notifications] == [told[0]["notification"]["id"]]
    assert [(item["notification"]["type"], item["known"]) for item in told[:2]] == [("display", True), ("click", True)]
    assert told[1]["notification"]["order"] == {"id": "o-1", "total": 19.9}
    assert page["flags"].get_value("feature-flag-a", "paymentExperience") == "express"
    assert page["content"] == "<h1>Summer sale: 20 % off everything</h1>"


def test_the_flask_view_sets_both_cookies(page: dict[str, Any]) -> None:
    visitor = page["app"].test_client()
    first = visitor.get("/", base_url="https://shop.example")
    assert first.status_code == 200
    assert "Summer sale" in first.text
    cookies = first.headers.getlist("Set-Cookie")
    assert [cookie.split("=")[0] for cookie in cookies] == ["mbox", "mboxEdgeCluster"]
    sent = len(page["emulator"].received)
    visitor.get("/", base_url="https://shop.example")
    before, after = page["emulator"].received[sent - 1], page["emulator"].received[sent]
    assert after.query["sessionId"] == before.query["sessionId"], "the cookie must carry the session over"


def test_who_has_only_the_package_can_follow() -> None:
    """The emulator is started without a file of offers, and all of the page does what it says."""
    with running() as emulator:
        emulator.force("A: express")  # of two that visitors are in by chance
        names: dict[str, Any] = {"__name__": "readme"}
        assert len(list(run_blocks(PAGE, names, emulator.server_domain))) == 7
        assert names["flags"].get_bool("feature-flag-a", "showFeatureX", False)
        assert [item["notification"]["type"] for item in emulator.notifications] == ["display", "click"]
        names["client"].close()
        names["app"].extensions["target"].client.close()


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 200


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)) <= targets


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
