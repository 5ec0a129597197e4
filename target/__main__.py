"""`python -m target`: which version of this package runs, where it lies, which extras are there, and whether anything
else is named `target`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from target.version import __version__

DISTRIBUTION = "target-delivery"
_EXTRA = re.compile(r"""extra *== *["']([A-Za-z0-9._-]+)["']""")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def main(places: Sequence[str] | None = None) -> int:
    """Print it; returns 1 where something else may be imported in the place of this package.

    Args:
        places: Where modules are looked for; by default the current directory and ``sys.path``.
    """
    own = Path(__file__).resolve().parent
    others = [*_files(own, [os.getcwd(), *sys.path] if places is None else places), *_distributions()]
    lines = [f"{DISTRIBUTION} {__version__} in {own}", f"Python {platform.python_version()}", *_extras()]
    lines += [f"Also named target: {other}" for other in others]
    if others:
        lines.append("Rename or remove what is not this package: which of them is imported depends on where from.")
    else:
        lines.append("Nothing else is named target.")
    sys.stdout.write("\n".join([*lines, ""]))
    return 1 if others else 0


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


def _extras() -> Iterator[str]:
    """A line for each extra: what it installs, and what of that is missing."""
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        yield "Extras: unknown, since it was not installed but is run from its source"
        return
    by_extra: dict[str, list[str]] = {}
    for requirement in required:
        of, named = _EXTRA.search(requirement), _NAME.match(requirement)
        if of and named:
            by_extra.setdefault(of[1], []).append(named[0])
    for extra, names in by_extra.items():
        missing = [name for name in names if not _is_installed(name)]
        said = f"needs {', '.join(missing)}: pip install '{DISTRIBUTION}[{extra}]'" if missing else "installed"
        yield f"Extra {extra}: {said}"


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
