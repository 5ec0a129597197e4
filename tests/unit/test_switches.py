"""``offline``: no socket is opened, and what there is answers. ``exclude_bots``: bots get defaults and count not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.processes import ROOT, environment
from tests.kit.sealed import SEALED

KINDS = ["sync", "threads", "aiohttp"]
RULES = {"none": False, "given": True, "cached": True}


def run_sealed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.kit.sealed", *arguments]
    command.insert(4, str(folder))
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("kind", [KINDS[0], *(pytest.param(kind, marks=pytest.mark.waits) for kind in KINDS[1:])])
def test_an_offline_client_opens_no_socket(tmp_path: Path, kind: str) -> None:
    run = run_sealed(tmp_path, kind)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert len(told) == 10
    for method in ("server-side", "on-device", "hybrid"):
        for source, decides in RULES.items():
            found = told[f"{method} {source}"]
            decides = decides and method != "server-side"
            assert found["home"] == ({"from": "home"} if decides else "default")
            assert found["reasons"] == (["remote", "targeting", "remote"] if decides else ["offline"] * 4)
            assert found["flags"] == {"a": 1}
            assert (found["notified"], found["told"]) == (None, None)
            assert (found["queued"], found["of the result"]) == (["n1"], ["n1"])
            assert found.get("explained", "on-device") == "on-device"
            assert found["ready"] is True
            status = found["status"]
            assert (status["offline"], status["ready"], status["method"]) == (True, True, method)
            assert set(status["background"].values()) == {0}
            assert status["connections"]["made"] == 0
            assert status["outbox"]["batches"] == 0
            assert found["left"] == status["outbox"]["queued"] - (decides and kind == "sync")  # of its last call


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_without_offline_is_caught(tmp_path: Path, kind: str) -> None:
    run = run_sealed(tmp_path, kind, "online")
    assert (run.returncode, run.stdout) == (SEALED, "")
    assert "sealed: socket." in run.stderr
