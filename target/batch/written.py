"""Writes decisions to a file while they are made: CSV, JSON Lines, or Parquet.

Until all are there, the name of the file ends in ``.partial``; what a stopped run has written is whole up to there.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from target.batch.errors import BatchError
from target.batch.extra import require

PARTIAL = ".partial"
_FORMATS = ".csv, .jsonl, .ndjson or .parquet"


class Row(NamedTuple):
    """What one visitor got in one place; without a place, that it got nothing."""

    visitor: str
    kind: str
    place: str
    activity_id: str
    activity: str
    experience_id: str
    experience: str


def format_of(path: Path) -> str:
    """How decisions are written to a file of this name. Raises BatchError for what is none of that."""
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise BatchError(f"{path}: decisions are written to a file whose name ends in {_FORMATS}, not {suffix!r}")
    return suffix


def encode(rows: Iterable[Row], suffix: str) -> Any:
    """Rows as ``Written`` takes them: done where they are made, on many cores."""
    if suffix == ".parquet":
        return [list(column) for column in zip(*rows, strict=True)]
    text = io.StringIO()
    if suffix == ".csv":
        csv.writer(text, lineterminator="\n").writerows(rows)
    else:
        for row in rows:
            text.write(json.dumps(row._asdict(), ensure_ascii=False, separators=(",", ":")) + "\n")
    return text.getvalue().encode("utf-8", "backslashreplace")


class _Writer(Protocol):
    def write(self, encoded: Any) -> None: ...

    def close(self) -> None: ...


class Written:
    """A file of decisions that is being written.

    Args:
        path: Its name once it is complete.

    Raises:
        BatchError: It cannot be written, or its name says no format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial_path = path.with_name(path.name + PARTIAL)
        try:
            self._writer: _Writer = _WRITERS[format_of(path)](self.partial_path)
        except OSError as error:
            raise unwritable(path, error) from error

    def write(self, encoded: Any) -> None:
        """Add what ``encode`` gave."""
        try:
            self._writer.write(encoded)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def finish(self, *, partial: bool) -> Path:
        """Close it, and give it its name if it is complete. Returns the name that it has."""
        try:
            self._writer.close()
            if partial:
                return self.partial_path
            os.replace(self.partial_path, self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error
        return self.path


def unwritable(path: Path, error: Exception) -> BatchError:
    """The BatchError of a file that cannot be written."""
    return BatchError(f"{path}: it cannot be written: {getattr(error, 'strerror', None) or error}")


class _Lines:
    """Whole lines, handed to the system at once, so that a run that is killed leaves no half one."""

    def __init__(self, path: Path, header: bytes = b"") -> None:
        self._file = path.open("wb", buffering=0)
        self._file.write(header)

    def write(self, encoded: bytes) -> None:
        written = self._file.write(encoded)
        while written < len(encoded):  # a full disk raises; a signal may cut it short
            written += self._file.write(encoded[written:])

    def close(self) -> None:
        self._file.close()


def _csv(path: Path) -> _Writer:
    return _Lines(path, f"{','.join(Row._fields)}\n".encode())


class _Parquet:
    def __init__(self, path: Path) -> None:
        self._pyarrow = require("pyarrow", "writing Parquet")
        parquet = require("pyarrow.parquet", "writing Parquet")
        self._schema = self._pyarrow.schema([(name, self._pyarrow.string()) for name in Row._fields])
        self._writer = parquet.ParquetWriter(path, self._schema)

    def write(self, encoded: list[list[str]]) -> None:
        if encoded:
            self._writer.write_table(self._pyarrow.table(encoded, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


_WRITERS = {".csv": _csv, ".jsonl": _Lines, ".ndjson": _Lines, ".parquet": _Parquet}
