"""Venvs for what is measured beside ours, each made once and kept until other versions are wanted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def python_with(venv: Path, requirements: Sequence[str]) -> Path:
    """The interpreter of a venv that holds ``requirements``; made when it is missing or was made for others.

    Raises:
        subprocess.CalledProcessError: It cannot be made: the package index is out of reach, say.
    """
    python = venv / "bin" / "python"
    ready = venv / ".ready"
    wanted = "\n".join([sys.version, *requirements])
    if not ready.exists() or ready.read_text() != wanted:
        print(f"creating {venv.relative_to(ROOT)} (half a minute, once)", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run(install, check=True)
        ready.write_text(wanted)
    return python
