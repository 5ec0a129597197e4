"""Benchmarks without a test file of their own run from end to end; what the figures are is not a test's business."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.history import target_of
from benchmarks.official_venv import VENV as OFFICIAL_VENV
from tests.benchmarks.page import of_page
from tests.kit.processes import ROOT


def quick(name: str, tmp_path: Path) -> dict[str, str]:
    """Rows and targets of a quick run."""
    path = tmp_path / f"{name}.json"
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--json", str(path)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=55)
    if "npm error" in done.stderr:
        pytest.skip("npm reaches no registry")
    assert done.returncode == 0, done.stderr
    report = json.loads(path.read_text())
    assert (report["benchmark"], report["quick"]) == (name, True)
    assert all(row["name"] in done.stdout for row in report["rows"])
    return {row["name"]: target_of(row) for row in report["rows"]}


@pytest.mark.slow
def test_calls_at_once(tmp_path: Path) -> None:
    rows = quick("async_side", tmp_path)
    name = "1,000 calls at once over bare aiohttp, 50 ms"
    assert rows[name.replace("1,000", "60")] == of_page("Calls to the server")[name]
    assert rows["sockets left by cancelled calls, threads"] == "at most 0"


@pytest.mark.slow
def test_frameworks(tmp_path: Path) -> None:
    assert set(quick("frameworks", tmp_path).values()) == {"at most 15"}


@pytest.mark.slow
def test_the_engine_alone(tmp_path: Path) -> None:
    assert "1000 on one mbox each, new visitor" in quick("on_device_engine", tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not (OFFICIAL_VENV / ".ready").exists(), reason="make official makes .venv-official")
def test_beside_the_official_python_sdk(tmp_path: Path) -> None:
    assert "time per call, HTTP: official over ours" in quick("official", tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_beside_the_official_node_sdk(tmp_path: Path) -> None:
    assert "10 activities, same mbox, new visitors" in quick("on_device_node", tmp_path)
