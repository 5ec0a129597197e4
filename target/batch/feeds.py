"""Visitors of a file as Arrow, some thousand at a time: Parquet as it is, CSV and JSON Lines line by line.

A line that makes no sense is a bad row, and ends nothing. Values of CSV are text, a blank one is none. Those of JSON
are what they are, and rows whose values are of different types stand in different batches of one piece.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from target.batch.errors import BatchError
from target.batch.extra import demand
from target.batch.tables import delimiter_of

pa = demand("pyarrow", "target.batch")
parquet = demand("pyarrow.parquet", "target.batch")

_FORMATS = ".csv, .tsv, .jsonl, .ndjson or .parquet"
_MOST_BYTES = 16_000_000  # of a line
_MOST_INTEGER = 2**63


class Part(NamedTuple):
    """Some rows of a piece. ``positions`` says which, from 0; None: all of them, in order."""

    batch: Any
    positions: list[int] | None


class Piece(NamedTuple):
    """Rows that stand one after the other in a file.

    Attributes:
        first: The number of the first, from 1.
        size: How many.
        parts: The rows.
        problems: Rows that cannot be read, by position from 0.
        done: The share of the file that has been read by now, 0 to 1.
    """

    first: int
    size: int
    parts: list[Part]
    problems: dict[int, str]
    done: float


class Feed(NamedTuple):
    """A file of visitors: the Arrow schema of its columns, and what reads some of them: their names, how many rows make
    a piece, and how many rows to pass over."""

    schema: Any
    read: Callable[[list[str], int, int], Iterator[Piece]]


_Rows = Iterator[list[Any] | str]  # values in the order of the columns, or what is wrong


def open_feed(path: Path) -> Feed:
    """The visitors of ``path``, which its name says how to read. Raises BatchError, also while they are read."""
    opener = _OPENERS.get(path.suffix.lower())
    if opener is None:
        raise BatchError(f"{path}: visitors are read from a file whose name ends in {_FORMATS}, not {path.suffix!r}")
    try:
        return opener(path)
    except OSError as error:
        raise BatchError(f"{path}: {error.strerror or error}") from error


def _open_parquet(path: Path) -> Feed:
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            schema = file.schema_arrow
    except pa.ArrowException as error:
        raise _no_parquet(path, error) from error

    def read(columns: list[str], size: int, skip: int) -> Iterator[Piece]:
        try:
            with parquet.ParquetFile(path, pre_buffer=False) as file:
                counts = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
                total, first, start = max(sum(counts), 1), 1, 0
                while start < len(counts) and first - 1 + counts[start] <= skip:  # whole row groups are passed over
                    first += counts[start]
                    start += 1
                wanted = range(start, len(counts))
                for batch in file.iter_batches(size, row_groups=wanted, columns=columns, use_threads=False):
                    kept = batch.slice(max(0, skip - first + 1))
                    first += batch.num_rows
                    if kept.num_rows:
                        begin = first - kept.num_rows
                        yield Piece(begin, kept.num_rows, [Part(kept, None)], {}, (first - 1) / total)
        except pa.ArrowException as error:
            raise _no_parquet(path, error) from error
        except OSError as error:
            raise BatchError(f"{path}: {error.strerror or error}") from error

    return Feed(schema, read)


def _no_parquet(path: Path, error: Exception) -> BatchError:
    lines = str(error).splitlines() or [type(error).__name__]
    return BatchError(f"{path}: it is no Parquet that can be read: {lines[0]}")


def _open_csv(path: Path, delimiter: str = ",") -> Feed:
    with path.open("rb") as binary:
        header = next(_csv_rows(binary, delimiter), None)
    if header is None or isinstance(header, str):
        raise BatchError(f"{path}: there is no header with the names of columns")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise BatchError(f"{path}: the header names the column {twice!r} twice")
    names: list[str] = header

    def rows(binary: Any, columns: list[str]) -> _Rows:
        places = [names.index(name) for name in columns]
        for values in itertools.islice(_csv_rows(binary, delimiter), 1, None):
            if isinstance(values, str):
                yield values
            elif len(values) != len(names):
                yield f"it has {len(values)} values, and the header {len(names)}"
            else:
                yield [values[place] or None for place in places]

    def build(columns: list[str], kept: list[tuple[int, list[Any]]]) -> list[Part]:
        arrays = [pa.array([values[place] for _, values in kept], pa.string()) for place in range(len(columns))]
        return [Part(pa.RecordBatch.from_arrays(arrays, names=columns), [position for position, _ in kept])]

    return Feed(pa.schema([(name, pa.string()) for name in names]), _reader(path, rows, build))


def _open_tsv(path: Path) -> Feed:
    return _open_csv(path, "\t")


def _csv_rows(binary: Any, delimiter: str) -> _Rows:
    """The records of a file, the header first; an empty line is none. Bytes that are no UTF-8 make a bad row."""
    lines = (line.decode("utf-8", "surrogateescape") for line in iter(lambda: binary.readline(_MOST_BYTES), b""))
    first = next(lines, "").removeprefix("\ufeff")
    reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter_of(first, delimiter), strict=True)
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            yield f"it is no CSV: {error}"
            continue
        if values is None:
            return
        if values:
            yield values if _is_text(values) else "it is not UTF-8"


def _is_text(values: list[str]) -> bool:
    text = "".join(values)
    return text.isascii() or not any("\ud800" <= character < "\ue000" for character in text)


def _open_json_lines(path: Path) -> Feed:
    """Rows may have different columns, so that all of the file is looked through for their names first."""
    names: dict[str, None] = {}
    with path.open("rb") as binary:
        for row in _objects(binary):
            if isinstance(row, dict):
                names |= dict.fromkeys(row)

    def rows(binary: Any, columns: list[str]) -> _Rows:
        for row in _objects(binary):
            if isinstance(row, str):
                yield row
                continue
            values = [_value(row.get(name)) for name in columns]
            odd = next((name for name, value in zip(columns, values, strict=True) if value is _ODD), None)
            yield values if odd is None else f"{odd} is {'an object' if isinstance(row[odd], dict) else 'a list'}"

    return Feed(pa.schema([(name, pa.string()) for name in names]), _reader(path, rows, _by_types))


_ODD = object()


def _objects(binary: Any) -> Iterator[dict[str, Any] | str]:
    for line in iter(lambda: binary.readline(_MOST_BYTES), b""):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield f"it is no JSON: {error}"
            continue
        yield row if isinstance(row, dict) else f"it is {type(row).__name__}, not a JSON object"


def _value(value: Any) -> Any:
    if isinstance(value, dict | list):
        return _ODD
    if isinstance(value, str) and not _is_text([value]):
        return value.encode("utf-8", "replace").decode()  # half a pair of surrogates, which is no text
    is_large = type(value) is int and not -_MOST_INTEGER <= value < _MOST_INTEGER
    return float(value) if is_large and abs(value) < 10**308 else value if not is_large else float("inf")


def _by_types(columns: list[str], kept: list[tuple[int, list[Any]]]) -> list[Part]:
    """Rows whose values have the same types, together: a column of Arrow holds one type."""
    alike: dict[tuple[type, ...], list[tuple[int, list[Any]]]] = {}
    common = [{type(values[place]) for _, values in kept} - {type(None)} for place in range(len(columns))]
    for position, values in kept:
        kinds = tuple(_kind(value, types) for value, types in zip(values, common, strict=True))
        alike.setdefault(kinds, []).append((position, values))
    parts = []
    for kinds, rows in alike.items():
        arrays = [pa.array([values[place] for _, values in rows], _TYPES[kind]) for place, kind in enumerate(kinds)]
        parts.append(Part(pa.RecordBatch.from_arrays(arrays, names=columns), [position for position, _ in rows]))
    return parts


_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), type(None): pa.null()}


def _kind(value: Any, types: set[type]) -> type:
    """The type of the column that a value can stand in; a null stands with the others where they are of one type."""
    return next(iter(types), type(None)) if value is None and len(types) < 2 else type(value)


def _reader(
    path: Path,
    rows: Callable[[Any, list[str]], _Rows],
    build: Callable[[list[str], list[tuple[int, list[Any]]]], list[Part]],
) -> Callable[[list[str], int, int], Iterator[Piece]]:
    def read(columns: list[str], size: int, skip: int) -> Iterator[Piece]:
        try:
            length = max(path.stat().st_size, 1)
            with path.open("rb") as binary:
                found = itertools.islice(rows(binary, columns), skip, None)
                first = skip + 1
                while chunk := list(itertools.islice(found, size)):
                    kept = [(place, values) for place, values in enumerate(chunk) if not isinstance(values, str)]
                    problems = {place: told for place, told in enumerate(chunk) if isinstance(told, str)}
                    parts = build(columns, kept) if kept else []
                    yield Piece(
                        first, len(chunk), _ordered(parts, len(chunk)), problems, min(binary.tell() / length, 1.0)
                    )
                    first += len(chunk)
        except OSError as error:
            raise BatchError(f"{path}: {error.strerror or error}") from error

    return read


def _ordered(parts: list[Part], size: int) -> list[Part]:
    """A single part that holds all rows needs no positions."""
    if len(parts) == 1 and parts[0].batch.num_rows == size:
        return [Part(parts[0].batch, None)]
    return parts


_OPENERS: dict[str, Callable[[Path], Feed]] = {
    ".csv": _open_csv,
    ".tsv": _open_tsv,
    ".jsonl": _open_json_lines,
    ".ndjson": _open_json_lines,
    ".parquet": _open_parquet,
}
