"""Writes answers to a file while they are made, so that what a stopped run has written can be gone on from.

Until all are there, the name of the file ends in ``.partial``, and a small file beside it (``.partial.json``) says of
which job it is, when it decides, and how far it came.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from target.batch.errors import BatchError
from target.batch.extra import demand
from target.batch.written import PARTIAL, unwritable

pa = demand("pyarrow", "target.batch")
arrow_csv = demand("pyarrow.csv", "target.batch")
parquet = demand("pyarrow.parquet", "target.batch")

_FORMATS = (".csv", ".jsonl", ".ndjson", ".parquet")
#: Of which columns Parquet keeps the least and the largest value of each row group, to be passed over by.
_WITH_STATISTICS = ["mbox", "status", "activity_id", "experience_id", "error"]


class State(NamedTuple):
    """How far a job came: what it is, when it decides (epoch seconds), how many rows are decided, and the bytes that
    tell of them."""

    job: str
    at_s: float
    rows: int
    size: int


def check_out(path: Path) -> str:
    """How answers are written to a file of this name. Raises BatchError for what is none of that."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise BatchError(f"{path}: answers are written to a file whose name ends in {', '.join(_FORMATS)}")
    return suffix


def read_state(path: Path) -> State | None:
    """How far a job came that wrote to ``path``; None where there is nothing to go on from."""
    try:
        state = State(**json.loads(_state_path(path).read_bytes()))
        return state if _partial_path(path).exists() else None
    except (OSError, ValueError, TypeError):
        return None


def encode(batch: Any, suffix: str, *, with_header: bool) -> Any:
    """Answers as a Sink takes them: done where they are made, on many cores."""
    if suffix == ".parquet":
        return batch
    if suffix == ".csv":
        plain = pa.Table.from_batches([batch]).cast(_plain(batch.schema))
        sink = pa.BufferOutputStream()
        arrow_csv.write_csv(plain, sink, arrow_csv.WriteOptions(include_header=with_header))
        return sink.getvalue().to_pybytes()
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in batch.to_pylist())
    return "".join(f"{line}\n" for line in lines).encode()


class Sink:
    """A file of answers that is being written.

    Args:
        path: Its name once it is complete.
        schema: Of the answers.
        state: Where to go on from; without rows, from the beginning.
        mboxes: How many answers each row has.

    Raises:
        BatchError: It cannot be written, or what is there cannot be gone on from.
    """

    def __init__(self, path: Path, schema: Any, state: State, mboxes: int) -> None:
        self._path = path
        self._partial = _partial_path(path)
        self.state = state
        try:
            if check_out(path) == ".parquet":
                self._writer: _Writer = _Parquet(self._partial, schema, state.rows * mboxes)
            else:
                self._writer = _Lines(self._partial, state.size)
            self._keep()
        except (OSError, pa.ArrowException) as error:
            raise unwritable(path, error) from error

    def write(self, encoded: Any, rows: int) -> None:
        """Add what ``encode`` gave for so many rows."""
        try:
            size = self._writer.write(encoded)
            self.state = self.state._replace(rows=self.state.rows + rows, size=size)
            self._keep()
        except (OSError, pa.ArrowException) as error:
            raise unwritable(self._path, error) from error

    def finish(self, *, partial: bool) -> Path:
        """Close it, and give it its name if it is complete. Returns the name that it has."""
        try:
            self._writer.close()
            if partial:
                return self._partial
            os.replace(self._partial, self._path)
            _state_path(self._path).unlink(missing_ok=True)
        except (OSError, pa.ArrowException) as error:
            raise unwritable(self._path, error) from error
        return self._path

    def _keep(self) -> None:
        """Whole or not at all, and after what it tells of."""
        path = _state_path(self._path)
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(json.dumps(self.state._asdict()), encoding="utf-8")
        os.replace(fresh, path)


class _Writer(Protocol):
    def write(self, encoded: Any) -> int: ...

    def close(self) -> None: ...


class _Lines:
    def __init__(self, path: Path, size: int) -> None:
        self._file = path.open("r+b" if size else "wb", buffering=0)
        self._file.truncate(size)  # what follows was not finished
        self._size = self._file.seek(size)

    def write(self, encoded: bytes) -> int:
        written = 0
        while written < len(encoded):  # a full disk raises; a signal may cut it short
            written += self._file.write(encoded[written:]) or 0
        self._size += written
        return self._size

    def close(self) -> None:
        self._file.close()


class _Parquet:
    """Answers in row groups. What was written before is copied, since nothing can be added to a file of Parquet."""

    def __init__(self, path: Path, schema: Any, answers: int) -> None:
        earlier = path.with_name(f"{path.name}.earlier")
        if answers:
            if not earlier.exists():  # else the last one was stopped while it copied
                os.replace(path, earlier)
            _check_parquet(earlier, path, answers)
        self._writer = parquet.ParquetWriter(
            path, schema, write_statistics=_WITH_STATISTICS, dictionary_pagesize_limit=1 << 24
        )
        if answers:
            with parquet.ParquetFile(earlier, pre_buffer=False) as file:
                for number in range(file.num_row_groups):
                    self._writer.write_table(file.read_row_group(number).cast(schema))
            earlier.unlink()

    def write(self, encoded: Any) -> int:
        self._writer.write_batch(encoded)
        return 0

    def close(self) -> None:
        self._writer.close()


def _check_parquet(earlier: Path, path: Path, answers: int) -> None:
    try:
        with parquet.ParquetFile(earlier, pre_buffer=False) as file:
            found = file.metadata.num_rows
    except pa.ArrowException:
        os.replace(earlier, path)
        found = None
    if found != answers:
        raise BatchError(
            f"{path}: it is not whole, as after a run that was killed: start once more without going on from it"
        )


def _plain(schema: Any) -> Any:
    return pa.schema(
        [each.with_type(pa.string() if pa.types.is_dictionary(each.type) else each.type) for each in schema]
    )


def _partial_path(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL)


def _state_path(path: Path) -> Path:
    return path.with_name(f"{path.name}{PARTIAL}.json")
