"""docs/emulator.md tells the truth: its Python runs, its files are files, its tables name what the code has."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from target.emulator import parse_offers, running
from target.emulator.__main__ import _parser
from target.emulator.control import Control
from target.emulator.desk import Desk
from target.emulator.faults import DRIP_MS, KINDS
from target.emulator.geo import SAMPLE, parse_places
from target.emulator.handle import Emulator
from target.emulator.stage import Stage
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/emulator.md"
TEXT = PAGE.read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].partition("\n## ")[0]


def test_the_blocks_run(capsys: pytest.CaptureFixture[str]) -> None:
    with running() as emulator:
        names: dict[str, Any] = {"__name__": "emulator"}
        assert list(run_blocks(PAGE, names, emulator.server_domain)) == [1, 2, 3]
    on_device, over_https = capsys.readouterr().out.splitlines()
    assert on_device.startswith("on-device <h1>Summer sale: ")
    assert over_https.startswith("<h1>Summer sale: ")


def test_the_files_are_files() -> None:
    offers, places = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL))
    assert parse_offers(offers).mboxes.keys() == {"home", "flags"}
    assert parse_places(places).find("203.0.113.9")["city"] == "BERLIN"
    assert all(network in section("The files") for network in SAMPLE["addresses"])


def test_every_flag_is_told() -> None:
    flags = {action.option_strings[-1] for action in _parser()._actions if action.option_strings} - {"--help"}
    assert set(re.findall(r"^\| `(--[\w-]+)", section("Flags"), re.MULTILINE)) == flags


def test_every_endpoint_of_the_control_api_is_told() -> None:
    routes = Control(Desk(Stage()), "", (), 0).routes()
    told = section("The control API")
    for route in routes:
        rows = [line for line in told.splitlines() if line.startswith("| `") and f"{route.path}`" in line]
        methods = set(re.findall(r"`(GET|PUT|POST|DELETE)\b", " ".join(rows)))
        assert methods == (route.methods or set()) - {"HEAD"}, route.path


def test_faults_are_those_of_the_code() -> None:
    told = section("Faults")
    assert all(f'`"{kind}"`' in told for kind in KINDS)
    assert f"every {DRIP_MS} ms" in told


def test_what_a_running_one_has_is_told() -> None:
    told = section("In tests")
    names = {name for name in dir(Emulator) if not name.startswith("_")} - {"host", "port"}
    assert {name for name in names if not re.search(rf"`{name}\b", told)} == set()


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
