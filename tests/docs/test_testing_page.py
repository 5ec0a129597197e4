"""docs/testing.md tells the truth: its Python runs, with nothing that answers but what it makes."""

from __future__ import annotations

import re
from typing import Any

from tests.docs.blocks import run_blocks
from tests.kit.processes import ROOT

PAGE = ROOT / "docs" / "testing.md"


def test_the_python_runs() -> None:
    names: dict[str, Any] = {"__name__": "page"}
    ran = list(run_blocks(PAGE, names, "127.0.0.1:9"))
    assert len(ran) == len(re.findall(r"^```python\n(?!# )", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert [told["type"] for told in names["fake"].notifications] == ["display"]
