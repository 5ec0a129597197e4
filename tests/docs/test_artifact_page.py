"""docs/artifact.md tells the truth: its commands run as written, and its tables name what there is."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from target.batch.visitors import COLUMNS, path_of
from target.emulator import running
from tests.docs.blocks import DOCUMENTED_DOMAIN, leads_somewhere, links, run_blocks
from tests.kit.processes import ROOT, environment

PAGE = ROOT / "docs/artifact.md"
TEXT = PAGE.read_text()
# The command as the page calls it, of the package that is tested.
_TARGET = 'target() { shift; "$PYTHON" -c "from target.cli.artifact import artifact; artifact()" "$@"; }\n'


@pytest.mark.waits
@pytest.mark.skipif(sys.platform == "win32", reason="a shell")
def test_the_commands_run_as_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    blocks = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 6
    outputs = []
    with running() as emulator:
        for block in blocks:
            for script in re.split(r"(?m)^(?=target )", block):
                if not script.strip():
                    continue
                expected = int(found[1]) if (found := re.search(r"# exit code (\d)", script)) else 0
                lines = script.replace(DOCUMENTED_DOMAIN, emulator.server_domain)
                run = subprocess.run(
                    ["bash", "-c", _TARGET + lines],
                    cwd=tmp_path,
                    env=environment(PYTHON=sys.executable),
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert run.returncode == expected, (script, run.stderr)
                outputs.append(run.stdout)
    assert any('its audience was parameter membership is "gold"' in output for output in outputs)
    assert json.loads((tmp_path / "activities.json").read_text())["activities"]
    with (tmp_path / "decisions.csv").open(newline="") as file:
        assert len({row["visitor"] for row in csv.DictReader(file)}) == 5000
    rows = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert {"1f6a2c40", "8d2f0c31"} == {row["visitor"] for row in rows}
    assert [row["experience"] for row in rows if row["place"] == "delivery"] == ["C: everywhere else", "A: Switzerland"]
    assert (tmp_path / "counts.png").read_bytes().startswith(b"\x89PNG")


def test_the_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(run_blocks(PAGE, {}, "")) == [1]
    assert capsys.readouterr().out == "Summer sale ['country is \"CH\"']\n"


def test_the_tables_name_what_there_is() -> None:
    sources = (ROOT / "target/decisioning").glob("lint.py")
    codes = {code for path in sources for code in re.findall(r'code="([\w-]+)"', path.read_text())} | {
        "empty-range",
        "never",
    }
    told = re.findall(r"^\| (`[^|]+`) \| (?:error|warning|note) \|", TEXT, re.MULTILINE)
    assert {code for cell in told for code in re.findall(r"`([\w-]+)`", cell)} == codes
    table = TEXT.split("| column | is |")[1].split("\n\n")[0]
    named = set(re.findall(r"`([A-Za-z]+)`", table))
    assert set(COLUMNS) <= named
    assert all(path_of(name)[0] != "parameters" for name in named)


def test_the_links_lead_somewhere() -> None:
    assert [link for link in links(PAGE) if not leads_somewhere(PAGE, link)] == []
