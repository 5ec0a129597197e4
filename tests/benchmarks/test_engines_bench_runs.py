"""`make bench-engines` runs from end to end and prints every row; what the figures are is not a test's business."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.engines.test_engines import PYTHON, skip_without
from tests.kit.processes import ROOT


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_every_engine_has_a_row() -> None:
    skip_without("spark")
    command = [str(PYTHON), "-m", "benchmarks.engines", "--quick", "--workers", "1"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=270)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4,000 visitors" in done.stdout
    for engine in ("alone", "Spark", "Ray", "Dask"):
        row = rf"^{engine} +1 +[\d,]+ +1\.00x +[\d,]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d,]+$"
        assert len(re.findall(row, done.stdout, re.MULTILINE)) == 1, done.stdout
