"""The command `target`: asks for offers, looks at rules, runs the emulator, checks an installation. Extra `cli`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those of the process; returns the exit code.

    0: all is well. 1: it found or met something. 2: it was not called as it can be.
    """
    try:
        from target.cli.root import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "target":
            raise
        sys.stderr.write(f"target: needs the package {missing.name}: pip install 'target-delivery[cli]'\n")
        return 2
    return run(arguments)
