"""`target emulate`: the emulator itself, by its own flags."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.processes import ROOT, environment
from tests.unit.cli.conftest import Target


def test_its_flags_are_those_of_the_emulator(target: Target) -> None:
    ended = target("emulate", "--help")
    assert ended.code == 0
    assert ended.out.startswith("usage: target emulate [-h]")
    assert "Example: target emulate rules.json --port 8080" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bogus"], "target emulate: error: unrecognized arguments: --bogus"),
        (["--port", "x"], "target emulate: error: argument --port: 'x' is no port"),
        (["nowhere.json"], "target emulator: nowhere.json: cannot be read"),
        (["--offers", "nowhere.json"], "target emulator: --offers: nowhere.json"),
    ],
)
def test_what_it_cannot_serve_is_a_mistake(target: Target, arguments: list[str], said: str) -> None:
    ended = target("emulate", *arguments)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.slow
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "target", "emulate", "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found is not None
        asked = [sys.executable, "-m", "target", "offers", "home", "--emulator", found[0]]
        done = subprocess.run(
            asked, cwd=ROOT, env=environment(XDG_CONFIG_HOME=str(tmp_path)), capture_output=True, check=False
        )
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=50)
    assert (done.returncode, process.returncode, err) == (0, 0, "")
    assert b"Summer sale" in done.stdout
