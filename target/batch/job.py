"""Decides a file of visitors into a file of answers, over all cores, in order; what was stopped can be gone on from."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from target.batch.decider import BatchDecider
from target.batch.errors import BatchError
from target.batch.extra import demand
from target.batch.feeds import Feed, Piece, open_feed
from target.batch.pool import processes_for, run
from target.batch.sinks import Sink, State, check_out, encode, read_state
from target.errors import OptionsError

pa = demand("pyarrow", "target.batch")

Progress = Callable[[int, float], object]


class Decided(NamedTuple):
    """What came of a job.

    Attributes:
        rows: How many visitors were decided for, those of an earlier run included.
        bad: How many of those of this run are bad rows.
        partial: Whether it was stopped before the end.
        out: The file that holds the answers.
        processes: How many processes decided.
    """

    rows: int
    bad: int
    partial: bool
    out: Path
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be decided.

    Attributes:
        text: The rules.
        visitors: A file of visitors: CSV, JSON Lines or Parquet.
        out: Where answers go: CSV, JSON Lines or Parquet.
        at_s: When to decide, in epoch seconds.
        options: The other options of a BatchDecider, plain data.
    """

    text: bytes
    visitors: Path
    out: Path
    at_s: float
    options: dict[str, Any]

    def digest(self) -> str:
        """What tells this job from others, whenever it decides."""
        found = self.visitors.stat()
        told = [self.options, str(self.visitors.resolve()), found.st_size, found.st_mtime_ns, self.out.suffix.lower()]
        return hashlib.sha256(self.text + json.dumps(told, sort_keys=True).encode()).hexdigest()


class _Deciding(NamedTuple):
    """The work of each process."""

    text: bytes
    options: dict[str, Any]
    at_s: float
    suffix: str

    def start(self) -> Callable[[Piece], tuple[Any, int]]:
        decider = BatchDecider(self.text, at=self.at_s, **self.options)
        if multiprocessing.parent_process() is not None:
            pa.set_cpu_count(1)  # each process has a core

        def do(piece: Piece) -> tuple[Any, int]:
            batch = decide_piece(decider, piece)
            bad = len(batch) - batch.column("error").null_count
            return encode(batch, self.suffix, with_header=piece.first == 1), bad // len(decider.mboxes)

        return do


def decide_piece(decider: BatchDecider, piece: Piece) -> Any:
    """The answers to all rows of a piece, in order: a RecordBatch."""
    problems = dict(piece.problems)
    decided: list[Any] = []
    positions: list[int] = []
    for batch, given in piece.parts:
        own = given or range(piece.size)
        try:
            decided.append(decider.decide(batch, [piece.first + position for position in own]))
            positions += own
        except OptionsError as error:  # rows of JSON of which an id is a flag, say
            problems |= dict.fromkeys(own, str(error))
    if not problems and len(decided) == 1 and piece.parts[0].positions is None:
        return decided[0]
    if problems:
        bad = sorted(problems)
        told = [f"row {piece.first + position}: {problems[position]}" for position in bad]
        decided.append(_unreadable(decider, told))
        positions += bad
    count = len(decider.mboxes)
    order = sorted(range(piece.size), key=positions.__getitem__)
    turns = pa.array([row * count + mbox for row in order for mbox in range(count)], pa.int64())
    table = pa.Table.from_batches(decided).unify_dictionaries().combine_chunks().take(turns).combine_chunks()
    return table.to_batches()[0]


def _unreadable(decider: BatchDecider, told: list[str]) -> Any:
    """The answers to rows that cannot be read, of each of which something is told."""
    batch = decider.decide(
        pa.RecordBatch.from_pydict({name: pa.nulls(len(told)) for name in decider.columns}), range(len(told))
    )
    errors = pa.array([text for text in told for _ in decider.mboxes], pa.string())
    return batch.set_column(batch.schema.get_field_index("error"), "error", errors)


def decide_file(
    job: Job,
    *,
    resume: bool = False,
    processes: int | None = None,
    on_progress: Progress | None = None,
) -> Decided:
    """Decide all visitors of a file.

    Args:
        job: What is to be decided.
        resume: Go on from where an earlier run of the same job was stopped; with its moment, whatever ``job.at_s``.
        processes: How many to use; None for as many as is worth it.
        on_progress: Is told how many visitors are done, and which share of all, 0 to 1.

    Returns:
        What came of it; after Ctrl-C (KeyboardInterrupt) that it is partial.

    Raises:
        BatchError: A file cannot be read, written or gone on from.
        OptionsError: An option is none that it can be; a column is missing, or cannot be read.
        ArtifactError: The rules are none.
    """
    suffix = check_out(job.out)
    feed = open_feed(job.visitors)
    state = _state_of(job, resume)
    decider = BatchDecider(job.text, at=state.at_s, **job.options)
    columns = decider.check(feed.schema)
    used = processes_for(job.visitors, 0, processes)
    work = _Deciding(job.text, job.options, state.at_s, suffix)
    sink = Sink(job.out, decider.schema, state, len(decider.mboxes))
    bad, partial = 0, False
    try:
        with closing(run(work, _pieces(feed, columns, decider, state), used, ahead=1)) as results:
            for piece, (encoded, count) in results:
                sink.write(encoded, piece.size)
                bad += count
                if on_progress is not None:
                    on_progress(sink.state.rows, piece.done)
    except KeyboardInterrupt:
        partial = True
    except BaseException:
        sink.finish(partial=True)
        raise
    return Decided(sink.state.rows, bad, partial, sink.finish(partial=partial), used)


def _pieces(feed: Feed, columns: list[str], decider: BatchDecider, state: State) -> Iterator[Piece]:
    return feed.read(columns, decider.rows_at_once, state.rows)


def _state_of(job: Job, resume: bool) -> State:
    fresh = State(job.digest(), job.at_s, 0, 0)
    if not resume:
        return fresh
    state = read_state(job.out)
    if state is None:
        return fresh  # nothing was written yet
    if state.job != fresh.job:
        raise BatchError(
            f"{job.out}: what was written of it is of another job (other rules, options or visitors): "
            "start once more without going on from it"
        )
    return state
