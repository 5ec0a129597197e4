"""Compares ways to do the same thing on a noisy machine: short blocks in turn, and the median of the blocks' ratios."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Makes this many calls and says how many seconds they took.
Block = Callable[[int], float]


@dataclass(frozen=True)
class Comparison:
    """One way over another: the median of the ratios and the middle half of them; medians of both in seconds."""

    ratio: float
    low: float
    high: float
    first_s: float
    second_s: float


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """``first`` over ``second``, pair by pair: what was measured side by side shared the machine's mood."""
    ratios = sorted(one / other for one, other in zip(first, second, strict=True))
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Comparison(statistics.median(ratios), low, high, statistics.median(first), statistics.median(second))


def take_turns(ways: Sequence[Block], blocks: int, calls: int) -> list[list[float]]:
    """Seconds per call of each way in each of ``blocks`` rounds; every other round goes backwards."""
    taken: list[list[float]] = [[] for _ in ways]
    for number in range(blocks):
        order = range(len(ways)) if number % 2 == 0 else range(len(ways) - 1, -1, -1)
        for way in order:
            taken[way].append(ways[way](calls) / calls)
    return taken


def in_sequence(call: Callable[[], object]) -> Block:
    """Blocks of ``call``, one after another."""

    def block(calls: int) -> float:
        started = time.perf_counter()
        for _ in range(calls):
            call()
        return time.perf_counter() - started

    return block


def on_processor(call: Callable[[], object]) -> Block:
    """The same in seconds of the processor, by all threads of the process: for what waits for nothing.

    Other work on the machine counts for little in them; without any they are what the clock says.
    """

    def block(calls: int) -> float:
        started = time.process_time()
        for _ in range(calls):
            call()
        return time.process_time() - started

    return block


def in_threads(call: Callable[[], object], threads: int) -> Block:
    """Blocks of ``call`` from ``threads`` threads at once, each with its share of the calls."""

    def block(calls: int) -> float:
        share = calls // threads
        start = threading.Barrier(threads + 1)
        failures: list[BaseException] = []

        def work() -> None:
            start.wait()
            try:
                for _ in range(share):
                    call()
            except BaseException as error:
                failures.append(error)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        start.wait()
        started = time.perf_counter()
        for worker in workers:
            worker.join()
        taken = time.perf_counter() - started
        if failures:
            raise failures[0]
        return taken

    return block


def load_average() -> str:
    """How busy the machine was over the last minute, where the system tells."""
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
