"""`examples/demo.py` shows the round trip, fails when it did not happen, and always stops the emulator."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kit.processes import ROOT, environment

ENVIRONMENT = environment()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "examples"


def run(examples: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(examples / "demo.py")]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=50, check=False)


def is_stopped(output: str) -> bool:
    found = re.search(r"emulator at http://127\.0\.0\.1:(\d+)", output)
    assert found is not None, output
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", int(found[1]))) != 0


def change(file: Path, **fields: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | fields), encoding="utf-8")


@pytest.mark.waits
def test_the_demo_shows_offers_cookies_and_the_acknowledged_notification(copied: Path) -> None:
    ended = run(copied)
    assert (ended.returncode, ended.stderr) == (0, "")
    acknowledged = re.search(r"^acknowledged notification: (\S+)$", ended.stdout, re.MULTILINE)
    assert acknowledged is not None
    assert f'"id": "{acknowledged[1]}"' in ended.stdout
    for shown in ("home: html '<h1>Summer sale", "product1: json {", "  mbox=session#"):
        assert shown in ended.stdout
    assert is_stopped(ended.stdout)


@pytest.mark.slow
def test_the_demo_fails_without_an_offer_to_show(copied: Path) -> None:
    change(copied / "offers.json", mboxes={})
    ended = run(copied)
    assert ended.returncode == 1
    assert "There is no offer for the mbox 'home'" in ended.stderr
    assert "demo failed: prefetch_and_notify.py ended with exit code 1" in ended.stderr
    assert is_stopped(ended.stdout)


@pytest.mark.slow
def test_the_demo_fails_when_the_notification_is_not_received(copied: Path) -> None:
    script = copied / "prefetch_and_notify.py"
    script.write_text("print('all is well')\n", encoding="utf-8")
    ended = run(copied)
    assert ended.returncode == 1
    assert "demo failed: the emulator received 0 notifications, not 1" in ended.stderr
    assert is_stopped(ended.stdout)


@pytest.mark.slow
def test_the_demo_fails_when_the_emulator_does_not_start(copied: Path) -> None:
    change(copied / "offers.json", mboxs={})
    ended = run(copied)
    assert ended.returncode == 1
    assert "did you mean 'mboxes'?" in ended.stderr
    assert "demo failed: the emulator did not start" in ended.stderr
