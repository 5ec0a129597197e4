"""`make bench-on-device`: what one decision in process costs, from options to offers, and what many leave behind."""

from __future__ import annotations

import itertools
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import fresh
from benchmarks.command import Command
from benchmarks.delivery import build_answer
from benchmarks.fast_server import serving
from benchmarks.measure import compare, in_sequence, on_processor, take_turns
from benchmarks.on_device_cases import ACTIVITIES, CONTEXT, Case, build_cases
from benchmarks.on_device_sending import AWAY_S, CLIENTS, RATE, Sustained
from benchmarks.on_device_tail import measure_tail
from benchmarks.on_device_ways import deciding, our_decisions
from benchmarks.report import Row, microseconds, spread
from target.decisioning.bots import is_bot

#: Microseconds of a decision for a new visitor, options and cookie read.
DECISION_TARGETS = {"1,000 activities, same mbox": 80.0, "1,000 activities, same mbox, shares only": 300.0}
FLAT_TARGET = 1.05
SUSTAINED_MEMORY_TARGET = 200.0  # bytes: what waits when the last decision was made, and nothing that stays
MEMORY_TARGET = 5.0  # bytes
_MEMORY = """
import json
from benchmarks.memory import held_after
from benchmarks.on_device_cases import build_cases
from benchmarks.on_device_tail import measure_tail
from benchmarks.on_device_ways import deciding, our_decisions
case = next(case for case in build_cases() if case.name.startswith("100 "))
with deciding(case.artifact) as client:
    print(json.dumps(held_after(our_decisions(client, case, True), {marks!r}, traced={traced!r})))
"""
_SUSTAINED = """
import json
from benchmarks.on_device_sending import sustain
print(json.dumps(sustain({client!r}, {seconds!r})))
"""


@dataclass(frozen=True)
class Effort:
    """How often things are done: enough for a claim, or (``--quick``) just enough to see that all of it runs."""

    blocks: int = 40
    block_s: float = 0.05
    marks: tuple[int, int] = (5_000, 100_000)
    sustained_s: float = 60.0
    tail_s: float = 20.0
    tail_rounds: int = 3


QUICK = Effort(blocks=2, block_s=0.002, marks=(50, 150), sustained_s=0.5, tail_s=1.5, tail_rounds=1)


def measure_decisions(effort: Effort) -> Iterator[Row]:
    """Microseconds of the processor for each case, of a visitor who returns and of new ones."""
    for case in build_cases():
        with deciding(case.artifact) as client:
            ways = [on_processor(our_decisions(client, case, new)) for new in (False, True)]
            calls = max(2, round(effort.block_s / (ways[0](3) / 3)))
            returning, new = take_turns(ways, effort.blocks, calls)
        yield Row(
            case.name,
            statistics.median(new) * 1e6,
            "us",
            at_most=DECISION_TARGETS.get(case.name),
            absolute=f"new visitors; one who returns {microseconds(statistics.median(returning))}",
        )


def measure_flatness(effort: Effort) -> Row:
    """How the time grows with the number of activities that have an mbox each."""
    cases = {case.name: case for case in build_cases()}
    few, many = (cases[f"{count:,} activities, one mbox each"] for count in (ACTIVITIES[0], ACTIVITIES[-1]))
    with deciding(few.artifact) as of_few, deciding(many.artifact) as of_many:
        ways = [on_processor(our_decisions(of_many, many, True)), on_processor(our_decisions(of_few, few, True))]
        calls = max(2, round(effort.block_s / (ways[0](3) / 3)))
        result = compare(*take_turns(ways, effort.blocks, calls))
    name = f"one mbox each, {ACTIVITIES[-1]:,} activities over {ACTIVITIES[0]}"
    return Row(name, result.ratio, spread=spread(result), at_most=FLAT_TARGET)


