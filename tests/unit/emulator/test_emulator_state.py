"""What an emulator remembers lasts over a restart; a file that holds no state is told, and left as it is."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from target.emulator import running
from target.emulator.journal import Journal
from target.emulator.state import StateError, StateFile
from tests.kit.calls import eventually
from tests.unit.emulator.test_emulator_control import HOME, RULES, WEB

ASK = WEB | HOME | {"id": {"tntId": "visitor-1"}}


def test_visitors_counts_and_forced_experiences_last(tmp_path: Path, post: Any) -> None:
    file = tmp_path / "state.json"
    with running(rules=RULES, state=file) as emulator:
        assert post(emulator, ASK).status == 200
        emulator.force("E1", visitor="visitor-1")
        before = (emulator.counts(), emulator.forced)
    with running(rules=RULES, state=file) as emulator:
        assert (emulator.counts(), emulator.forced) == before
        assert sum(one.visitors for one in emulator.counts()[0].experiences) == 1
        post(emulator, ASK)
        emulator.reset()
    assert json.loads(file.read_text(encoding="utf-8")) != {}
    with running(rules=RULES, state=file) as emulator:
        assert emulator.forced == []


def test_changes_are_written_while_it_runs(tmp_path: Path, post: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("target.emulator.state._GATHERED_S", 0.01)
    file = tmp_path / "state.json"
    with running(rules=RULES, state=file) as emulator:
        post(emulator, ASK)
        assert eventually(lambda: file.exists() and "visitor-1" in file.read_text(encoding="utf-8"))
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"{", "line 1, column 2: not JSON"),
        (b"\xff", "is not text in UTF-8"),
        (b"[]", "is no state of an emulator"),
        (b'{"version": 99}', "is no state of an emulator"),
        (b"", "line 1, column 1: not JSON"),
    ],
)
def test_a_file_that_holds_no_state_is_told_and_left_as_it_is(raw: bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(raw)
    with pytest.raises(StateError) as refused, running(state=file):
        raise AssertionError
    assert str(refused.value).startswith(f"{file}: {problem}")
    assert str(refused.value).endswith("the file is left as it is: move it away, or name another with --state")
    assert file.read_bytes() == raw


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="its folder is not there"), running(state=tmp_path / "none" / "state.json"):
        raise AssertionError


class Forgetful:
    """A stage that remembers a number."""

    number = 0

    def to_dict(self) -> dict[str, Any]:
        self.number += 1
        return {"number": self.number}

    def restore(self, data: Any, /) -> None:
        self.number = data["number"]


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    file = StateFile(folder / "state.json", Forgetful(), Journal())
    file.read()
    folder.rmdir()
    with caplog.at_level(logging.WARNING, "target.emulator"):
        file.write()
        file.write()
    assert [message.partition(" (")[0] for message in caplog.messages] == [
        f"{folder / 'state.json'}: cannot be written"
    ]
    folder.mkdir()
    file.write()
    assert json.loads((folder / "state.json").read_text(encoding="utf-8")) == {"number": 3}


def test_a_link_stays_one(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("links need a privilege there")
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    StateFile(link, Forgetful(), Journal()).write()
    assert link.is_symlink()
    assert json.loads(real.read_text(encoding="utf-8")) == {"number": 1}


@pytest.mark.waits
def test_the_command_refuses_a_broken_state_file(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text("{", encoding="utf-8")
    command = [sys.executable, "-m", "target.emulator", "--port", "0", "--state", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"target emulator: --state: {file}: line 1, column 2: not JSON")
