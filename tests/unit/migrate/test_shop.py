"""A shop for Adobe's SDK, migrated by the command, runs against the emulator with nobody's help."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from target.emulator import load_offers, running
from target.migrate.__main__ import main
from tests.kit.processes import ROOT, environment
from tests.unit.migrate.shop import FILES

VISIT = """\
import json, time, views, personalization
while not personalization.seen:  # a timer's thread brings it
    time.sleep(0.01)
content, cookie = views.home({})
again, _ = views.home({"mbox": cookie[0]})
print(json.dumps([content == again, content, cookie[1], views.product({}), views.payment(), personalization.seen]))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.waits
def test_the_shop_runs_when_it_is_migrated(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--write", str(shop)]) == 0
    assert "3 files changed, 0 comments for you to decide, 0 files left unread" in capsys.readouterr().err
    with running(offers=load_offers(ROOT / "examples/offers.json")) as emulator:
        settings = shop / "settings.py"
        settings.write_text(settings.read_text().replace("localhost:0", emulator.server_domain))
        printed = subprocess.run(
            [sys.executable, "-c", VISIT],
            cwd=shop,
            env=environment(),
            check=True,
            stdout=subprocess.PIPE,
            timeout=30,
        ).stdout
        request = emulator.received[0].body
        assert [item["notification"]["id"] for item in emulator.notifications] == ["shown-1"]
    same, content, max_age, taken, flag, seen = json.loads(printed)
    assert same
    assert content == "<h1>Summer sale: 20 % off everything</h1>"
    assert max_age == 63244800
    assert taken == ["shown-1"]
    assert flag == "express"
    assert seen == ["client_ready"]
    assert request["property"] == {"token": "a-token"}
    assert request["id"]["thirdPartyId"] == "customer-7"


def test_a_second_run_changes_nothing(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--write", str(shop)]) == 0
    once = {name: (shop / name).read_bytes() for name in FILES}
    capsys.readouterr()
    assert main(["--write", str(shop)]) == 0
    assert {name: (shop / name).read_bytes() for name in FILES} == once
    assert capsys.readouterr().out == ""


def test_only_lines_that_say_something_else_are_touched(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(shop)]) == 0
    diff = capsys.readouterr().out.splitlines()
    assert all((shop / name).read_text(encoding="utf-8") == text for name, text in FILES.items()), (
        "it showed, and wrote"
    )
    removed = [line for line in diff if line.startswith("-") and not line.startswith("---")]
    added = [line for line in diff if line.startswith("+") and not line.startswith("+++")]
    assert len(removed) == len(added) == 26
    assert '+    "organization_id": "1234567890@AdobeOrg",   # of the test account' in added
    assert "+    Property,  # a property of the account" in added
    assert '+    "loggers": {\'target\': {"level": "INFO"}},' in added


@pytest.mark.skipif(shutil.which("patch") is None, reason="there is no patch")
def test_what_is_shown_is_a_patch(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    assert main(["."]) == 0
    subprocess.run(["patch", "-p1", "--quiet"], input=capsys.readouterr().out, text=True, check=True, timeout=30)
    assert main(["."]) == 0
    assert capsys.readouterr().out == ""
