"""Runs work over all cores, a chunk of visitors at a time, in order and in bounded memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from target.batch.errors import BatchError
from target.batch.tables import BATCH_ROWS, read_batches

_WAITING_PER_PROCESS = 3
#: Below so many visitors it takes longer to start processes than to do without.
WORTH_PROCESSES = 20_000
WORTH_PROCESSES_BYTES = 500_000  # of a file


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


Result_co = TypeVar("Result_co", covariant=True)


class Work(Protocol[Result_co]):
    """What is to be done; it is sent to the processes, each of which starts it once."""

    def start(self) -> Callable[[Chunk], Result_co]:
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


def run(work: Work[Result_co], chunks: Iterable[Chunk], processes: int) -> Iterator[tuple[Chunk, Result_co]]:
    """What ``work`` makes of each chunk, in order. With one process, in this one.

    Raises:
        BatchError: A process ended by itself, or what ``work`` or ``chunks`` raised; after all results before it.
    """
    if processes <= 1:
        do = work.start()
        for chunk in chunks:
            yield chunk, do(chunk)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_start, initargs=(work,))
    waiting: deque[tuple[Chunk, Future[Any]]] = deque()
    failed: BatchError | None = None
    try:
        source = iter(chunks)
        while True:
            while failed is None and len(waiting) < processes * _WAITING_PER_PROCESS:
                try:
                    chunk = next(source)
                except StopIteration:
                    break
                except BatchError as error:
                    failed = error
                    break
                with _deaf_to_interrupts():
                    waiting.append((chunk, pool.submit(_do, chunk)))
            if not waiting:
                break
            chunk, future = waiting.popleft()
            yield chunk, future.result()
    except BrokenProcessPool as error:
        raise BatchError("A process that decided for visitors was ended from outside, or ran out of memory") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failed is not None:
        raise failed


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


_doing: Callable[[Chunk], Any] | None = None  # of a process of the pool


def _start(work: Work[Any]) -> None:
    global _doing  # noqa: PLW0603 - how a pool hands its processes what they begin with
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _doing = work.start()


def _do(chunk: Chunk) -> Any:
    if _doing is None:
        raise RuntimeError("the process was not started")
    return _doing(chunk)
