"""docs/observability.md tells the truth of logs: the code runs, the attributes are those of every record."""

from __future__ import annotations

import logging
import re

import pytest

from target.loggers import FIELDS
from tests.docs.blocks import DOCUMENTED_DOMAIN, leads_somewhere, links
from tests.kit.loopback import LoopbackServer
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/observability.md"
TEXT = PAGE.read_text()


def section(heading: str) -> str:
    return TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def blocks(heading: str, language: str = "python") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", section(heading), re.DOTALL | re.MULTILINE)


def test_the_block_logs_what_its_format_names(server: LoopbackServer, capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("shop.target")
    try:
        exec(blocks("Logs")[0].replace(DOCUMENTED_DOMAIN, server.domain), {})
    finally:
        log.handlers.clear()
        log.setLevel(logging.NOTSET)
    lines = capsys.readouterr().err.splitlines()
    (attempt,) = [line for line in lines if line.startswith("DEBUG POST ")]
    assert re.search(rf" \[{re.escape(server.domain)} 200 [0-9.]+\]$", attempt)


def test_the_table_names_every_attribute() -> None:
    assert tuple(re.findall(r"^\| `(target_\w+)` \|", section("Logs"), re.MULTILINE)) == FIELDS


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
