"""The venv that the official SDK needs for itself, with what its wheel imports but does not declare."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-official"
REQUIREMENTS = (
    "target-python-sdk==1.1.0",
    f"urllib3=={version('urllib3')}",  # the one that ours is measured with
    "setuptools<81",  # the last that bring pkg_resources
    "certifi",
    "json-logic-qubit",
    "python-dateutil",
    "requests",
    "six",
    "tld",
    "tzlocal",
    "user-agents",
)


def official_python() -> Path:
    """The interpreter of a venv that holds the official SDK; made when it is missing or was made for other versions.

    Raises:
        subprocess.CalledProcessError: It cannot be made: the package index is out of reach, say.
    """
    python = VENV / "bin" / "python"
    ready = VENV / ".ready"
    wanted = "\n".join([sys.version, *REQUIREMENTS])
    if not ready.exists() or ready.read_text() != wanted:
        print(f"creating {VENV.name} (half a minute, once)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
        subprocess.run(install, check=True)
        ready.write_text(wanted)
    return python
