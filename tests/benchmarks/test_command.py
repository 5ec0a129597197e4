"""What every benchmark's command takes, and the JSON that it writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.command import Command
from benchmarks.report import Row

ROWS = [
    Row("kept", 1.05, spread=(1.0, 1.1), at_most=1.10, absolute="ours 105 us, bare 100 us"),
    Row("missed", 0.7, at_least=0.9),
    Row("told", 12.3, "us"),
]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    command = Command("some", "What it measures.")
    command.parse()
    return command.tell(ROWS, {"Peer": "1.2.3"}, "measured beside Peer 1.2.3")


def test_a_table_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch) == 0
    _, also, _, *lines = capsys.readouterr().out.splitlines()
    assert also == "measured beside Peer 1.2.3"
    assert [re.split(" {2,}", line)[0] for line in lines] == ["kept", "missed", "told"]


def test_a_missed_target_fails_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--strict") == 1


def test_json_is_written_besides_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "new" / "some.json"
    run(monkeypatch, "--json", str(path))
    assert "kept" in capsys.readouterr().out
    told = json.loads(path.read_text())
    assert (told["benchmark"], told["quick"], told["versions"]["Peer"]) == ("some", False, "1.2.3")
    assert {"python", "system", "processor", "cores"} <= set(told["machine"])
    assert set(told["load"]) == {"before", "after"}
    assert told["rows"][0] == {
        "name": "kept",
        "value": 1.05,
        "unit": "x",
        "middle_half": [1.0, 1.1],
        "at_most": 1.10,
        "at_least": None,
        "ok": True,
        "detail": "ours 105 us, bare 100 us",
    }
    assert [row["ok"] for row in told["rows"]] == [True, False, None]


def test_json_without_a_file_is_printed_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--quick", "--json")
    assert json.loads(capsys.readouterr().out)["quick"] is True
