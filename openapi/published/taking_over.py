"""Owns one update from diff to generated code: the spec is written, the package generated, the outcome told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import generate
from published import spec_file, surface, update, wording
from published.compare import Change
from published.prose import MARKER
from published.references import Unusable

#: What models do not show, while the API and the emulator go by it.
_BEYOND_PYTHON = frozenset({"limit", "format", "default", "nullable", "operation", "response", "style", "explode"})


@dataclass
class Outcome:
    """What an update did."""

    written: list[Change]
    kept: list[Change]
    wanted: list[str]
    added: list[str]
    breaking: list[str]

    def as_json(self) -> dict[str, Any]:
        """The outcome as an object of JSON."""
        return {
            "written": [wording.as_json(change) for change in self.written],
            "kept": [wording.as_json(change) for change in self.kept],
            "descriptions_wanted": self.wanted,
            "changelog": {"added": self.added, "breaking": self.breaking},
        }

    def lines(self, source: str, left: list[Change]) -> list[str]:
        """The outcome for people."""
        if not self.written and not self.kept:
            return [f"equal: nothing of {source} to take over"]
        told = [f"taken over from {source}:", *(f"  {wording.line(change)}" for change in self.written)]
        if self.kept:
            told.append("kept, though the published document no longer has it (REMOVE=1 or --remove removes it):")
            told += [f"  {wording.line(change)}" for change in self.kept]
        if self.wanted:
            told.append(f"to describe in delivery-api.yaml (`make lint` refuses {MARKER}):")
            told += [f"  {line}" for line in self.wanted]
        told.append("for CHANGELOG.md:")
        told += [f"  {line}" for line in [*self.breaking, *self.added] or ["(nothing that callers see)"]]
        told.append("then: `make generate`, `make api`, `make check`")
        told.append(f"still different: {len(left)}, of which kept: {len(self.kept)}" if left else "equal now")
        return told


def take_over(spec: Path, changes: list[Change], *, remove: bool) -> Outcome:
    """Write the changes into the spec and generate. Raises Unusable, all left as it was, if that does not work."""
    if not changes:
        return Outcome([], [], [], [], [])
    before, offered = spec.read_text(encoding="utf-8"), surface.surface(generate.GENERATED)
    document = spec_file.load(before)
    kept = update.apply(document, changes, remove=remove)
    text = spec_file.dump(document)
    spec.write_text(text, encoding="utf-8")
    try:
        generate.write(generate.GENERATED)
    except BaseException as error:
        spec.write_text(before, encoding="utf-8")
        if isinstance(error, generate.GenerationError):
            raise Unusable(f"{spec}: nothing was taken over, the generator refuses it: {_short(str(error))}") from error
        raise
    added, breaking = surface.became(offered, surface.surface(generate.GENERATED))
    written = [change for change in changes if change not in kept]
    added += [f"- The API: {wording.line(change)}." for change in written if change.what in _BEYOND_PYTHON]
    return Outcome(written, kept, wanted(text, spec.name), added, breaking)


def wanted(text: str, name: str) -> list[str]:
    """Each line of the spec that waits for a description."""
    lines = text.splitlines()
    return [
        f"{name}:{number}: {re.sub(r'^description: ', '', line.strip())}"
        for number, line in enumerate(lines, 1)
        if MARKER in line
    ]


def _short(message: str) -> str:
    """The first and the last line of what a tool says."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ... ".join(dict.fromkeys([lines[0], lines[-1]]))
