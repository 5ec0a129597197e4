"""Eight processes share rules by a real Redis: one call of the CDN in each interval, changes seen at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.kit.calls import eventually
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, LoopbackServer, Received
from tests.kit.processes import ROOT, environment
from tests.kit.redis_server import needs_redis, running
from tests.kit.shop import Shop
from tests.lifecycle.sharing import INTERVAL_MS

LASTS_S = 40.0


def rules(said: str) -> dict[str, object]:
    return artifact("home", rules=artifact("home")["rules"] | {"mboxes": {"home": [_rule(said)]}})


def _rule(said: str) -> dict[str, object]:
    (rule,) = artifact("home")["rules"]["mboxes"]["home"]
    return {**rule, "consequence": {"name": "home", "options": [{"type": "json", "content": {"said": said}}]}}


@needs_redis
@pytest.mark.parametrize(("processes", "children"), [(8, 0), (1, 8)], ids=["started", "forked"])
def test_eight_processes_ask_once(
    processes: int, children: int, server: LoopbackServer, shop: Shop, tmp_path: Path
) -> None:
    current = "first"
    moments: list[float] = []

    def answer(received: Received) -> Answer:
        moments.append(time.monotonic())
        if received.headers.get("If-None-Match") == f'"{current}"':
            return Answer(b"", 304)
        return Answer(rules(current), headers={"ETag": f'"{current}"'})

    shop.cdn = answer
    path = tmp_path / "said"
    with running(tmp_path) as redis, path.open("ab") as said:
        arguments = [server.domain, redis.url, str(children), str(LASTS_S)]
        command = [sys.executable, "-m", "tests.lifecycle.sharing", *arguments]
        started = [
            subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=said, start_new_session=True)
            for _ in range(processes)
        ]
        try:
            assert eventually(lambda: path.read_text().count("first") == 8, LASTS_S)
            time.sleep(2.5 * INTERVAL_MS / 1000)
            current = "second"
            assert eventually(lambda: path.read_text().count("second") == 8, LASTS_S)
            time.sleep(INTERVAL_MS / 1000)
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert len(moments) >= 4
    assert min(gaps) >= 0.98 * INTERVAL_MS / 1000, gaps
    changed = [float(line.split()[0]) for line in path.read_text().splitlines() if "second" in line]
    assert max(changed) - min(changed) < 1.0
    sys.stdout.write(f"{len(moments)} calls of the CDN; seen by all within {max(changed) - min(changed):.3f} s\n")
