"""`make bench-hooks`: what hooks add to a call, in process and over HTTP, and what OpenFeature adds to a decision."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from benchmarks.command import Command
from benchmarks.commits import ROOT, blocks_of, checkout, commit_before
from benchmarks.delivery import build_answer
from benchmarks.evaluation import measure_evaluation
from benchmarks.fast_server import serving
from benchmarks.measure import Block, Comparison, compare, in_sequence, take_turns
from benchmarks.on_device_cases import build_cases
from benchmarks.on_device_ways import deciding, our_decisions
from benchmarks.report import Row, microseconds, spread
from benchmarks.ways import our_call
from target import Hook
from target.integrations.opentelemetry import OpenTelemetryHook

#: What hooks came with: what was before it had none.
HOOKS_CAME_WITH = "target/hooking.py"
_DECIDING = """
from benchmarks.on_device_cases import build_cases
from benchmarks.on_device_ways import deciding, our_decisions
case = next(case for case in build_cases() if case.name == {case!r})
entered = deciding(case.artifact)
call = our_decisions(entered.__enter__(), case, True)
"""
_CALLING = """
from benchmarks.ways import our_call
call = our_call({url!r}, None)
"""


@dataclass(frozen=True)
class Effort:
    """How often things are done: enough for a claim, or (``--quick``) just enough to see that all of it runs."""

    blocks: int = 60
    block_s: float = 0.05


QUICK = Effort(blocks=2, block_s=0.002)


class EveryHook(Hook):
    """Has every method, each of which does nothing but count."""

    def __init__(self) -> None:
        self.told = 0

    def _count(self, *_: object) -> None:
        self.told += 1

    on_start = on_close = before_call = before_decision = on_notification = _count  # type: ignore[assignment]
    after_call = after_decision = _count  # type: ignore[assignment]


class _Forgetting(SpanExporter):
    """Takes spans and keeps none."""

    def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002
        return SpanExportResult.SUCCESS


@contextmanager
def observed() -> Iterator[OpenTelemetryHook]:
    """The hook of OpenTelemetry, and what it tells: batches that are handed on and forgotten."""
    tracers, meters, loggers = TracerProvider(), MeterProvider([InMemoryMetricReader()]), LoggerProvider()
    tracers.add_span_processor(BatchSpanProcessor(_Forgetting()))
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    exporter.export = _forget  # type: ignore[method-assign,assignment]  # else it keeps all
    loggers.add_log_record_processor(BatchLogRecordProcessor(exporter))
    try:
        yield OpenTelemetryHook(tracer_provider=tracers, meter_provider=meters, logger_provider=loggers)
    finally:
        for provider in (tracers, meters, loggers):
            provider.shutdown()


def measure_on_device(effort: Effort) -> Iterator[Row]:
    """Prefetch of one mbox among a hundred, decided in process; nothing is sent."""
    case = next(case for case in build_cases() if case.name.startswith("100 "))

    def make(stack: ExitStack, options: dict[str, Any]) -> Callable[[], object]:
        return our_decisions(stack.enter_context(deciding(case.artifact, **options)), case, True)

    yield from _measure("on device", make, _DECIDING.format(case=case.name), effort)


def measure_http(effort: Effort) -> Iterator[Row]:
    """A call over a kept connection to a server that answers within microseconds."""
    with serving(build_answer()) as server:

        def make(_: ExitStack, options: dict[str, Any]) -> Callable[[], object]:
            return our_call(server.url, None, options)

        yield from _measure("HTTP", make, _CALLING.format(url=server.url), effort)


def _measure(
    where: str, make: Callable[[ExitStack, dict[str, Any]], Callable[[], object]], code: str, effort: Effort
) -> Iterator[Row]:
    with ExitStack() as stack:
        hooks: tuple[list[Hook], ...] = ([], [EveryHook()], [OpenTelemetryHook()], [stack.enter_context(observed())])
        ways = [in_sequence(make(stack, {"hooks": given} if given else {})) for given in ([], *hooks)]
        none, again, every, idle, full = take_turns(ways, effort.blocks, _calls(ways[0], effort))
    yield from _before(where, code, effort)
    yield _row(f"{where}: no hooks over no hooks", compare(again, none))
    yield _row(f"{where}: one hook of all methods", compare(every, none))
    yield _row(f"{where}: OpenTelemetryHook, no SDK", compare(idle, none))
    yield _row(f"{where}: OpenTelemetryHook, SDK in batches", compare(full, none))


def _before(where: str, code: str, effort: Effort) -> Iterator[Row]:
    """This checkout without hooks over the commit that had none, and over itself: what processes differ by anyway."""
    commit = commit_before(HOOKS_CAME_WITH)
    with ExitStack() as stack:
        here = [stack.enter_context(blocks_of(ROOT, code)) for _ in range(2)]
        there = [] if commit is None else [stack.enter_context(blocks_of(stack.enter_context(checkout(commit)), code))]
        ours, again, *before = take_turns([*here, *there], effort.blocks, _calls(here[0], effort))
    noise = compare(again, ours)
    yield _row(f"{where}: no hooks, two processes", noise)
    for taken in before:
        most = max(noise.high, 1 / noise.low)
        yield _row(f"{where}: no hooks over before there were any", compare(ours, taken), at_most=round(most, 3))


def _calls(block: Block, effort: Effort) -> int:
    """How many make a block, once it is warm."""
    block(20)
    return max(2, round(effort.block_s / (block(20) / 20)))


def _row(name: str, result: Comparison, at_most: float | None = None) -> Row:
    added = (result.ratio - 1) * result.second_s * 1e6
    absolute = f"{added:+.1f} us, over {microseconds(result.second_s)}"
    return Row(name, result.ratio, spread=spread(result), at_most=at_most, absolute=absolute)


def _forget(_: object) -> Any:
    return LogRecordExportResult.SUCCESS


def main() -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    command = Command("hooks", __doc__)
    arguments = command.parse()
    effort = QUICK if arguments.quick else Effort()
    rows = [*measure_on_device(effort), *measure_http(effort), *measure_evaluation(effort.blocks, effort.block_s)]
    return command.tell(rows)


if __name__ == "__main__":
    sys.exit(main())
