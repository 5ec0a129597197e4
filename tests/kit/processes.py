"""Scripts that run in a process of their own, with this checkout on their path."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    """The variables of this process, with what finds this checkout."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")]), **more}


def run_script(script: str, *arguments: object, code: int = 0, within_s: float = 50) -> str:
    """What ``script`` prints; fails with all that it said unless it ends with ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout
