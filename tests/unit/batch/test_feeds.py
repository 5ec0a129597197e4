"""Files of visitors, read as Arrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from target.batch.errors import BatchError
from target.batch.feeds import open_feed


def read(path: Path, size: int = 100, skip: int = 0) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
    """Rows and problems, by number from 1."""
    feed = open_feed(path)
    rows: dict[int, dict[str, Any]] = {}
    problems: dict[int, str] = {}
    following = skip + 1
    for piece in feed.read(feed.schema.names, size, skip):
        assert piece.first == following
        following += piece.size
        assert piece.size <= size
        assert 0 < piece.done <= 1
        for batch, positions in piece.parts:
            for position, row in zip(positions or range(piece.size), batch.to_pylist(), strict=True):
                rows[piece.first + position] = row
        problems |= {piece.first + position: told for position, told in piece.problems.items()}
    assert len(rows) + len(problems) == following - skip - 1
    return dict(sorted(rows.items())), problems


def written(tmp_path: Path, name: str, text: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("size", [1, 2, 100])
def test_csv(tmp_path: Path, size: int) -> None:
    text = '\ufeffid,level\na,gold\n\nb,\nc\nd,"x\ny, ""z"""\n"e"f,g\nü,é\n'
    rows, problems = read(written(tmp_path, "v.csv", text), size)
    assert rows == {
        1: {"id": "a", "level": "gold"},
        2: {"id": "b", "level": None},
        4: {"id": "d", "level": 'x\ny, "z"'},
        6: {"id": "ü", "level": "é"},
    }
    assert problems.keys() == {3, 5}
    assert problems[3] == "it has 1 values, and the header 2"
    assert problems[5].startswith("it is no CSV:")
    assert read(tmp_path / "v.csv", size, skip=3)[0].keys() == {4, 6}


def test_csv_of_other_kinds(tmp_path: Path) -> None:
    assert read(written(tmp_path, "v.csv", "id;level\na;1,5\n"))[0] == {1: {"id": "a", "level": "1,5"}}
    assert read(written(tmp_path, "v.tsv", "id\tlevel\na\tb,c\n"))[0] == {1: {"id": "a", "level": "b,c"}}
    assert read(written(tmp_path, "b.csv", b"id\nok\nr\xf6t\n"))[1] == {2: "it is not UTF-8"}
    assert read(written(tmp_path, "v.csv", "id,level\n")) == ({}, {})


@pytest.mark.parametrize(("text", "told"), [("", "no header"), ("id,id\na,b\n", "names the column 'id' twice")])
def test_csv_without_a_header(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BatchError, match=told):
        open_feed(written(tmp_path, "v.csv", text))


@pytest.mark.parametrize("size", [1, 3, 100])
def test_json_lines(tmp_path: Path, size: int) -> None:
    lines = [
        '{"id": "a", "level": 1}',
        '{"id": 7, "level": "gold"}',
        "nonsense",
        '{"id": "b", "level": {"a": 1}}',
        "[1]",
        '{"id": "c", "level": true, "late": 1.5}',
        "",
        '{"id": "d", "level": 2.5}',
        '{"id": "e", "level": 99999999999999999999}',
        '{"id": "f", "level": "\\ud800"}',
    ]
    rows, problems = read(written(tmp_path, "v.jsonl", "\n".join(lines)), size)
    assert [(number, row["id"], row["level"], row["late"]) for number, row in rows.items()] == [
        (1, "a", 1, None),
        (2, 7, "gold", None),
        (6, "c", True, 1.5),
        (7, "d", 2.5, None),
        (8, "e", 1e20, None),
        (9, "f", "?", None),
    ]
    assert type(rows[6]["level"]) is bool
    assert problems.keys() == {3, 4, 5}
    assert problems[3].startswith("it is no JSON:")
    assert problems[4] == "level is an object"
    assert problems[5] == "it is list, not a JSON object"
    assert read(tmp_path / "v.jsonl", size, skip=6)[0].keys() == {7, 8, 9}


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("skip", [0, 1, 5, 6, 9, 12])
def test_parquet(tmp_path: Path, size: int, skip: int) -> None:
    table = pa.table({"id": [f"v{number}" for number in range(12)], "a.b": list(range(12))})
    pq.write_table(table, tmp_path / "v.parquet", row_group_size=5)
    rows, problems = read(tmp_path / "v.parquet", size, skip)
    assert (rows, problems) == ({number + 1: row for number, row in enumerate(table.to_pylist()) if number >= skip}, {})


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for name, told in (("v.txt", "ends in"), ("v.csv", "No such file"), ("v.parquet", "No such file")):
        with pytest.raises(BatchError, match=told):
            open_feed(tmp_path / name)
    with pytest.raises(BatchError, match="it is no Parquet that can be read"):
        open_feed(written(tmp_path, "v.parquet", "PAR1 and nothing"))
