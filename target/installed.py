"""What is installed: which extras, what they lack, and what else is named `target`."""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

DISTRIBUTION = "target-delivery"
_EXTRA = re.compile(r"""extra *== *["']([A-Za-z0-9._-]+)["']""")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class Extra(NamedTuple):
    """An extra of this package, and which of the packages that it brings are not installed."""

    name: str
    missing: tuple[str, ...]


def others_named_target(own: Path, places: Sequence[str] | None = None) -> list[str]:
    """What may be imported in the place of this package, which lies in ``own``.

    Args:
        own: The folder of this package.
        places: Where modules are looked for; by default the current directory and ``sys.path``.
    """
    files = _files(own, [os.getcwd(), *sys.path] if places is None else places)
    return [*map(str, files), *_distributions()]


def list_extras() -> list[Extra] | None:
    """Every extra; None where this package was not installed but is run from its source."""
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    by_extra: dict[str, list[str]] = {}
    for requirement in required:
        of, named = _EXTRA.search(requirement), _NAME.match(requirement)
        if of and named:
            by_extra.setdefault(of[1], []).append(named[0])
    return [Extra(extra, tuple(name for name in names if not _is_installed(name))) for extra, names in by_extra.items()]


def _files(own: Path, places: Iterable[str]) -> Iterator[Path]:
    """Other modules and packages of that name, in the order in which they would be found."""
    seen = {own}
    for place in places:
        for path in (Path(place or os.curdir, "target", "__init__.py"), Path(place or os.curdir, "target.py")):
            found = path.resolve()
            here = found.parent if found.name == "__init__.py" else found
            if here not in seen and found.is_file():
                seen.add(here)
                yield here


def _distributions() -> list[str]:
    """Other installed packages that brought a module of that name, and may have written over files of this one."""
    found = importlib.metadata.packages_distributions().get("target", [])
    return [f"the installed package {name}" for name in sorted(set(found) - {DISTRIBUTION})]


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
