"""`make bench-peers`: one decision on the device by ours and by flag libraries, block by block in one run.

The decision is the same: the flag is on for half of an audience, which is known by one attribute, and every call is
for a visitor not seen before. Each way runs in a process of its own, the peers' in a venv of their own, without a
network; only telemetry of ours is sent, to a server on this machine. Warm: one call after another, in time of the
processor, that of threads beside included. Paced: 1,000 a second, so that caches are cold, by the clock.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import Command
from benchmarks.delivery import build_answer
from benchmarks.fast_server import serving
from benchmarks.measure import Block, compare, take_turns
from benchmarks.report import Row, microseconds, spread
from benchmarks.venvs import ROOT, python_with

SCRIPT = Path(__file__).with_name("peers_calls.py")
VENV = ROOT / "build" / "peers"
REQUIREMENTS = (
    "launchdarkly-server-sdk==9.20.0",
    "growthbook==4.0.0",
    "UnleashClient==6.9.1",
    "flagsmith-flag-engine==11.1.1",
    "openfeature-sdk==0.10.0",
)
RATE = 1000
OFFERS, QUIET, ATTRIBUTES = "get_offers", "get_offers, telemetry off", "get_attributes"
LAUNCHDARKLY = "LaunchDarkly, variation"
PEERS = {
    LAUNCHDARKLY: "launchdarkly",
    "GrowthBook, get_feature_value": "growthbook",
    "Unleash, is_enabled": "unleash",
    "Flagsmith, get_evaluation_result": "flagsmith",
    "OpenFeature in memory, get_boolean": "openfeature",
}
OFFERS_AT_MOST_US = 30.0
OVER_LAUNCHDARKLY_AT_MOST = {OFFERS: 2.5, ATTRIBUTES: 1.5}


@dataclass(frozen=True)
class Effort:
    """How long things are done; ``--quick`` only shows that all of it runs."""

    blocks: int = 60
    block_s: float = 0.02
    warm_calls: int = 5000
    paced_blocks: int = 9
    paced_calls: int = 400


QUICK = Effort(blocks=2, block_s=0.002, warm_calls=20, paced_blocks=2, paced_calls=20)


class Deciding:
    """One way to decide, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, **command: Any) -> Any:
        """Its answer to one command. Raises RuntimeError when it has ended; its own words are on stderr."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"the process ended (exit code {self._process.wait()})")
        return json.loads(line)

    def warm(self, effort: Effort) -> Block:
        """Blocks that take as long as those of any other way, whatever their number of calls; seconds of one call."""
        per_call = self.ask(do="calls", calls=effort.warm_calls) / effort.warm_calls
        calls = max(2, round(effort.block_s / per_call))
        return lambda _: float(self.ask(do="calls", calls=calls)) / calls

    def paced(self, effort: Effort) -> Block:
        """The same of calls that are made 1,000 times a second."""
        return lambda _: float(self.ask(do="paced", calls=effort.paced_calls, rate=RATE))


@contextmanager
def deciding(python: Path, *way: str, script: Path = SCRIPT) -> Iterator[Deciding]:
    """A process that decides by ``way``. Raises RuntimeError where it does not decide what all others do."""
    command = [str(python), "-W", "ignore", str(script), *way]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'generated'}"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            running = Deciding(process)
            in_audience, others = running.ask(do="try")
            if not 400 < in_audience < 600 or others:
                raise RuntimeError(f"{way[0]}: on for {in_audience} of 1,000, and {others} of others")
            yield running
            if connected := running.ask(do="connected"):
                raise RuntimeError(f"{way[0]} wanted to connect to {connected}")
        finally:
            process.kill()


def measure(python: Path, effort: Effort) -> tuple[list[Row], dict[str, str]]:
    """Every row, and the versions of the peers."""
    with ExitStack() as stack:
        server = stack.enter_context(serving(build_answer()))
        mine = Path(sys.executable)
        ways = {
            OFFERS: stack.enter_context(deciding(mine, "get_offers", server.domain)),
            QUIET: stack.enter_context(deciding(mine, "get_offers")),
            ATTRIBUTES: stack.enter_context(deciding(mine, "get_attributes", server.domain)),
            **{name: stack.enter_context(deciding(python, way)) for name, way in PEERS.items()},
        }
        names = [requirement.partition("==")[0] for requirement in REQUIREMENTS]
        versions = ways[LAUNCHDARKLY].ask(do="versions", of=names)
        warm = take_turns([way.warm(effort) for way in ways.values()], effort.blocks, 1)
        paced = take_turns([way.paced(effort) for way in ways.values()], effort.paced_blocks, 1)
    rows = [
        *_rows(dict(zip(ways, warm, strict=True)), ""),
        *_rows(dict(zip(ways, paced, strict=True)), ", paced"),
    ]
    return rows, versions


def _rows(taken: Mapping[str, Sequence[float]], how: str) -> Iterator[Row]:
    """Microseconds of each way, then ours over LaunchDarkly; the targets are for warm ones."""
    for name, seconds in taken.items():
        low, middle, high = (value * 1e6 for value in statistics.quantiles(seconds, n=4, method="inclusive"))
        at_most = OFFERS_AT_MOST_US if (name, how) == (OFFERS, "") else None
        absolute = f"fastest block {min(seconds) * 1e6:.1f}"
        yield Row(name + how, middle, "us", spread=(low, high), at_most=at_most, absolute=absolute)
    for name, at_most in OVER_LAUNCHDARKLY_AT_MOST.items():
        result = compare(taken[name], taken[LAUNCHDARKLY])
        absolute = f"{microseconds(result.first_s)} over {microseconds(result.second_s)}"
        yield Row(
            f"{name} over LaunchDarkly{how}",
            result.ratio,
            spread=spread(result),
            at_most=None if how else at_most,
            absolute=absolute,
        )


def main() -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    command = Command("peers", __doc__)
    effort = QUICK if command.parse().quick else Effort()
    rows, versions = measure(python_with(VENV, REQUIREMENTS), effort)
    return command.tell(rows, versions, ", ".join(f"{name} {number}" for name, number in versions.items()))


if __name__ == "__main__":
    sys.exit(main())
