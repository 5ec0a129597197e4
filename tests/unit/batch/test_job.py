"""Files of visitors decided into files of answers: in order, over processes, and gone on from after a stop."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from target import OptionsError
from target.batch import BatchDecider
from target.batch.decider import BatchDecider as _Decider
from target.batch.errors import BatchError
from target.batch.job import Decided, Job, decide_file
from target.batch.sinks import read_state
from tests.kit.explained import var
from tests.kit.rules import NOW_S, build_artifact, build_offer, build_rule

ARTIFACT = build_artifact(
    build_rule({"==": ["gold", var("mbox.level")]}, 1),
    build_offer({"<": [var("allocation"), 50]}, 2, {"type": "html", "content": 'a\n"b", ${level}'}),
)
OPTIONS: dict[str, Any] = {
    "mboxes": ["hero", "quiet"],
    "client": "acme",
    "id_columns": {"tnt_id": "id"},
    "parameters": {"level": "level"},
}
COUNT = 60
VISITORS = [{"id": f"v{number}", "level": ["gold", "red", None][number % 3]} for number in range(COUNT)]
VISITORS[40]["id"] = None
WANTED = BatchDecider(ARTIFACT, **OPTIONS, at=NOW_S)(pa.RecordBatch.from_pylist(VISITORS)).to_pylist()
SUFFIXES = [".csv", ".jsonl", ".parquet"]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Decider, "rows_at_once", 8)


def job(folder: Path, suffix: str = ".jsonl", out: str = ".jsonl", **changes: Any) -> Job:
    """A job whose visitors are written to a file of that kind."""
    path = folder / f"visitors{suffix}"
    if not path.exists():
        if suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(VISITORS), path, row_group_size=25)
        elif suffix == ".csv":
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, ["id", "level"])
                writer.writeheader()
                writer.writerows(VISITORS)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in VISITORS))
    made = {"text": json.dumps(ARTIFACT).encode(), "visitors": path, "out": folder / f"out{out}", "at_s": NOW_S}
    return Job(**{**made, "options": OPTIONS, **changes})


def answers(path: Path) -> list[dict[str, Any]]:
    """What a file of answers says."""
    kind = path.name.removesuffix(".partial").rpartition(".")[2]
    if kind == "parquet":
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    if kind == "jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        found = [{name: value or None for name, value in row.items()} for row in csv.DictReader(file)]
    return [{**row, "bucket": row["bucket"] and float(row["bucket"])} for row in found]


def stopped_after(pieces: int) -> Any:
    """What interrupts a run once so many pieces are written."""
    count = 0

    def tell(_: int, __: float) -> None:
        nonlocal count
        count += 1
        if count == pieces:
            raise KeyboardInterrupt

    return tell


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("out", SUFFIXES)
def test_every_format_into_every_other(tmp_path: Path, suffix: str, out: str) -> None:
    told: list[tuple[int, float]] = []
    wanted = job(tmp_path, suffix, out)
    done = decide_file(wanted, on_progress=lambda rows, share: told.append((rows, share)))
    assert done == Decided(COUNT, 1, False, wanted.out, 1)
    assert answers(wanted.out) == WANTED
    assert told[-1] == (COUNT, 1.0)
    assert sorted(told) == told
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([wanted.out.name, wanted.visitors.name])


@pytest.mark.waits
def test_over_processes_in_order(tmp_path: Path) -> None:
    for out in SUFFIXES:
        wanted = job(tmp_path, ".parquet", out)
        assert decide_file(wanted, processes=3).processes == 3
        assert answers(wanted.out) == WANTED


@pytest.mark.parametrize("out", SUFFIXES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_stopped_run_leaves_a_whole_file_and_is_gone_on_from(tmp_path: Path, suffix: str, out: str) -> None:
    wanted = job(tmp_path, suffix, out)
    done = decide_file(wanted, on_progress=stopped_after(3))
    assert done.partial
    assert done.out.name == f"out{out}.partial"
    assert answers(done.out) == WANTED[: done.rows * 2]
    assert not wanted.out.exists()
    again = decide_file(wanted, resume=True, on_progress=stopped_after(2))
    assert again.rows > done.rows
    assert answers(again.out) == WANTED[: again.rows * 2]
    later = job(tmp_path, suffix, out, at_s=NOW_S + 1e8)  # with the moment of the first run, all the same
    assert decide_file(later, resume=True, processes=2) == Decided(COUNT, 1, False, wanted.out, 2)
    assert answers(wanted.out) == WANTED
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([wanted.out.name, wanted.visitors.name])


@pytest.mark.parametrize("out", [".csv", ".jsonl"])
def test_half_a_line_of_a_run_that_was_killed_is_written_anew(tmp_path: Path, out: str) -> None:
    wanted = job(tmp_path, out=out)
    done = decide_file(wanted, on_progress=stopped_after(3))
    with done.out.open("ab") as file:
        file.write(b'{"visitor":"half, "a')
    decide_file(wanted, resume=True)
    assert answers(wanted.out) == WANTED


def test_parquet_of_a_run_that_was_killed_has_to_begin_anew(tmp_path: Path) -> None:
    wanted = job(tmp_path, out=".parquet")
    done = decide_file(wanted, on_progress=stopped_after(3))
    done.out.write_bytes(done.out.read_bytes()[:-20])
    with pytest.raises(BatchError, match="it is not whole, as after a run that was killed"):
        decide_file(wanted, resume=True)
    decide_file(wanted)
    assert answers(wanted.out) == WANTED


def test_parquet_whose_copy_was_killed_is_copied_once_more(tmp_path: Path) -> None:
    wanted = job(tmp_path, out=".parquet")
    done = decide_file(wanted, on_progress=stopped_after(3))
    done.out.rename(done.out.with_name(f"{done.out.name}.earlier"))
    done.out.write_bytes(b"PAR1")
    decide_file(wanted, resume=True)
    assert answers(wanted.out) == WANTED


def test_another_job_is_not_gone_on_from(tmp_path: Path) -> None:
    decide_file(job(tmp_path), on_progress=stopped_after(3))
    other = job(tmp_path, options={**OPTIONS, "client": "other"})
    with pytest.raises(BatchError, match="of another job"):
        decide_file(other, resume=True)
    assert read_state(other.out) is not None  # and what was written is still there
    assert decide_file(other).rows == COUNT


def test_with_nothing_to_go_on_from_it_begins(tmp_path: Path) -> None:
    wanted = job(tmp_path)
    assert decide_file(wanted, resume=True).rows == COUNT
    assert answers(wanted.out) == WANTED


def test_ids_that_are_none_are_bad_rows(tmp_path: Path) -> None:
    rows = [{"id": "a"}, {"id": True}, {"id": 1.5}, {"id": 7}, {"id": [1]}, {"id": "b", "level": "gold"}]
    path = tmp_path / "odd.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "no JSON\n")
    wanted = job(tmp_path, visitors=path)
    assert decide_file(wanted).bad == 4
    told = answers(wanted.out)[::2]
    assert [row["visitor"] for row in told] == ["a", None, None, "7", None, "b", None]
    assert [row["error"] and row["error"].partition(":")[0] for row in told] == [
        *(None, "row 2", "row 3", None, "row 5", None, "row 7")
    ]
    assert told[1]["error"].startswith("row 2: The column 'id', named for id.tntId, is of the type bool")


def test_a_mistake_leaves_no_file(tmp_path: Path) -> None:
    for wrong in ({"id_columns": {"tnt_id": "nobody"}}, {"mboxes": ["nowhere"]}):
        with pytest.raises(OptionsError):
            decide_file(job(tmp_path, options={**OPTIONS, **wrong}))
    with pytest.raises(BatchError, match="it cannot be written"):
        decide_file(job(tmp_path, out="/no/such/folder.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["visitors.jsonl"]


def test_no_visitors(tmp_path: Path) -> None:
    for suffix, text in ((".csv", "id,level\n"), (".jsonl", "")):
        path = tmp_path / f"none{suffix}"
        path.write_text(text)
        if suffix == ".csv":
            assert decide_file(job(tmp_path, visitors=path, out=".parquet")).rows == 0
            assert answers(tmp_path / "out.parquet") == []
        else:
            with pytest.raises(OptionsError, match="has no column 'id'"):
                decide_file(job(tmp_path, visitors=path))
