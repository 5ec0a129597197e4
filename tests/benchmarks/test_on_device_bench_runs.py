"""`make bench-on-device` runs from end to end and prints every row; what the figures are is not a test's business."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.page import of_page, targets_of
from tests.kit.processes import ROOT

SYNTHETIC = [
    *(f"{count} activities, one mbox each" for count in ("10", "100", "1,000")),
    *(f"{count} activities, same mbox" for count in ("10", "100")),
]
WITH_TARGET = [
    "1,000 activities, same mbox",
    "1,000 activities, same mbox, shares only",
    "p99.9, 1,000 a second, telemetry, swaps",
    "one mbox each, 1,000 activities over 10",
    "memory per new visitor, Python objects",
    "memory per new visitor, resident size",
    *(
        f"1,000 execute a second, 30 ms away, {client}: {what}"
        for client in ("threads", "asyncio")
        for what in ("lost", "memory")
    ),
]
OTHERS = [
    "p99.9, 1,000 a second, telemetry, swaps, since due",
    "execute, sending meanwhile, over prefetch",
    "exclude_bots, a person's call over one without it",
    "exclude_bots, a user agent not seen before",
]


@pytest.mark.slow
def test_every_row_is_printed_and_those_of_the_page_are_among_them(tmp_path: Path) -> None:
    written = tmp_path / "on_device.json"
    command = [sys.executable, "-m", "benchmarks.on_device", "--quick", "--json", str(written)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for name in [*SYNTHETIC, *WITH_TARGET, *OTHERS]:
        (line,) = [line for line in lines if re.match(re.escape(name) + " +-?[0-9]+[.]", line)]
        assert re.match(r" +-?[0-9]+\.[0-9]{2} (us|x|B|calls)( |$)", line.removeprefix(name)), line
        assert (re.search(r"<= [0-9.]+ +(ok|miss)", line) is not None) is (name in WITH_TARGET)
    assert of_page("Decisions in process").items() <= targets_of(written).items()
