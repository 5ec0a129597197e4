"""The hooks of .pre-commit-config.yaml: they run without a network, pass here, and stop what they are for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts.clone import clone_into

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NOWHERE = "http://127.0.0.1:9"


def in_the_clone(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    offline = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), NOWHERE)
    home = {"PRE_COMMIT_HOME": str(folder.parent / "hooks"), "NO_PROXY": "", "no_proxy": ""}
    environment = {**os.environ, **offline, **home}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = clone_into(tmp_path_factory.mktemp("hooks") / "checkout")
    done = in_the_clone(folder, sys.executable, "-m", "pre_commit", "install")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_they_pass_on_all_that_is_here(checkout: Path) -> None:
    done = in_the_clone(checkout, sys.executable, "-m", "pre_commit", "run", "--all-files")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [done.stdout.count(name) for name in ("ruff check", "ruff format", "import contracts", "mypy")] == [1] * 4
    assert done.stdout.count("Passed") == 4


def test_a_commit_is_stopped(checkout: Path) -> None:
    path = checkout / "target" / "delivery" / "retry.py"
    text = path.read_text(encoding="utf-8")
    try:
        path.write_text(f"{text}import time\nx: int = 'one'\n", encoding="utf-8")
        done = in_the_clone(checkout, "git", "commit", "--all", "--message", "delivery: break it")
        assert done.returncode != 0
        for said in ("E402", "would be reformatted", "target.delivery.retry -> time", "Incompatible types"):
            assert said in done.stdout + done.stderr
    finally:
        path.write_text(text, encoding="utf-8")
    for message, code in (("no room", 1), ("delivery: say nothing new", 0)):
        done = in_the_clone(checkout, "git", "commit", "--allow-empty", "--message", message)
        assert done.returncode == code, done.stdout + done.stderr
