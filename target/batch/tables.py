"""Reads visitors from a file, a batch of rows at a time: CSV, JSON Lines, or Parquet."""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from target.batch.errors import BatchError
from target.batch.extra import require

BATCH_ROWS = 2000
_MOST_BYTES = 16_000_000  # of a line
_FORMATS = ".csv, .tsv, .jsonl, .ndjson or .parquet"


class Rows(NamedTuple):
    """Rows that stand one after the other in a file.

    Attributes:
        first: The number of the first, from 1.
        rows: Values by column.
        read: The share of the file that has been read by now, 0 to 1.
    """

    first: int
    rows: list[dict[str, Any]]
    read: float


def read_batches(path: Path, size: int = BATCH_ROWS) -> Iterator[Rows]:
    """The rows of ``path``, which its name says how to read, in batches of ``size``.

    Raises:
        BatchError: It cannot be read, or a row makes no sense; names the row. What was read before it is given first.
    """
    suffix = path.suffix.lower()
    read = _READERS.get(suffix)
    if read is None:
        raise BatchError(f"{path}: visitors are read from a file whose name ends in {_FORMATS}, not {suffix!r}")
    try:
        yield from read(path, size)
    except OSError as error:
        raise BatchError(f"{path}: {error.strerror or error}") from error


def _read_lines(path: Path, size: int, open_rows: Callable[[Any], Iterator[dict[str, Any]]]) -> Iterator[Rows]:
    length = max(path.stat().st_size, 1)
    with path.open("rb") as binary:
        lines = _decode(binary)
        rows = open_rows(lines)
        first = 1
        while True:
            batch: list[dict[str, Any]] = []
            try:
                batch.extend(itertools.islice(rows, size))
                failed = None
            except (ValueError, csv.Error, RecursionError) as error:
                failed = error
            if batch:
                yield Rows(first, batch, min(binary.tell() / length, 1.0))
                first += len(batch)
            if failed is not None:
                raise BatchError(f"{path}: row {first}: {failed}") from failed
            if len(batch) < size:
                return


def _decode(binary: Any) -> Iterator[str]:
    """The lines of a file; ends of lines are kept, since a quoted value may hold some."""
    for number, line in enumerate(iter(lambda: binary.readline(_MOST_BYTES), b""), 1):
        if len(line) >= _MOST_BYTES:
            raise ValueError(f"a line of it has more than {_MOST_BYTES:,} bytes")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise ValueError("it is not UTF-8") from None


def delimiter_of(header: str, usual: str) -> str:
    """What stands between values: a semicolon is what spreadsheets write where a comma is part of a number."""
    return ";" if usual not in header and ";" in header else usual


def _read_csv(path: Path, size: int, delimiter: str = ",") -> Iterator[Rows]:
    def open_rows(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
        first = next(lines, "")
        reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter_of(first, delimiter), strict=True)
        header = next(reader, None)
        if not header:
            raise ValueError("there is no header with the names of columns")
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"the header names the column {twice!r} twice")
        for values in reader:
            if len(values) == len(header):
                yield dict(zip(header, values, strict=True))
            elif values:  # an empty line is none
                raise ValueError(f"it has {len(values)} values (line {reader.line_num}), and the header {len(header)}")

    return _read_lines(path, size, open_rows)


def _read_tsv(path: Path, size: int) -> Iterator[Rows]:
    return _read_csv(path, size, "\t")


def _read_json_lines(path: Path, size: int) -> Iterator[Rows]:
    def open_rows(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
        for line in lines:
            if line.isspace() or not line:
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"it is no JSON: {error.msg} at character {error.colno}") from None
            if not isinstance(row, dict):
                raise ValueError(f"it is {type(row).__name__}, not a JSON object")
            yield row

    return _read_lines(path, size, open_rows)


def _read_parquet(path: Path, size: int) -> Iterator[Rows]:
    parquet = require("pyarrow.parquet", "reading Parquet")
    pyarrow = require("pyarrow", "reading Parquet")
    first = 1
    try:
        with parquet.ParquetFile(path) as file:
            total = max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(batch_size=size):
                rows = batch.to_pylist()
                if rows:
                    yield Rows(first, rows, min((first + len(rows) - 1) / total, 1.0))
                    first += len(rows)
    except (pyarrow.ArrowException, ValueError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise BatchError(f"{path}: row {first}: it is no Parquet that can be read: {lines[0]}") from error


_READERS: dict[str, Callable[[Path, int], Iterator[Rows]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}


def is_readable(path: os.PathLike[str]) -> bool:
    """Whether a file of this name is one of a kind that can be read."""
    return Path(path).suffix.lower() in _READERS
