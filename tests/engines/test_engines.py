"""Spark, Ray and Dask, the real ones: each row as the decider alone decides it, whatever happens to a worker."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from target.batch import BatchDecider
from tests.kit.processes import ROOT

PYTHON = ROOT / "build" / "engines" / "bin" / "python"
ROWS = 4_000
_JOB_S = 240
pytestmark = [pytest.mark.slow, pytest.mark.timeout(_JOB_S + 30)]
OPTIONS: dict[str, Any] = {
    "mboxes": ["home", "cart"],
    "client": "acme",
    "id_columns": {"tnt_id": "visitor_id"},
    "parameters": {"membership": "level", "age": "age"},
    "at": 1_700_000_000,
}


def rule(key: str, experience: int, condition: Any, content: str = "<b>") -> dict[str, Any]:
    return {
        "ruleKey": key,
        "activityId": 100,
        "meta": {"activity.name": "Sale", "experience.id": experience, "experience.name": "AB"[experience]},
        "condition": condition,
        "consequence": {"options": [{"type": "html", "content": content}]},
    }


def share(low: float, high: float) -> list[Any]:
    place = {"var": "allocation"}
    return [{"<": [place, high]}, {">=": [place, low]}]


def rules(bulk: int = 0) -> dict[str, Any]:
    """A split among members, and by age at the cart; ``bulk``: so many megabytes of offers that nobody gets."""
    gold = {"==": [{"var": "mbox.membership"}, "gold"]}
    home = [rule(str(n), n, {"and": [*share(50 * n, 50 * n + 50), gold]}) for n in (0, 1)]
    others = [rule(f"x{n}", 0, {"==": [{"var": "mbox.membership"}, f"none {n}"]}, "x" * 2**19) for n in range(2 * bulk)]
    cart = [rule("9", 1, {">": [{"var": "mbox.age"}, 40]})]
    return {"version": "1.0.0", "rules": {"mboxes": {"home": [*others, *home], "cart": cart}}}


def visitors(count: int = ROWS) -> pa.Table:
    levels = ["gold", "silver", None]
    return pa.table(
        {
            "visitor_id": pa.array([None if n % 97 == 0 else f"visitor {n}" for n in range(count)], pa.string()),
            "level": pa.array([levels[n % 3] for n in range(count)], pa.string()),
            "age": pa.array([n % 80 for n in range(count)], pa.int64()),
            "unread": pa.array([[n] for n in range(count)], pa.list_(pa.int64())),
        }
    )


def skip_without(engine: str) -> None:
    if not PYTHON.exists():
        pytest.skip("no engines here: `make engines` sets them up")
    if engine in ("spark", "connect") and shutil.which("java") is None:
        pytest.skip("Spark needs Java: `make engines` installs it")


@pytest.fixture(params=["spark", "ray", "dask"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    skip_without(name)
    return name


def decide(engine: str, folder: Path, data: dict[str, Any], people: pa.Table, **job: Any) -> tuple[dict[str, Any], Any]:
    """What was seen of the job, and the rows that it wrote."""
    (folder / "visitors").mkdir()
    size = max(1, people.num_rows // 4)
    for number in range(4):
        part = people.slice(number * size, size if number < 3 else None)
        pq.write_table(part, folder / "visitors" / f"part-{number}.parquet")
    (folder / "rules.json").write_text(json.dumps(data))
    (folder / "job.json").write_text(json.dumps({"options": OPTIONS, "partitions": 4, **job}))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": str(PYTHON),
        "RAY_DISABLE_IMPORT_WARNING": "1",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(PYTHON), "-m", "tests.engines.drive", engine, str(folder)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            process.wait(_JOB_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert (folder / "seen.json").exists(), (folder / "log").read_text()[-3000:]
    seen = json.loads((folder / "seen.json").read_text())
    return seen, [] if "refused" in seen else pq.read_table(folder / "decided").to_pylist()


def expected(data: dict[str, Any], people: pa.Table) -> list[dict[str, Any]]:
    return BatchDecider(data, **OPTIONS)(people.select(["visitor_id", "level", "age"])).to_pylist()


def in_order(rows: Any) -> list[Any]:
    """Rows without an id stand for themselves by what is wrong, but for the row's number, which is the partition's."""
    plain = [{name: value for name, value in row.items() if name != "error"} for row in rows]
    return sorted(json.dumps(row, sort_keys=True) for row in plain)


def noted(folder: Path) -> dict[int, int]:
    """How many rows each process decided."""
    return {int(path.stem): sum(map(int, path.read_text().split())) for path in folder.glob("*.pid")}


def made_in(folder: Path) -> dict[int, int]:
    """How often each process that decided got the decider."""
    return {pid: len((folder / f"{pid}.made").read_text().split()) for pid in noted(folder)}


def test_every_row_is_as_the_decider_alone_decides_it(engine: str, tmp_path: Path) -> None:
    people = visitors()
    seen, rows = decide(engine, tmp_path, rules(), people)
    assert in_order(rows) == in_order(expected(rules(), people))
    assert sum(row["error"] is not None for row in rows) == 2 * len(range(0, ROWS, 97))
    assert seen["asked_at_once"] == 0  # it is lazy
    assert seen["pid"] not in noted(tmp_path)  # nothing is decided where the job is begun
    assert sum(noted(tmp_path).values()) == ROWS
    assert made_in(tmp_path) == dict.fromkeys(noted(tmp_path), 1)
    assert len(set(seen["partitions"].values())) <= 1


def test_a_killed_worker_costs_no_row(engine: str, tmp_path: Path) -> None:
    people = visitors()
    _, rows = decide(engine, tmp_path, rules(), people, kills=True)
    assert (tmp_path / "killed").exists()
    assert in_order(rows) == in_order(expected(rules(), people))


def test_rules_of_twenty_megabytes_are_taken_along(engine: str, tmp_path: Path) -> None:
    people, data = visitors(400), rules(bulk=20)
    assert len(json.dumps(data)) > 20 * 2**20
    _, rows = decide(engine, tmp_path, data, people)
    assert in_order(rows) == in_order(expected(data, people))


def test_spark_connect_takes_them_with_the_plan(tmp_path: Path) -> None:
    """Its client has no broadcast; a task brings the rules along, and each process reads them once all the same."""
    skip_without("connect")
    people, data = visitors(), rules(bulk=20)
    seen, rows = decide("connect", tmp_path, data, people)
    assert in_order(rows) == in_order(expected(data, people))
    assert seen["asked_at_once"] == 0
    assert seen["pid"] not in noted(tmp_path)
    assert sum(noted(tmp_path).values()) == ROWS
    assert made_in(tmp_path) == dict.fromkeys(noted(tmp_path), 1)


def test_ray_with_one_processor_reads_and_writes_beside_its_actor(tmp_path: Path) -> None:
    skip_without("ray")
    people = visitors(400)
    _, rows = decide("ray", tmp_path, rules(), people, processors=1)
    assert in_order(rows) == in_order(expected(rules(), people))


def test_partitions_may_be_skewed_and_empty(engine: str, tmp_path: Path) -> None:
    people = visitors()
    _, rows = decide(engine, tmp_path, rules(), people, skewed=True)
    assert in_order(rows) == in_order(expected(rules(), people))


def test_a_missing_column_is_refused_before_anything_runs(engine: str, tmp_path: Path) -> None:
    seen, _ = decide(engine, tmp_path, rules(), visitors(40).drop_columns(["level"]))
    assert "level" in seen["refused"]
    assert seen["asked_at_once"] == 0
