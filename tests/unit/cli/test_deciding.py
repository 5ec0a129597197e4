"""`target decide`: what it writes, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.kit.explained import var
from tests.kit.processes import environment
from tests.kit.rules import build_artifact, build_rule
from tests.unit.cli.conftest import Target

GOLD = build_rule({"==": ["gold", var("mbox.level")]}, 1)
HALF = build_rule({"<": [var("allocation"), 50]}, 2)


@pytest.fixture
def files(target: Target, tmp_path: Path) -> Path:
    """A folder, which is the working one, with rules and visitors."""
    target("--version")
    (tmp_path / "rules.json").write_text(json.dumps(build_artifact(GOLD, HALF)))
    (tmp_path / "visitors.csv").write_text("tnt_id,level,page,who\nanna,gold,/a,1\nben,red,/b,2\n,gold,/c,3\n")
    return tmp_path


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_columns_are_read_off_the_file(target: Target, files: Path) -> None:
    ended = target("decide", "rules.json", "visitors.csv", "--out", "out.csv")
    assert ended == (0, "3 visitors, 1 of them bad rows: out.csv\n", "")
    told = rows(files / "out.csv")
    assert [(row["visitor"], row["mbox"], row["rule_key"]) for row in told][:1] == [("anna", "hero", "1")]
    assert told[2]["error"] == "row 3: it has no id: id.tntId (column 'tnt_id') is empty"


def test_columns_are_named(target: Target, files: Path) -> None:
    rule = build_rule({"and": [{"==": ["/b", var("mbox.where")]}, {"==": ["2", var("page.url")]}]}, 3)
    (files / "rules.json").write_text(json.dumps(build_artifact(rule)))
    named = ["--id", "third_party_id=tnt_id", "--param", "where=page", "--url", "who"]
    ended = target("decide", "rules.json", "visitors.csv", "--json", "--mbox", "hero", "--mbox", "quiet", *named)
    assert ended.code == 0
    told = json.loads(ended.out)
    assert told == {"rows": 3, "bad": 1, "partial": False, "out": "decisions.parquet", "processes": 1}
    assert pq.read_table(files / "decisions.parquet")["status"].to_pylist() == [
        *("default", "default", "decided", "default", None, None)
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--out", "out.txt"], 2, "ends in .csv, .jsonl, .ndjson, .parquet"),
        (["--id", "tnt_id"], 2, "'tnt_id' is not NAME=COLUMN"),
        (["--id", "tntId=tnt_id"], 2, "'tntId' is not one of tnt_id, third_party_id"),
        (["--param", "a=level", "--param", "a=page"], 2, "'a' is given twice"),
        (["--id", "tnt_id=nobody"], 1, "has no column 'nobody', named for id.tntId"),
        (["--mbox", "nowhere"], 1, "the rules know no mbox 'nowhere'"),
        (["--out", "no/such/folder.csv"], 1, "it cannot be written"),
    ],
)
def test_mistakes(target: Target, files: Path, arguments: list[str], code: int, told: str) -> None:
    ended = target("decide", "rules.json", "visitors.csv", *arguments)
    assert ended.code == code
    assert told in ended.err
    assert ended.err.count("\n") == 1
    assert sorted(path.name for path in files.iterdir()) == ["rules.json", "visitors.csv"]


def test_what_is_not_told_anywhere(target: Target, files: Path) -> None:
    (files / "anonymous.csv").write_text("name\nanna\n")
    ended = target("decide", "rules.json", "anonymous.csv")
    assert (ended.code, "name one with --id tnt_id=COLUMN" in ended.err) == (2, True)
    (files / "rules.json").write_text(json.dumps(build_artifact(GOLD, meta={})))
    ended = target("decide", "rules.json", "visitors.csv")
    assert (ended.code, "see --client" in ended.err) == (2, True)
    assert target("decide", "none.json", "visitors.csv").code == 1
    assert target("decide", "rules.json", "none.csv").code == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_a_whole_file_and_is_gone_on_from(files: Path, sent: signal.Signals) -> None:
    count = 600_000
    pq.write_table(pa.table({"tnt_id": pa.array(map(str, range(count)))}), files / "many.parquet")
    command = [
        sys.executable,
        "-m",
        "target",
        "decide",
        "rules.json",
        "many.parquet",
        "--processes",
        "2",
        "--mbox",
        "hero",
    ]
    partial = files / "decisions.parquet.partial"
    stopped = subprocess.Popen(
        command, cwd=files, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 50
        while not partial.exists() or partial.stat().st_size < 1000:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (os.killpg if sent == signal.SIGINT else os.kill)(stopped.pid, sent)
        _, stderr = stopped.communicate(timeout=50)
    finally:
        stopped.kill()
        stopped.communicate()
    assert (stopped.returncode, stderr) == (1, "It was stopped: --resume goes on from there\n")
    some = pq.read_table(partial)
    assert 0 < some.num_rows < count
    assert some["visitor"].to_pylist() == [str(number) for number in range(some.num_rows)]
    subprocess.run([*command, "--resume"], cwd=files, env=environment(), check=True, capture_output=True)
    whole = pq.read_table(files / "decisions.parquet")
    assert whole["visitor"].to_pylist() == [str(number) for number in range(count)]
    assert whole.slice(0, some.num_rows).to_pylist()[-1000:] == some.to_pylist()[-1000:]
    assert not partial.exists()
