"""docs/on-device.md tells the truth: its Python runs against a server, its tables name what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from target import config
from target.decisioning.user_agent import _BROWSERS, parse_client_hints
from target.events import EVENT_NAMES
from target.on_device_config import OnDeviceOptions
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.cdn import artifact, encoded
from tests.kit.loopback import LoopbackServer
from tests.kit.processes import ROOT
from tests.kit.shop import Shop
from tests.kit.told import tables_in, told

PAGE = ROOT / "docs/on-device.md"
TEXT = PAGE.read_text()


def rows(title: str) -> dict[str, str]:
    """The first column of the table under this heading, and the second."""
    return dict(re.findall(r"^\| `\"?([\w-]+)\"?` \|([^|]*)\|", TEXT.split(f"## {title}\n")[1].split("\n## ")[0], re.M))


def test_the_blocks_decide_in_process(
    server: LoopbackServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Shop(server)
    path = tmp_path / "rules.json"
    path.write_bytes(encoded(artifact()))
    names = {"read_token": lambda: "token-1", "path_of_rules": path}
    assert list(run_blocks(PAGE, names, server.domain)) == [1, 2, 3]
    assert capsys.readouterr().out.splitlines() == ["True", "on-device {'from': 'home'}", "True", "True"]
    assert [each.headers.get("Authorization") for each in server.received if "rules.json" in each.target] == [
        None,
        "Bearer token-1",
    ]
    assert [each["mbox"]["name"] for each in shop.notified] == ["home"]


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
