"""`make bench-hooks` runs from end to end and prints every row; what the figures are is not a test's business."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.commits import blocks_of, checkout, commit_before
from benchmarks.hooks import HOOKS_CAME_WITH
from tests.kit.processes import ROOT

OF_CALLS = [
    f"{where}: {what}"
    for where in ("on device", "HTTP")
    for what in (
        "no hooks, two processes",
        "no hooks over no hooks",
        "one hook of all methods",
        "OpenTelemetryHook, no SDK",
        "OpenTelemetryHook, SDK in batches",
    )
]
OVER_BEFORE = [f"{where}: no hooks over before there were any" for where in ("on device", "HTTP")]
OF_OPENFEATURE = [
    f"OpenFeature, {what}{told}{given}"
    for what in ("one flag", "ten flags of a page")
    for told in ("", ", told")
    for given in ("", ", mboxes given")
]
needs_history = pytest.mark.skipif(commit_before(HOOKS_CAME_WITH) is None, reason="needs the history of the repository")


@pytest.mark.slow
def test_every_row_is_printed() -> None:
    command = [sys.executable, "-m", "benchmarks.hooks", "--quick"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    over_before = [] if commit_before(HOOKS_CAME_WITH) is None else OVER_BEFORE
    lines = done.stdout.splitlines()
    for name in [*OF_CALLS, *over_before, *OF_OPENFEATURE]:
        (line,) = [line for line in lines if re.match(re.escape(name) + " +[0-9]", line)]
        assert re.match(r" +[0-9]+\.[0-9]{2} x ", line.removeprefix(name)), line
        has_target = name in over_before or (name in OF_OPENFEATURE and ", told" not in name)
        assert (re.search(r"<= [0-9.]+ *(ok|miss)", line) is not None) is has_target


def test_a_block_runs_in_the_folder_that_it_is_of(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text("def call(): open('called', 'a').write('x')\n")
    with blocks_of(tmp_path, "from told import call") as block:
        assert block(3) >= 0
        assert block(2) >= 0
    assert (tmp_path / "called").read_text() == "xxxxx"


def test_a_block_that_fails_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        blocks_of(tmp_path, "def call(): raise ValueError('mine')") as block,
        pytest.raises(RuntimeError, match="ended"),
    ):
        block(1)
    assert "ValueError: mine" in capfd.readouterr().err


@needs_history
def test_before_there_were_hooks_a_client_had_none() -> None:
    commit = commit_before(HOOKS_CAME_WITH)
    assert commit is not None
    with checkout(commit) as folder:
        assert (folder / "target/client.py").exists()
        assert not (folder / HOOKS_CAME_WITH).exists()
