"""`make bench-redis` runs from end to end and prints every row; what the figures are is not a test's business."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.kit.processes import ROOT, environment
from tests.kit.redis_server import needs_redis


@needs_redis
@pytest.mark.slow
def test_it_runs() -> None:
    command = [sys.executable, "-m", "benchmarks.redis_load", "--quick"]
    run = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=55, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    for row in ("notifications queued a second", "lost", "waiting", "drained", "time of a call", "memory"):
        assert row in run.stdout
    (lost,) = (line for line in run.stdout.splitlines() if line.startswith("lost"))
    assert lost.split()[1] == "0"
