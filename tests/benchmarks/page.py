"""What docs/performance.md says that a benchmark prints, and what it did print."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.history import PAGE, TABLE_LINE, target_of


def of_page(section: str) -> dict[str, str]:
    """The rows in the tables of a section, and their targets."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = list(TABLE_LINE.finditer(text))
    assert lines, section
    return {line["name"]: line["target"].strip() for line in lines if line["name"] not in ("row", "---")}


def targets_of(written: Path) -> dict[str, str]:
    """The rows of a benchmark's JSON, and their targets."""
    return {row["name"]: target_of(row) for row in json.loads(written.read_text(encoding="utf-8"))["rows"]}
