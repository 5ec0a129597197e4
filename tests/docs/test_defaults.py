"""Where a page's prose says an option and a number in parentheses, as in `retries` (1), that is its default."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from target import Outbox, config

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DEFAULTS = {
    **{name: default for name, (_, default) in (config._CLIENT_OPTIONS | config._ASYNC_OPTIONS).items()},
    **{name: each.default for name, each in inspect.signature(Outbox.memory).parameters.items()},
}
UNITS = {"MiB": 2**20, "s": 1000}


def told_in(page: Path) -> list[tuple[str, int]]:
    found = re.findall(r"`(\w+)`\s\((\d+)(?:\s(MiB|s|ms)\b)?", page.read_text(encoding="utf-8"))
    return [(name, int(number) * UNITS.get(unit, 1)) for name, number, unit in found if name in DEFAULTS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_defaults_in_prose_are_those_of_the_code(page: Path) -> None:
    assert [(name, number) for name, number in told_in(page) if DEFAULTS[name] != number] == []


def test_there_are_some() -> None:
    assert len([told for page in PAGES for told in told_in(page)]) >= 8
