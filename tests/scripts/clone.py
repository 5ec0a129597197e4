"""A clone of this repository with what is not committed yet, to try things on that change one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def clone_into(folder: Path) -> Path:
    """With the tools of this environment as its ``.venv``."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a checkout: this is no repository")
    git(ROOT, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder))
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in listed:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            (folder / name).write_bytes((ROOT / name).read_bytes())
        else:
            (folder / name).unlink(missing_ok=True)
    git(folder, "config", "user.name", "Test")
    git(folder, "config", "user.email", "test@example.com")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "tests: all that is here")
    (folder / ".git/info/exclude").write_text(".venv\n", encoding="utf-8")
    (folder / ".venv").symlink_to(sys.prefix)
    return folder
