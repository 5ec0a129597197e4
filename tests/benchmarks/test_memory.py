"""The memory rows see what is kept: each kind is measured in a process of its own, as the benchmark does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import fresh
from benchmarks.memory import cpu_by_process, tree_bytes

KEEPING = """
import json
from benchmarks.memory import held_after
kept = []
print(json.dumps(held_after({call}, [100, 1100], traced={traced})))
"""


@pytest.mark.parametrize("traced", [True, False])
def test_a_leak_shows(traced: bool) -> None:
    before, after = fresh.run(KEEPING.format(call="lambda: kept.append(bytes(10_000))", traced=traced))
    assert after - before == pytest.approx(10_000_000, rel=0.1)


@pytest.mark.parametrize("traced", [True, False])
def test_what_is_let_go_does_not_count(traced: bool) -> None:
    before, after = fresh.run(KEEPING.format(call="lambda: bytes(10_000)", traced=traced))
    assert after - before < 1_000_000


CHILD = "held = bytearray(b'x' * 40_000_000); print('held', flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="counts by Linux's /proc")
def test_what_a_child_of_a_child_holds_counts_for_all_above_it() -> None:
    before = tree_bytes(os.getpid())
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        assert tree_bytes(process.pid) > 40_000_000
        assert tree_bytes(os.getpid()) - before > 40_000_000
        process.communicate(b"\n")
    assert tree_bytes(process.pid) == 0


BURNING = "import time; ends = time.process_time() + 0.3\nwhile time.process_time() < ends: pass\nprint(); input()"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts by Linux's /proc")
def test_what_a_child_has_taken_is_told() -> None:
    command = [sys.executable, "-c", BURNING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert 0.28 <= cpu_by_process(os.getpid())[process.pid] < 5
        process.communicate(b"\n")
    assert process.pid not in cpu_by_process(os.getpid())
