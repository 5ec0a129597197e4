"""Scripts that run in a process of their own, with this checkout on their path."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from subprocess import CompletedProcess

ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    """The variables of this process, with what finds this checkout."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")]), **more}


def run_process(script: str, *arguments: object, within_s: float = 50, **variables: str) -> CompletedProcess[str]:
    """How ``script`` ended, and what it said."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=environment(**variables), capture_output=True, text=True, timeout=within_s, check=False
    )


def run_script(script: str, *arguments: object, code: int = 0, within_s: float = 50) -> str:
    """What ``script`` prints; fails with all that it said unless it ends with ``code``."""
    done = run_process(script, *arguments, within_s=within_s)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout
