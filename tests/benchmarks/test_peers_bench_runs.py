"""`make bench-peers` runs from end to end and prints every row; what the figures are is not a test's business."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.history import target_of
from tests.benchmarks.page import of_page
from tests.kit.processes import ROOT

WAYS = [peers.OFFERS, peers.QUIET, peers.ATTRIBUTES, *peers.PEERS]
WITH_TARGET = ["get_offers", "get_offers over LaunchDarkly", "get_attributes over LaunchDarkly"]
RATIOS = [f"{name} over LaunchDarkly" for name in peers.OVER_LAUNCHDARKLY_AT_MOST]


@pytest.mark.slow
@pytest.mark.skipif(not (peers.VENV / ".ready").exists(), reason="make bench-peers makes build/peers")
def test_every_row_is_printed() -> None:
    command = [sys.executable, "-m", "benchmarks.peers", "--quick"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert all(requirement.replace("==", " ") in lines[1] for requirement in peers.REQUIREMENTS)
    for name in [f"{name}{how}" for name in WAYS + RATIOS for how in ("", ", paced")]:
        (line,) = [line for line in lines if re.match(re.escape(name) + " +[0-9]", line)]
        assert re.search(r"^ +[0-9]+\.[0-9]{2} (us|x) ", line.removeprefix(name)), line
        assert (re.search(r"<= [0-9.]+ +(ok|miss)", line) is not None) is (name in WITH_TARGET)


@pytest.mark.slow
def test_ours_are_measured_beside_what_is_installed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PEERS", {peers.LAUNCHDARKLY: "openfeature"})
    monkeypatch.setattr(peers, "REQUIREMENTS", ("openfeature-sdk==any",))
    rows, versions = peers.measure(Path(sys.executable), peers.QUICK)
    assert list(versions) == ["openfeature-sdk"]
    assert [row.name for row in rows[:6]] == [*WAYS[:4], *RATIOS]
    assert all(row.value > 0 for row in rows)


def test_the_page_has_these_rows_and_targets() -> None:
    taken = {name: [1e-5, 2e-5] for name in WAYS}
    rows = [row.as_json() for how in ("", ", paced") for row in peers._rows(taken, how)]
    assert of_page("Beside flag libraries").items() <= {row["name"]: target_of(row) for row in rows}.items()


def test_who_wants_to_connect_is_told(tmp_path: Path) -> None:
    (tmp_path / "calling.py").write_text(
        "import socket, sys\n"
        "from benchmarks import peers_calls\n"
        "def calling():\n"
        "    def decide(visitor, member):\n"
        "        try:\n"
        "            socket.create_connection(('127.0.0.1', 9))\n"
        "        except ConnectionRefusedError:\n"
        "            return member == 'gold' and int(visitor[2:]) % 2 == 0\n"
        "    return decide\n"
        "peers_calls.calling = calling\n"
        "peers_calls.main()\n"
    )
    with (
        pytest.raises(RuntimeError, match=r"calling wanted to connect to .*127\.0\.0\.1"),
        peers.deciding(Path(sys.executable), "calling", script=tmp_path / "calling.py"),
    ):
        pass
