"""docs/cli.md tells the truth: its shell blocks run as they are written, and its tables have what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from target.cli.account import EMULATOR
from target.cli.root import COMMANDS
from target.emulator import running
from tests.docs.blocks import DOCUMENTED_DOMAIN, leads_somewhere, links
from tests.kit.processes import ROOT, environment

PAGE = ROOT / "docs/cli.md"
TEXT = PAGE.read_text(encoding="utf-8")
# The command as a shell calls it, of the package that is tested and of the emulator that runs.
_TARGET = 'set -e\ntarget() { "$PYTHON" -m target "$@"; }\n'


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_blocks_run_as_they_are_written(tmp_path: Path) -> None:
    (profile,) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 9
    config = tmp_path / "config" / "target" / "config.toml"
    config.parent.mkdir(parents=True)
    with running() as emulator:
        config.write_text(profile.replace(DOCUMENTED_DOMAIN, emulator.server_domain))
        script = re.sub(r"--emulator(?= |$)", f"--emulator {emulator.url}", "".join(blocks), flags=re.MULTILINE)
        done = subprocess.run(
            ["bash", "-c", _TARGET + script],
            cwd=tmp_path,
            env=environment(PYTHON=sys.executable, XDG_CONFIG_HOME=str(config.parent.parent)),
            capture_output=True,
            text=True,
            check=False,
        )
        told = [each["notification"]["type"] for each in emulator.notifications]
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[1:] == [
        "This has the ids and tokens of the call in clear: mind where you paste it."
    ]  # after how many bytes were fetched
    assert told == ["display", "click"]
    assert "POST https://acmeclient.tt.omtrdc.net/rest/v1/delivery?imsOrgId=1234..." in done.stdout
    assert "mbox home (execute): shown by the visitor's share" in done.stdout
    assert json.loads((tmp_path / "why.json").read_text())["parts"]
    assert json.loads((tmp_path / "page.json").read_text())["response"]["prefetch"]["views"]


def test_every_command_and_check_is_told() -> None:
    told = re.findall(r"^\| `(\w+)[^|]*\| [^|]+\| [^|]*\|$", TEXT, re.MULTILINE)
    assert told == list(COMMANDS)
    table = TEXT.split("| check | of |")[1].split("\n\n")[0]
    names = {name for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)", cell)}
    sources = [
        (ROOT / "target/cli" / f"{name}.py").read_text() for name in ("checks", "doctor", "redis_checks", "versions")
    ]
    made = set(re.findall(r'\bCheck\(\s*"(\w+)"', "".join(sources)))
    assert names == made | {"extra", "packages", "delivery"}
    assert EMULATOR in TEXT


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
