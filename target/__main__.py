"""`python -m target`: which version of this package runs, where it lies, which extras are there, and whether anything
else is named `target`. With arguments, it is the command `target`."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from target.installed import DISTRIBUTION, list_extras, others_named_target
from target.version import __version__


def main(places: Sequence[str] | None = None) -> int:
    """Print it; returns 1 where something else may be imported in the place of this package.

    Args:
        places: Where modules are looked for; by default the current directory and ``sys.path``.
    """
    own = Path(__file__).resolve().parent
    others = others_named_target(own, places)
    lines = [f"{DISTRIBUTION} {__version__} in {own}", f"Python {platform.python_version()}", *_extras()]
    lines += [f"Also named target: {other}" for other in others]
    if others:
        lines.append("Rename or remove what is not this package: which of them is imported depends on where from.")
    else:
        lines.append("Nothing else is named target.")
    sys.stdout.write("\n".join([*lines, ""]))
    return 1 if others else 0


def _extras() -> Iterator[str]:
    """A line for each extra: what it installs, and what of that is missing."""
    extras = list_extras()
    if extras is None:
        yield "Extras: unknown, since it was not installed but is run from its source"
        return
    for extra in extras:
        missing = ", ".join(extra.missing)
        said = f"needs {missing}: pip install '{DISTRIBUTION}[{extra.name}]'" if missing else "installed"
        yield f"Extra {extra.name}: {said}"


def _command() -> int:
    from target.cli import main as command  # an extra, which what is printed without arguments does not need

    return command()


if __name__ == "__main__":
    sys.exit(_command() if sys.argv[1:] else main())
