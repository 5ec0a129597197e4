"""The command `python -m target.migrate`: what it is given, what it prints, and how it ends."""

from __future__ import annotations

import argparse
import difflib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from target.migrate import files

NEEDS_EXTRA = "migrating needs the package libcst: run pip install 'target-delivery[migrate]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Show or write what becomes of the files; returns the exit code."""
    given = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a diff may hold what the terminal has no letters for
    try:
        from target.migrate.rewrite import Unreadable, notes_in, rewrite
    except ModuleNotFoundError as missing:
        if missing.name != "libcst":
            raise
        sys.stderr.write(f"{NEEDS_EXTRA}\n")
        return 2
    absent = [path for path in given.paths if not path.exists()]
    for path in absent:
        sys.stderr.write(f"{path}: there is no such file or folder\n")
    changed, notes, unreadable = 0, 0, len(absent)
    for path in dict.fromkeys(file for root in given.paths if root.exists() for file in files.find(root)):
        try:
            before = path.read_bytes()
            after = rewrite(before)
            if after != before and given.write:
                files.write(path, after)
        except (Unreadable, OSError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else problem
            sys.stderr.write(f"{path}: left as it is: {reason}\n")
            unreadable += 1
            continue
        notes += notes_in(after)
        if after != before:
            changed += 1
            sys.stdout.write(_diff(path, before, after))
    for path in given.paths:
        for file, line in files.requirements_in(path):
            sys.stderr.write(f"{file}:{line}: requires target-python-sdk; target-delivery takes its place\n")
    done = "changed" if given.write else "would change (--write does it)"
    sys.stderr.write(f"{changed} files {done}, {notes} comments for you to decide, {unreadable} files left unread\n")
    return 1 if unreadable else 0


def _diff(path: Path, before: bytes, after: bytes) -> str:
    name = path.as_posix().lstrip("/")
    old, new = (content.decode("utf-8", "backslashreplace").splitlines(keepends=True) for content in (before, after))
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    )
    return "".join(ended)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m target.migrate",
        description="Rewrites imports, class names and option spellings of code for Adobe's target-python-sdk, and "
        "leaves a comment ('# target-migrate: ...') where a person has to decide. Shows a diff; without --write "
        "nothing is changed. Ends with 1 if a file could not be read, which stays as it is.",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a Python file, or a folder of them")
    parser.add_argument("--write", action="store_true", help="change the files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
