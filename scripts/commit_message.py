"""Checks the subject of a commit: which room it is about, and what it does there."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUBJECT = re.compile(r"(?P<room>[A-Za-z][\w.-]*): \S.*[^.\s]")
LONGEST = 100
#: Written by git, or taken apart before they are merged.
LEFT_ALONE = ("Merge ", "Revert ", "fixup! ", "squash! ")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the file that git names; returns the exit code."""
    (name,) = sys.argv[1:] if arguments is None else arguments
    lines = [line for line in Path(name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    fault = find_fault(lines, rooms())
    if fault:
        sys.stderr.write(f"{fault}\nA subject is `room: what it does`, such as `outbox: keep a session's order`.\n")
    return bool(fault)


def find_fault(lines: Sequence[str], known: set[str]) -> str | None:
    """What is wrong with a commit's message, or None."""
    subject = lines[0] if lines else ""
    if subject.startswith(LEFT_ALONE):
        return None
    parts = SUBJECT.fullmatch(subject)
    if parts is None:
        return f"The subject {subject!r} names no room, or ends in a full stop."
    if parts["room"] not in known:
        return f"There is no room {parts['room']!r}: name a file or folder of the root, of target/, docs/ or tests/."
    if len(subject) > LONGEST:
        return f"The subject has {len(subject)} characters: {LONGEST} are enough."
    if len(lines) > 1 and lines[1]:
        return "The second line must be empty: it divides the subject from the reason."
    return None


def rooms() -> set[str]:
    """The names of what is in the root, in target/, docs/ and tests/: without underscore and ending."""
    found = [path for folder in ("", "target", "docs", "tests") for path in (ROOT / folder).iterdir()]
    return {path.stem.strip("_.") for path in found} | {"architecture", "generation", "release"}


if __name__ == "__main__":
    sys.exit(main())