def measure_sending(effort: Effort) -> Row:
    """The cost of a call of which display notifications are sent meanwhile, over one of which nothing is."""
    case = next(case for case in build_cases() if case.name.startswith("100 "))
    shown = Case(case.name, case.artifact, {**case.request, "execute": case.request["prefetch"]})
    del shown.request["prefetch"]
    with serving(build_answer()) as server, deciding(case.artifact, server.url.removeprefix("http://")) as client:
        ways = [in_sequence(our_decisions(client, which, True)) for which in (shown, case)]
        shown_s, quiet_s = take_turns(ways, effort.blocks, 5)
    result = compare(shown_s, quiet_s)
    absolute = f"{microseconds(result.first_s)}, {microseconds(result.second_s)}"
    return Row("execute, sending meanwhile, over prefetch", result.ratio, spread=spread(result), absolute=absolute)


def measure_bots(effort: Effort) -> Iterator[Row]:
    """What it costs people that bots are left out, and what a bot costs."""
    case = next(case for case in build_cases() if case.name.startswith("100 "))
    bot = {**case.request, "context": {**CONTEXT, "userAgent": "kube-probe/1.27"}}
    with deciding(case.artifact, exclude_bots=True) as client, deciding(case.artifact) as other:
        ways = [in_sequence(our_decisions(which, case, True)) for which in (client, other)]
        ways.append(in_sequence(lambda: client.get_offers(request=bot, session_id="session-1")))
        calls = max(2, round(effort.block_s / (ways[0](3) / 3)))
        excluding, including, of_bots = take_turns(ways, effort.blocks, calls)
    result = compare(excluding, including)
    added = statistics.median(excluding) - statistics.median(including)
    yield Row(
        "exclude_bots, a person's call over one without it",
        result.ratio,
        spread=spread(result),
        absolute=f"{added * 1e6:+.1f} us; a bot's call {microseconds(statistics.median(of_bots))}",
    )
    numbers = itertools.count()
    new = in_sequence(lambda: is_bot(f"{CONTEXT['userAgent']} {next(numbers)}"))
    yield Row("exclude_bots, a user agent not seen before", new(calls) / calls * 1e6, "us")


def measure_sustained(effort: Effort) -> Iterator[Row]:
    """What is lost, and how the process grows, at a steady rate of decisions that show something."""
    for client in CLIENTS:
        run = Sustained(*fresh.run(_SUSTAINED.format(client=client, seconds=effort.sustained_s)))
        name = f"{RATE:,} execute a second, {AWAY_S * 1000:.0f} ms away, {client}"
        absolute = f"{run.decided:,} in {run.took_s:.0f} s, {run.behind:,} waited at the end"
        yield Row(f"{name}: lost", run.decided - run.taken, "calls", at_most=0, absolute=absolute)
        grown = run.grown_bytes / run.decided
        yield Row(f"{name}: memory", grown, "B", at_most=SUSTAINED_MEMORY_TARGET, absolute="per decision")


def measure_memory(effort: Effort) -> Iterator[Row]:
    """What a process holds of each visitor it decided for."""
    few, many = effort.marks
    for name, traced in (("Python objects", True), ("resident size", False)):
        before, after = fresh.run(_MEMORY.format(marks=effort.marks, traced=traced))
        per_visitor = (after - before) / (many - few)
        absolute = f"{before / 1024:.0f} KiB after {few:,}, {after / 1024:.0f} KiB after {many:,} visitors"
        yield Row(f"memory per new visitor, {name}", per_visitor, "B", at_most=MEMORY_TARGET, absolute=absolute)


def main() -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    command = Command("on_device", __doc__)
    arguments = command.parse()
    effort = QUICK if arguments.quick else Effort()
    rows = [*measure_decisions(effort), measure_flatness(effort), measure_sending(effort), *measure_memory(effort)]
    rows += measure_bots(effort)
    rows += measure_sustained(effort)
    rows += measure_tail(effort.tail_s, effort.tail_rounds)
    return command.tell(rows)


if __name__ == "__main__":
    sys.exit(main())
