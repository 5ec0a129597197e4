"""README.md tells the truth: its Python runs against the emulator, its tables name what the code has."""

from __future__ import annotations

import re
from typing import Any

import pytest

from target import config
from target.emulator import load_offers, running
from target.on_device_config import OnDeviceOptions
from target.options import CallOptions, NotifyOptions
from target.reading import BYTES_PER_VALUE, LEAST_MOST_VALUES
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.processes import ROOT
from tests.kit.told import tables_in, told

PAGE = ROOT / "README.md"
README = PAGE.read_text()


@pytest.fixture(scope="module")
def page() -> Any:
    """The names that README's blocks define, run one after another as a reader would."""
    with running(offers=load_offers(ROOT / "examples/offers.json")) as emulator:
        names: dict[str, Any] = {"__name__": "readme"}
        for number in run_blocks(PAGE, names, emulator.server_domain):
            if number == 1:
                assert "Max-Age=63244800" in names["result"].target_cookie.set_cookie_header()
            names["blocks"] = number
        names["emulator"] = emulator
        yield names
        names["client"].close()


def test_blocks_run_and_do_what_the_text_says(page: dict[str, Any]) -> None:
    assert page["blocks"] == 10
    told = page["emulator"].notifications
    assert [taken.id for taken in page["answer"].response.notifications] == [told[0]["notification"]["id"]]
    assert [(item["notification"]["type"], item["known"]) for item in told[:2]] == [("display", True), ("click", True)]
    assert told[1]["notification"]["order"] == {"id": "o-1", "total": 19.9}
    assert len(page["ids"]) == 1
    assert page["flags"].get_value("feature-flag-a", "showFeatureX") is False
    assert page["handle"].successful()


def test_flask_view_sets_both_cookies(page: dict[str, Any]) -> None:
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


def test_django_view_sets_both_cookies(page: dict[str, Any]) -> None:
    import django
    from django.conf import settings
    from django.test import RequestFactory

    if not settings.configured:
        settings.configure(DEFAULT_CHARSET="utf-8")
        django.setup()
    first = page["home"](RequestFactory().get("/"))
    assert b"Summer sale" in first.content
    assert first.cookies["mbox"]["max-age"] == 63244800
    assert set(first.cookies) == {"mbox", "mboxEdgeCluster"}
    again = RequestFactory().get("/")
    again.COOKIES = {name: morsel.value for name, morsel in first.cookies.items()}
    sent = len(page["emulator"].received)
    page["home"](again)
    before, after = page["emulator"].received[sent - 1], page["emulator"].received[sent]
    assert after.query["sessionId"] == before.query["sessionId"], "the cookie must carry the session over"


def _section(title: str) -> str:
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


#: What has no default but what others or the answer make of it.
COMPUTED = {"server_domain": "<client>.tt.omtrdc.net", "max_response_values": "a million, or one for every 6 bytes"}


def test_options_and_their_defaults_are_those_of_the_code() -> None:
    of_create, of_a_call, of_telling = tables_in(
        README.replace("64 MiB", str(64 * 1024 * 1024)).replace(" (off)", ""), "Options"
    )
    assert f"{BYTES_PER_VALUE} bytes" in COMPUTED["max_response_values"]
    assert LEAST_MOST_VALUES == 1_000_000
    rows = {**config._CLIENT_OPTIONS, **config._ASYNC_OPTIONS}
    names = rows.keys() - OnDeviceOptions._fields  # which docs/on-device.md tells
    assert of_create == {name: COMPUTED.get(name) or told(rows[name][1]) for name in names}
    assert set(of_a_call) == set(config._REQUEST_OPTIONS)
    assert set(of_telling) == NotifyOptions.__annotations__.keys() - CallOptions.__annotations__.keys()
    assert set(config._REQUEST_DEFAULTS.values()) == {None}, "the table has no column for defaults"


def test_errors_table_names_every_error() -> None:
    from target import errors

    tree = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert tree <= set(re.findall(r"`(\w+)`", _section("Errors")))


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)) <= targets


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
