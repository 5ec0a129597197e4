"""docs/decisions: every record has the same shape and a line in the index, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "decisions"
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")
RECORDS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
SHAPE = re.compile(
    r"# (?P<title>[^\n]+[^\n.])\n\nWhere: (?P<where>`[^`\n]+`(?:, `[^`\n]+`)*)\n\n"
    r"## Problem\n\n(?P<problem>[^#]+)\n\n## Decision\n\n(?P<decision>[^#]+)\n"
)
MOST_LINES = 30
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_short_and_has_the_shape(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    record = SHAPE.fullmatch(text)
    assert record, "a title, where it is, the problem, the decision: see CONTRIBUTING.md"
    assert len(text.splitlines()) <= MOST_LINES
    for name in record["where"].split(", "):
        assert (ROOT / name.strip("`")).exists(), f"{name} is no more: is the decision?"


def test_the_index_has_every_record_once_under_its_title() -> None:
    titles = {path.name: path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for path in RECORDS}
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", INDEX, re.MULTILINE)
    assert len(listed) == len(titles)
    assert {name: title for title, name in listed} == titles


def test_contributing_leads_to_the_index() -> None:
    assert "(docs/decisions/README.md)" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    assert path.read_text(encoding="utf-8").count("\n```") % 2 == 0, "a block of code has no end"
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    local = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in local if not (path.parent / link).exists()] == []
