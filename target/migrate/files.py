"""Which files there are, and how one is written."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_REQUIREMENTS = re.compile(r"(requirements.*\.(txt|in)|pyproject\.toml|setup\.(cfg|py)|Pipfile|environment\.ya?ml)")
_DISTRIBUTION = re.compile(rb"target[-_.]python[-_.]sdk", re.IGNORECASE)


def find(path: Path, suffix: str = ".py") -> Iterator[Path]:
    """The file, or the Python files of a folder; hidden folders, caches and virtual environments are left out."""
    if not path.is_dir():
        yield path
        return
    for folder, inner, names in os.walk(path):
        inner[:] = sorted(name for name in inner if _is_sources(Path(folder, name)))
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(suffix))


def requirements_in(path: Path) -> Iterator[tuple[Path, int]]:
    """Files and lines that require Adobe's distribution."""
    for file in find(path, "") if path.is_dir() else ():
        if _REQUIREMENTS.fullmatch(file.name) and file.is_file():
            for number, line in enumerate(file.read_bytes().splitlines(), 1):
                if _DISTRIBUTION.search(line):
                    yield file, number


def write(path: Path, content: bytes) -> None:
    """Put the content into the place of the file, whole or not at all; its mode stays."""
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        shutil.copymode(path, name)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _is_sources(folder: Path) -> bool:
    skipped = folder.name.startswith(".") or folder.name in ("__pycache__", "node_modules", "site-packages")
    return not skipped and not (folder / "pyvenv.cfg").exists()
