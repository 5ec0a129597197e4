"""Compares delivery-api.yaml with the document that Adobe publishes (diff), or takes over what changed (update)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from published import deviations, wording
from published.compare import Change, compare
from published.reading import read
from published.references import Unusable

HERE = Path(__file__).resolve().parent
SPEC = HERE / "delivery-api.yaml"

EQUAL, DIFFERENT, UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `diff` or `update`; returns 0 for equal, 1 for different, 2 for a document of no use."""
    options = parser().parse_args(arguments)
    try:
        return diff(options) if options.command == "diff" else update(options)
    except Unusable as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return UNUSABLE


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    for name, text in (("diff", "say what differs"), ("update", "write what differs into delivery-api.yaml")):
        command = commands.add_parser(name, help=text, description=f"{text.capitalize()}.")
        command.add_argument("source", metavar="PATH", help="a checkout or a file of the published document")
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.add_argument("--partial", action="store_true", help="the document says nothing of schemas it lacks")
        if name == "update":
            command.add_argument("--remove", action="store_true", help="remove what the published document lacks")
    return made


def differences(options: argparse.Namespace) -> tuple[list[Change], Any, list[str]]:
    """The changes from our spec to the published document, that document, and what is to be said of deviations."""
    if not options.source:
        raise Unusable("name the published document: FROM=PATH, a checkout or a file")
    published, notes = deviations.applied(read(Path(options.source)), deviations.load())
    return compare(read(SPEC), published, partial=options.partial), published, notes


def diff(options: argparse.Namespace) -> int:
    """Print the differences; returns EQUAL or DIFFERENT."""
    changes, published, notes = differences(options)
    report = {"equal": not changes, "differences": [wording.as_json(change) for change in changes], "notes": notes}
    lines = [f"  {wording.line(change)}" for change in changes]
    if changes:
        head = f"{len(changes)} difference{'s' if len(changes) > 1 else ''} between {SPEC.name} and {options.source}:"
    else:
        head = f"equal: {SPEC.name} says what {options.source} says, after our deviations ({published.size()})"
    prose = "descriptions and other prose are our own and not compared"
    say(options, report, [head, *lines, *(f"note: {note}" for note in [*notes, prose])])
    return DIFFERENT if changes else EQUAL


def update(options: argparse.Namespace) -> int:
    """Take over the differences and generate; returns EQUAL, or DIFFERENT where old names were kept."""
    from published import taking_over  # griffe and the generator are needed here only

    changes, _, _ = differences(options)
    outcome = taking_over.take_over(SPEC, changes, remove=options.remove)
    left, _, notes = differences(options)
    say(options, {"equal": not left, **outcome.as_json(), "notes": notes}, outcome.lines(options.source, left))
    return DIFFERENT if left else EQUAL


def say(options: argparse.Namespace, report: dict[str, Any], lines: list[str]) -> None:
    """Print the report, as JSON or as lines."""
    text = json.dumps(report, indent=2, ensure_ascii=False) if options.json else "\n".join(lines)
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
