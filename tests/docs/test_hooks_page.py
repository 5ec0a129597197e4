"""docs/hooks.md: its block runs, and its tables name what there is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from target.emulator import running
from target.hooks import HOOK_METHODS
from tests.docs.blocks import run_blocks
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/hooks.md"


def test_the_block_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    with running() as emulator:
        assert list(run_blocks(PAGE, names, f"127.0.0.1:{emulator.port}")) == [1]
        names["client"].close()
        (received,) = emulator.received
    ((name, experience),) = names["exposures"].counts
    assert capsys.readouterr().out == f"{names['exposures'].counts}\n"
    assert name == "home"
    assert experience
    assert received.body["execute"]["mboxes"][0]["parameters"] == {"store": "north"}


def test_every_method_is_told_of() -> None:
    assert set(re.findall(r"^\| `(\w+)\(", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == set(HOOK_METHODS)
