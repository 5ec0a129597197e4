"""Files of visitors, and what is said of those that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from target.batch.errors import BatchError
from target.batch.tables import read_batches


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(path: Path, size: int = 2) -> list[dict[str, Any]]:
    return [row for batch in read_batches(path, size) for row in batch.rows]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "id,x\na,1\nb,\n", [{"id": "a", "x": "1"}, {"id": "b", "x": ""}]),
        ("a.csv", '\ufeffid,x\r\na,"1\n2"\r\n\r\n', [{"id": "a", "x": "1\n2"}]),
        ("A.CSV", "id\n", []),
        ("a.csv", 'id;x\na;"1;5"\n', [{"id": "a", "x": "1;5"}]),
        ("a.tsv", "id\tx\na\t1\n", [{"id": "a", "x": "1"}]),
        (
            "a.jsonl",
            '{"id": "a"}\n\n{"id": "b", "parameters": {"x": 1}}',
            [{"id": "a"}, {"id": "b", "parameters": {"x": 1}}],
        ),
        ("a.ndjson", "", []),
    ],
)
def test_rows_are_read_by_the_name_of_the_file(tmp_path: Path, name: str, content: str, expected: Any) -> None:
    assert rows(write(tmp_path, name, content)) == expected


def test_batches_say_where_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id\n" + "".join(f"{number}\n" for number in range(5)))
    batches = list(read_batches(path, 2))
    assert [(batch.first, len(batch.rows)) for batch in batches] == [(1, 2), (3, 2), (5, 1)]
    assert batches[-1].read == 1.0


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", "", "row 1: there is no header"),
        ("a.csv", "id,id\n", "row 1: the header names the column 'id' twice"),
        ("a.csv", "id,x\na,1\nb\n", r"row 2: it has 1 values \(line 3\), and the header 2"),
        ("a.csv", b"id\nok\n\xff\n", "row 2: it is not UTF-8"),
        ("a.csv", 'id\n"a', "row 1: unexpected end of data"),
        ("a.jsonl", '{"id": "a"}\n{"id": }\n', "row 2: it is no JSON: Expecting value at character 8"),
        ("a.jsonl", "[1]\n", "row 1: it is list, not a JSON object"),
        ("a.jsonl", "[" * 100_000, "row 1: "),
        ("a.txt", "a\n", "whose name ends in .csv, .tsv, .jsonl, .ndjson or .parquet, not '.txt'"),
        ("a.parquet", "not parquet", "row 1: it is no Parquet that can be read"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(tmp_path: Path, name: str, content: str | bytes, why: str) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    path = write(tmp_path, name, content)
    with pytest.raises(BatchError, match=why) as failed:
        rows(path)
    assert str(failed.value).startswith(f"{path}: ")
    assert "\n" not in str(failed.value)


def test_a_line_without_end_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("target.batch.tables._MOST_BYTES", 1000)
    for name in ("a.csv", "a.jsonl"):
        with pytest.raises(BatchError, match="row 1: a line of it has more than 1,000 bytes"):
            rows(write(tmp_path, name, "x" * 5000))


def test_rows_before_a_broken_one_are_given(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id\na\nb\nc\nd,d\n")
    batches = read_batches(path, 2)
    assert [next(batches).first, next(batches).rows] == [1, [{"id": "c"}]]
    with pytest.raises(BatchError, match="row 4"):
        next(batches)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match=r"gone\.csv: No such file or directory"):
        rows(tmp_path / "gone.csv")


def test_parquet_is_read_with_objects_in_it(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    data: list[dict[str, Any]] = [{"id": str(number), "parameters": {"x": "1"}} for number in range(5)]
    parquet.write_table(pyarrow.Table.from_pylist(data), tmp_path / "a.parquet")
    batches = list(read_batches(tmp_path / "a.parquet", 2))
    assert [row for batch in batches for row in batch.rows] == data
    assert [batch.first for batch in batches] == [1, 3, 5]
    assert json.dumps(batches[0].rows[0]) == '{"id": "0", "parameters": {"x": "1"}}'
