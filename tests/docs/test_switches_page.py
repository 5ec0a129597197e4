"""docs/switches.md tells the truth: its code runs against the sample shop, and prints what it says."""

from __future__ import annotations

import re

import pytest

from target.emulator import running
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/switches.md"
TEXT = PAGE.read_text()


def test_the_blocks_print_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    with running() as emulator:
        blocks = run_blocks(PAGE, {}, emulator.server_domain)
        assert next(blocks) == 1
        said, *_ = re.findall(r"^```text\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
        assert capsys.readouterr().out == said
        assert next(blocks) == 2
        assert emulator.received == []
        assert list(blocks) == list(range(3, TEXT.count("```python") + 1))


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
