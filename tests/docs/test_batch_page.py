"""docs/batch.md tells the truth: its blocks print what it says, its tables name what there is."""

from __future__ import annotations

import csv
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from target.batch import BatchDecider
from target.batch.answers import RESPONSE_TOKENS, SCHEMA
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.processes import ROOT, environment

PAGE = ROOT / "docs/batch.md"
TEXT = PAGE.read_text()


def section(title: str) -> str:
    """The text under a heading."""
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[str]:
    """What the first cells of a table's rows name."""
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_the_blocks_print_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    assert list(run_blocks(PAGE, names, "127.0.0.1:1"))
    shown = re.findall(r"^```text\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert capsys.readouterr().out == "".join(shown)


def test_every_option_and_column_is_told_of() -> None:
    options = [name for name in inspect.signature(BatchDecider.__init__).parameters if name not in ("self", "artifact")]
    assert rows(section("BatchDecider")) == options
    assert sorted(rows(section("What comes out"))) == sorted([*SCHEMA.names, RESPONSE_TOKENS.name])


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)


@pytest.mark.waits
@pytest.mark.skipif(sys.platform == "win32", reason="a shell")
def test_the_command_says_what_the_page_says(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    next(run_blocks(PAGE, names, "127.0.0.1:1"))
    (tmp_path / "rules.json").write_text(json.dumps(names["rules"]))
    text = section("The command")
    (script,) = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", 'set -e\ntarget() { "$PYTHON" -m target "$@"; }\n' + script],
        cwd=tmp_path,
        env=environment(PYTHON=sys.executable),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n```\n{done.stdout}```\n" in text
    with (tmp_path / "decisions.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["decided", "default", ""]
