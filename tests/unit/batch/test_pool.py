"""Work on many cores: results in order, errors after what came before them, and no process that stays behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from target.batch.errors import BatchError
from target.batch.pool import Chunk, chunks_of, processes_for, run


class Naming(NamedTuple):
    """Says which chunk it was; of one it does what ``odd`` says."""

    odd: str = ""

    def start(self) -> Callable[[Chunk], int]:
        def do(chunk: Chunk) -> int:
            if chunk.first == 8001 and self.odd == "raise":
                raise BatchError("row 8001 is odd")
            if chunk.first == 8001 and self.odd == "die":
                os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
            return chunk.first

        return do


def broken(count: int) -> Iterator[Chunk]:
    yield from chunks_of(None, count)
    raise BatchError("the file ends too soon")


def test_chunks_are_all_visitors_in_order() -> None:
    assert [(each.first, each.size, each.rows, each.done) for each in chunks_of(None, 4001)] == [
        (1, 2000, None, 2000 / 4001),
        (2001, 2000, None, 4000 / 4001),
        (4001, 1, None, 1.0),
    ]


def test_one_process_is_this_one() -> None:
    assert [result for _, result in run(Naming(), chunks_of(None, 5000), 1)] == [1, 2001, 4001]
    assert processes_for(None, 100, None) == 1
    assert processes_for(None, 100, 7) == 7


@pytest.mark.slow
@pytest.mark.parametrize(("odd", "why"), [("raise", "row 8001 is odd"), ("die", "was ended, or ran out of memory")])
def test_what_goes_wrong_in_a_process_comes_after_what_was_before_it(odd: str, why: str) -> None:
    results: list[int] = []
    with pytest.raises(BatchError, match=why):
        results.extend(result for _, result in run(Naming(odd), chunks_of(None, 40_000), 3))
    assert results == [1, 2001, 4001, 6001]
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_results_come_in_order_and_chunks_that_break_off_are_told_last() -> None:
    results: list[tuple[int, int]] = []
    with pytest.raises(BatchError, match="too soon"):
        results.extend((chunk.first, result) for chunk, result in run(Naming(), broken(40_000), 3))
    assert results == [(first, first) for first in range(1, 40_000, 2000)]
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_closing_ends_all_processes() -> None:
    results = run(Naming(), chunks_of(None, 10**9), 2)
    assert next(results)[1] == 1
    assert len(multiprocessing.active_children()) == 2
    results.close()
    assert multiprocessing.active_children() == []
