"""Nothing that was queued is lost, though the service fails at random and the process is killed again and again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kit.flaky import Flaky
from tests.kit.loopback import serving
from tests.kit.processes import ROOT, environment

HANG_S = 0.3


def start(domain: str, folder: Path, total: int, pace_s: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.slow.queueing", domain, str(folder), str(total), str(pace_s)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("total", "kills", "life_s", "pace_s"),
    [
        pytest.param(400, 2, 0.5, 0.01, id="small"),
        pytest.param(20_000, 20, 1.2, 0.006, id="large", marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
    ],
)
def test_every_id_arrives(total: int, kills: int, life_s: float, pace_s: float, tmp_path: Path) -> None:
    flaky = Flaky(11, HANG_S, refusal=0.08, reset=0.06, hang=0.02, half=0.06, omission=0.01)
    chance = random.Random(3)
    journal = tmp_path / "queued"
    queued_at_kills: list[int] = []
    with serving(flaky) as server:
        for _ in range(kills):
            process = start(server.domain, tmp_path, total, pace_s)
            lines = journal.read_bytes().count(b"\n") if journal.exists() else 0
            give_up_at = time.monotonic() + 20
            while time.monotonic() < give_up_at and process.poll() is None:  # until it is at work
                if journal.exists() and journal.read_bytes().count(b"\n") > lines:
                    break
                time.sleep(0.01)
            time.sleep(life_s * chance.random())
            assert process.poll() is None, process.communicate()[0]  # it was at work when it was killed
            process.send_signal(signal.SIGKILL)
            assert process.wait(10) == -signal.SIGKILL
            process.communicate()
            queued_at_kills.append(journal.read_bytes().count(b"\n"))
        said, _ = start(server.domain, tmp_path, total, pace_s).communicate(timeout=240)
    wanted = {f"n-{number}" for number in range(total)}
    lost = wanted - set(flaky.taken)
    sys.stdout.write(
        f"{total} notifications, {kills} kills at {queued_at_kills} queued; requests {dict(flaky.faults)}; "
        f"taken {len(flaky.taken)}, taken again {flaky.taken.total() - len(flaky.taken)}, lost {len(lost)}\n"
    )
    assert said.splitlines()[-1] == "dead 0 pending 0"
    assert lost == set()
    assert set(flaky.taken) == wanted
    assert all(impressions == {name} for name, impressions in flaky.impressions.items())
    assert set(journal.read_text().split()) == wanted
