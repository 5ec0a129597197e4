"""`make bench` runs from end to end and prints every row; what the figures are is not a test's business."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fresh import run
from tests.benchmarks.page import of_page, targets_of
from tests.kit.processes import ROOT

ROWS = [
    "time per call over bare, HTTP",
    "new connections per 1,000 calls, HTTP",
    "time per call over bare, TLS",
    "new connections per 1,000 calls, TLS",
    "throughput over bare, 16 threads, 20 ms, HTTP",
    "throughput over bare, 16 threads, 20 ms, TLS",
    "get_attributes over bare, HTTP",
    "throughput over bare, 16 threads, 0 ms, HTTP",
    "import target + create over import urllib3",
    "first call over bare first call, HTTP",
    "memory per call, Python objects",
    "memory per call, resident size",
]
WITH_TARGET = ROWS[:11]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written") / "server_side.json"


@pytest.fixture(scope="module")
def printed(written: Path) -> str:
    command = [sys.executable, "benchmarks/server_side.py", "--quick", "--json", str(written)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    return done.stdout


def line_of(row: str, printed: str) -> str:
    lines = [line for line in printed.splitlines() if line.startswith(row + " ")]
    assert len(lines) == 1, printed
    return lines[0].removeprefix(row)


@pytest.mark.slow
def test_the_page_has_these_rows_and_targets(printed: str, written: Path) -> None:
    told = of_page("Calls to the server")
    told.pop("1,000 calls at once over bare aiohttp, 50 ms")
    assert told.items() <= targets_of(written).items(), printed


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_printed_with_a_number(row: str, printed: str) -> None:
    assert re.match(r" +-?[0-9]+(\.[0-9]+)?( x| B)? ", line_of(row, printed))


@pytest.mark.slow
@pytest.mark.parametrize("row", WITH_TARGET)
def test_a_row_with_a_target_says_whether_it_is_met(row: str, printed: str) -> None:
    assert re.search(r" (<=|>=) [0-9.]+ +(ok|miss) ", line_of(row, printed))


@pytest.mark.slow
@pytest.mark.parametrize("row", ["new connections per 1,000 calls, HTTP", "new connections per 1,000 calls, TLS"])
def test_calls_keep_their_connection(row: str, printed: str) -> None:
    assert line_of(row, printed).split()[0] == "0"


def test_what_installers_compile_is_not_compiled_in_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert run("import json, sys; print(json.dumps(sys.dont_write_bytecode))") is False
