"""`python benchmarks/artifact_swap.py` runs from end to end and sees rules swapped; figures are no test's business."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.kit.processes import ROOT


@pytest.mark.slow
def test_every_row_is_printed() -> None:
    command = [sys.executable, "benchmarks/artifact_swap.py", "--quick"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    delay, memory = (line for line in done.stdout.splitlines() if line.startswith("0.1 MB, "))
    assert re.search(r"<= 50 +(ok|miss) .*; [1-9][0-9]* swaps", delay), delay
    assert re.search(r"<= 150 +(ok|miss)", memory), memory
