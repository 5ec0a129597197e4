"""Blocks of calls in processes of their own: of this checkout, and of what it was at some commit."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from benchmarks.measure import Block

ROOT = Path(__file__).parents[1]
#: Reads how many calls to make, a line each, and prints how many seconds they took.
_WORK = """
import os, sys, time
{code}
for line in sys.stdin:
    started = time.perf_counter()
    for _ in range(int(line)):
        call()
    print(time.perf_counter() - started, flush=True)
os._exit(0)  # nothing is left that somebody waits for
"""


def commit_before(path: str) -> str | None:
    """The commit before the one that ``path`` came with; None where git cannot tell, as in an archive."""
    command = ["git", "log", "--diff-filter=A", "--format=%H", "-1", "--", path]
    try:
        told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
        before = ["git", "rev-parse", "--verify", "--quiet", f"{told}^"]
        return subprocess.run(before, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A folder with what a commit measures: the package, its models, the benchmarks."""
    command = ["git", "archive", commit, "target", "generated", "benchmarks"]
    archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
        yield Path(folder)


@contextmanager
def blocks_of(folder: Path, code: str) -> Iterator[Block]:
    """Blocks of ``call()``, which ``code`` defines, in a process that imports from ``folder``."""
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{folder / 'generated'}", "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with subprocess.Popen(
        [sys.executable, "-c", _WORK.format(code=code)],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        reading, writing = process.stdout, process.stdin
        assert reading is not None
        assert writing is not None

        def block(calls: int) -> float:
            writing.write(f"{calls}\n")
            writing.flush()
            told = reading.readline()
            if not told:
                raise RuntimeError(f"the process of {folder} ended")
            return float(told)

        try:
            yield block
        finally:
            writing.close()
