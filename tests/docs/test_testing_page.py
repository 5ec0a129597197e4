"""docs/testing.md tells the truth: its Python runs, with nothing that answers but what it makes."""

from __future__ import annotations

import re
from typing import Any

import pytest

import target_delivery_pytest
from tests.kit.processes import ROOT

TEXT = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
#: Blocks that are a file of their own, by its name.
FILES = {block.partition("\n")[0].removeprefix("# "): block for block in BLOCKS if block.startswith("# ")}


def test_the_python_runs() -> None:
    names: dict[str, Any] = {"__name__": "page"}
    plain = [block for block in BLOCKS if block not in FILES.values()]
    assert len(plain) == 4
    for block in plain:
        exec(compile(block, "docs/testing.md", "exec"), names)
    assert [told["type"] for told in names["fake"].notifications] == ["display"]


def test_the_tests_pass(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=FILES["test_shop.py"])
    options = ["-q", "-p", "target_delivery_pytest", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    pytester.runpytest_inprocess(*options).assert_outcomes(passed=3)


def test_every_fixture_is_told() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", TEXT.partition("| fixture |")[2], re.MULTILINE))
    marked = {name for name, value in vars(target_delivery_pytest).items() if "fixture" in type(value).__name__.lower()}
    assert told == {name for name in marked if not name.startswith("_")}
