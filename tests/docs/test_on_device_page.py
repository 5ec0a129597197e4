"""docs/on-device.md tells the truth: its Python runs against the sample shop, its tables name what the code has."""

from __future__ import annotations

import re

import pytest

from target import config
from target.decisioning.user_agent import _BROWSERS, parse_client_hints
from target.emulator import running
from target.events import EVENT_NAMES
from target.on_device_config import OnDeviceOptions
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.processes import ROOT
from tests.kit.told import tables_in, told

PAGE = ROOT / "docs/on-device.md"
TEXT = PAGE.read_text()


def rows(title: str) -> dict[str, str]:
    """The first column of the table under this heading, and the second."""
    return dict(re.findall(r"^\| `\"?([\w-]+)\"?` \|([^|]*)\|", TEXT.split(f"## {title}\n")[1].split("\n## ")[0], re.M))


def test_the_blocks_run_as_written_against_the_sample_shop(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RULES_TOKEN", raising=False)
    with running() as emulator:
        assert list(run_blocks(PAGE, {}, emulator.server_domain)) == [1, 2, 3]
        decided, *others = capsys.readouterr().out.splitlines()[1:]
        assert re.fullmatch(r"on-device <h1>Summer sale: .+</h1>", decided)
        assert others == ["True", "True"]
        rules = [each for each in emulator.fetched if each.of == "rules"]
        assert [each.status for each in rules] == [200, 200]
        (told,) = emulator.wait_for_notifications(1)
        assert (told["notification"]["mbox"]["name"], told["known"]) == ("home", True)


def test_options_and_their_defaults_are_those_of_the_code() -> None:
    (table,) = tables_in(TEXT, "Options")
    names = {*OnDeviceOptions._fields, "property_token", "telemetry_enabled"}
    assert table == {name: told(config._CLIENT_OPTIONS[name][1]).replace("none", "") for name in names}


def test_events_are_those_of_the_code() -> None:
    assert set(rows("Events")) == {name for name in EVENT_NAMES if not name.startswith("notification_")}


def test_every_method_is_in_the_table() -> None:
    named = set(rows("What is decided where")) - {"decisioning_method"}
    assert named == {config.ON_DEVICE, config.HYBRID, config.SERVER_SIDE}


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)


def test_the_tables_of_browsers_and_systems_are_those_of_the_code() -> None:
    section = TEXT.split("## How audiences are meant\n")[1].split("\n## ")[0]
    browsers, systems = section.split("| `user.platform` |")
    assert set(re.findall(r"^\| `(\w+)` \|", browsers, re.M)) - {"user"} == set(_BROWSERS.values())
    listed = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`\w+`(?:, `\w+`)?) \|", systems, re.M))))
    assert listed == {"windows", "mac", "linux", "android", "ios"}
    assert {parse_client_hints({"platform": name}).platform for name in listed} == listed
