"""docs/reliability.md tells the truth: its Python runs, its table is the one that the tests of faults go by."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from target import TargetUnavailable, TransportError
from target.options import ClientOptions
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.loopback import LoopbackServer
from tests.kit.processes import ROOT, environment

PAGE = ROOT / "docs/reliability.md"
TEXT = PAGE.read_text()


def test_the_blocks_answer_with_defaults_and_flush(capsys: pytest.CaptureFixture[str], server: LoopbackServer) -> None:
    names: dict[str, Any] = {"__name__": "reliability"}
    assert list(run_blocks(PAGE, names, server.domain)) == [1, 2]
    assert isinstance(names["first"].error, TransportError)
    assert isinstance(names["second"].error, TargetUnavailable)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("legacy True http://127.0.0.1:9 cannot be reached")
    assert printed[1] == "True"
    background = {"pending": 0, "sent": 0, "failed": 0, "dropped": 0}
    assert printed[2:] == ["(\"{'part': 'execute'}\", 0) " + str(background)]


def test_the_table_is_what_the_faults_print() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tests.faults.table"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=20,
    ).stdout
    in_page = TEXT[TEXT.index("\n| ") + 1 :]
    assert in_page == printed, "write it anew: python -m tests.faults.table"


@pytest.mark.parametrize("option", ["timeout", "retries", "breaker_failures", "breaker_reset", "default_attributes"])
def test_options_are_those_of_the_code(option: str) -> None:
    assert f"`{option}`" in TEXT
    assert option in ClientOptions.__annotations__


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
