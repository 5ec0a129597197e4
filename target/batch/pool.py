"""Runs work over all cores, a chunk of visitors at a time, in order and in bounded memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import connection
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from target.batch.errors import BatchError
from target.batch.tables import BATCH_ROWS, read_batches

_AHEAD_PER_PROCESS = 4  # results that wait for an earlier one
#: Below so many visitors it takes longer to start processes than to do without.
WORTH_PROCESSES = 20_000
WORTH_PROCESSES_BYTES = 500_000  # of a file

_Pipe = connection.Connection


class Chunk(NamedTuple):
    """Some visitors that come one after the other.

    Attributes:
        first: The number of the first, from 1.
        size: How many.
        rows: Their rows; None for visitors that are made up.
        done: The share of all visitors that has been given out by now, 0 to 1.
    """

    first: int
    size: int
    rows: list[dict[str, Any]] | None
    done: float


Item_contra = TypeVar("Item_contra", contravariant=True)
Item = TypeVar("Item")
Result_co = TypeVar("Result_co", covariant=True)
Result = TypeVar("Result")


class Work(Protocol[Item_contra, Result_co]):
    """What is to be done; it is sent to the processes, each of which starts it once."""

    def start(self) -> Callable[[Item_contra], Result_co]:
        """What does it for one chunk."""
        ...


def chunks_of(path: Path | None, count: int) -> Iterator[Chunk]:
    """The visitors of a file, or ``count`` that are made up. Raises BatchError where a row makes no sense."""
    if path is not None:
        for batch in read_batches(path):
            yield Chunk(batch.first, len(batch.rows), batch.rows, batch.read)
        return
    for start in range(0, count, BATCH_ROWS):
        stop = min(start + BATCH_ROWS, count)
        yield Chunk(start + 1, stop - start, None, stop / count)


def run(
    work: Work[Item, Result], chunks: Iterable[Item], processes: int, *, ahead: int = _AHEAD_PER_PROCESS
) -> Generator[tuple[Item, Result], None, None]:
    """What ``work`` makes of each chunk, in order; with one process, in this one. To be closed, which ends the others.

    Of results that wait for an earlier one there are at most ``ahead`` for each process.

    Raises:
        BatchError: A process ended by itself, or what ``work`` or ``chunks`` raised; after all results before it.
    """
    if processes <= 1:
        do = work.start()
        for chunk in chunks:
            yield chunk, do(chunk)
        return
    source = enumerate(chunks)
    free = [_Worker(work) for _ in range(processes)]
    workers = {worker.pipe: worker for worker in free}
    results: dict[int, tuple[Item, Any]] = {}
    failed: BatchError | None = None
    turn, has_more = 0, True
    try:
        while has_more or len(free) < processes or results:
            while free and has_more and len(results) < processes * ahead:
                try:
                    number, chunk = next(source)
                except StopIteration:
                    has_more = False
                except BatchError as error:
                    failed, has_more = error, False
                else:
                    free.pop().begin(number, chunk)
            if turn in results:
                chunk, result = results.pop(turn)
                turn += 1
                if isinstance(result, BaseException):
                    raise result
                yield chunk, result
                continue
            for pipe in connection.wait([pipe for pipe, worker in workers.items() if worker not in free]):
                worker = workers[cast("_Pipe", pipe)]
                results[worker.number] = worker.end()
                free.append(worker)
    finally:
        for worker in workers.values():
            worker.kill()
    if failed is not None:
        raise failed


class _Worker:
    """A process that does one chunk after the other.

    All that joins the two is a pipe, of which nobody else has an end: a process whose parent was killed reads its end
    and goes, too. It is never sent a chunk before its last result was read, so that neither waits for the other.
    """

    def __init__(self, work: Work[Any, Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, inner = context.Pipe()
        self.number = -1
        self._chunk: Any = None
        self._process = context.Process(target=_do_all, args=(work, inner), daemon=True)
        with _deaf_to_interrupts():
            self._process.start()
        inner.close()

    def begin(self, number: int, chunk: Any) -> None:
        """Give it a chunk."""
        self.number, self._chunk = number, chunk
        with contextlib.suppress(OSError):  # it is gone, which ``end`` tells
            self.pipe.send(chunk)

    def end(self) -> tuple[Any, Any]:
        """The chunk, and what it made of it, or the error that it raised."""
        try:
            return self._chunk, self.pipe.recv()
        except (EOFError, OSError):
            return self._chunk, BatchError("A process that decided for visitors was ended, or ran out of memory")

    def kill(self) -> None:
        """End it: what it has not told is not needed."""
        self.pipe.close()
        self._process.kill()
        self._process.join()
        self._process.close()


def _do_all(work: Work[Any, Any], pipe: _Pipe) -> None:
    """What a process does until its parent is done or gone. Ctrl-C, which a terminal sends to all, is the parent's."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    do = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            chunk = pipe.recv()
            try:
                do = do or work.start()
                result = do(chunk)
            except Exception as error:  # noqa: BLE001 - the parent raises it
                result = error
            pipe.send(result)


def processes_for(path: Path | None, count: int, wanted: int | None) -> int:
    """How many processes to use for a file, or ``count`` visitors: as wanted, else all cores where that is worth it."""
    if wanted is not None:
        return wanted
    if path is not None:
        is_worth_it = path.exists() and path.stat().st_size >= WORTH_PROCESSES_BYTES
    else:
        is_worth_it = count >= WORTH_PROCESSES
    if not is_worth_it:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes begun in here leave Ctrl-C, which a terminal sends to all of them, to the one that began them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
