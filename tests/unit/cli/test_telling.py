"""`target notify`: what was shown or clicked, of a result or by mbox and token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from target.emulator import Emulator
from tests.unit.cli.conftest import Target


@pytest.fixture
def result(target: Target, emulator: Emulator, tmp_path: Path) -> Path:
    """What `target offers --json` printed of two mboxes that are prefetched."""
    path = tmp_path / "result.json"
    asked = ("home", "feature-flag-a", "--prefetch", "--emulator", emulator.url, "--tnt-id", "anna")
    path.write_text(target("offers", *asked, "--json").out)
    return path


def told(emulator: Emulator) -> list[dict[str, Any]]:
    return [each["notification"] for each in emulator.notifications]


def test_a_result_is_told_of_as_its_visitor(target: Target, emulator: Emulator, result: Path) -> None:
    ended = target("notify", "--result", result, "--displayed", "home", "--emulator", emulator.url)
    assert ended == (0, "Taken: 1\n", "")
    (notification,) = told(emulator)
    assert (notification["type"], notification["mbox"]["name"]) == ("display", "home")
    assert emulator.received[-1].body["id"]["tntId"] == "anna"
    assert [each["known"] for each in emulator.notifications] == [True]


def test_clicks_are_told_with_their_order(target: Target, emulator: Emulator, result: Path) -> None:
    ended = target(
        *("notify", "--result", result, "--clicked", "home", "--emulator", emulator.url, "--json"),
        *("--order-id", "o-1", "--order-total", "19.9"),
    )
    assert ended.code == 0
    (notification,) = told(emulator)
    assert json.loads(ended.out) == {"taken": [notification["id"]]}
    assert notification["type"] == "click"
    assert (notification["order"]["id"], notification["order"]["total"]) == ("o-1", 19.9)


def test_an_mbox_and_a_token_are_enough(target: Target, emulator: Emulator, result: Path) -> None:
    mboxes = json.loads(result.read_text())["response"]["prefetch"]["mboxes"]
    token = mboxes[0]["options"][0]["eventToken"]
    ended = target(
        *("notify", "--emulator", emulator.url, "--mbox", "home", "--token", token),
        *("--third-party-id", "u-1", "--session-id", "s-1"),
    )
    assert ended == (0, "Taken: 1\n", "")
    (notification,) = told(emulator)
    assert notification["tokens"] == [token]
    assert emulator.received[-1].body["id"]["thirdPartyId"] == "u-1"
    assert emulator.received[-1].query["sessionId"] == "s-1"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--result", "result.json"], 2, "Say what was shown or clicked: --displayed MBOX, --clicked MBOX."),
        (["--result", "result.json", "--displayed", "home", "--tnt-id", "eve"], 2, "--result says whose it is"),
        (["--mbox", "home"], 2, "Say what to tell of"),
        (["--mbox", "home", "--token", "t", "--order-total", "5"], 2, "--order-total needs --order-id."),
        (
            ["--mbox", "home", "--token", "t", "--order-id", "o", "--order-total", "nan"],
            2,
            "must be a finite number",
        ),
        (["--result", "nowhere.json", "--displayed", "home"], 1, "nowhere.json: cannot be read"),
        (["--result", "broken.json", "--displayed", "home"], 1, "broken.json: "),
        (["--result", "result.json", "--displayed", "other"], 1, "other"),
    ],
)
def test_what_cannot_be_told_is_one_line(
    target: Target, emulator: Emulator, result: Path, arguments: list[str], code: int, said: str
) -> None:
    Path("broken.json").write_text('{"response": {"prefetch": {"mboxes": 5}}}')
    ended = target("notify", "--emulator", emulator.url, *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert not told(emulator)
