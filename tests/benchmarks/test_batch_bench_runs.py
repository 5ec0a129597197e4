"""`make bench-batch` runs from end to end and prints every row; what the figures are is not a test's business."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.kit.processes import ROOT

NAMES = [
    "2,000 visitors, 1 mbox: processor time",
    "2,000 visitors, 10 mboxes: processor time",
    "all parameters differ, 1 mbox",
    "4,000 visitors, 1 mbox: memory",
    "800 visitors, 10 mboxes: memory",
]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_row_is_printed() -> None:
    command = [sys.executable, "-m", "benchmarks.batch", "--quick"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for name in NAMES:
        (line,) = [line for line in lines if re.match(re.escape(name) + " +[0-9]", line)]
        assert re.search(r"[<>]= [0-9.]+ *(ok|miss)", line), line
