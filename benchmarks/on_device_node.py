"""`make bench-on-device-node`: decisions of Adobe's Node.js SDK and ours, block by block in one run.

npm fetches that SDK into a temporary folder, which is gone afterwards; nothing else leaves this machine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import Command
from benchmarks.measure import Block, compare, in_sequence, take_turns
from benchmarks.on_device_cases import Case, build_cases
from benchmarks.on_device_ways import NOWHERE, deciding, our_decisions
from benchmarks.report import Row, microseconds, spread

PACKAGE = "@adobe/target-nodejs-sdk@2"
TARGET = 0.33
AIM = 0.1


@dataclass(frozen=True)
class Effort:
    """How long things are done; ``--quick`` only shows that all of it runs."""

    blocks: int = 20
    block_s: float = 0.1
    warm_s: float = 1.0
    cases: str = ""  # what their names begin with


QUICK = Effort(blocks=2, block_s=0.01, warm_s=0.02, cases="10 activities")


class NodeProcess:
    """That SDK in a process of its own, deciding on demand."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Its answer to one command. Raises RuntimeError when it has ended; its own words are on stderr."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"the Node.js process ended (exit code {self._process.wait()})")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def block(self, new_visitors: bool) -> Block:
        """Blocks of its ``getOffers``. They raise RuntimeError where it answers without offers."""

        def run(calls: int) -> float:
            answer = self.ask({"calls": calls, "newVisitors": new_visitors})
            if not answer["decided"]:
                raise RuntimeError("the Node.js SDK decides nothing")
            return float(answer["seconds"])

        return run


def install(folder: str) -> None:
    """Fetch the SDK. Raises CalledProcessError where npm fails, FileNotFoundError where there is none."""
    if shutil.which("npm") is None:
        raise FileNotFoundError("npm is needed to fetch the Node.js SDK")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", PACKAGE]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def node(folder: str, case: Case) -> Iterator[NodeProcess]:
    """The SDK with the artifact of ``case``, in a fresh process, since it remembers decisions."""
    command = ["node", str(Path(__file__).with_suffix(".cjs"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            running = NodeProcess(process)
            running.ask({"artifact": case.artifact, "request": case.request, "serverDomain": NOWHERE})
            yield running
        finally:
            process.kill()


def measure_case(folder: str, case: Case, new_visitors: bool, effort: Effort) -> Row:
    """Our time over that SDK's."""
    with node(folder, case) as theirs, deciding(case.artifact) as client:
        ways = [in_sequence(our_decisions(client, case, new_visitors)), theirs.block(new_visitors)]
        for way in ways:
            way(max(2, round(effort.warm_s / (way(3) / 3))))
        ours_s, theirs_s = (way(10) / 10 for way in ways)
        # As long as that SDK's blocks, not as many calls: a few after its long turn would find the caches cold.
        ways[0] = _times(ways[0], max(1, round(theirs_s / ours_s)))
        result = compare(*take_turns(ways, effort.blocks, max(2, round(effort.block_s / theirs_s))))
    who = "new visitors" if new_visitors else "one returning"
    absolute = f"ours {microseconds(result.first_s)}, Node.js {microseconds(result.second_s)}"
    absolute += f"; one tenth: {'reached' if result.ratio <= AIM else 'not reached'}"
    return Row(f"{case.name}, {who}", result.ratio, spread=spread(result), at_most=TARGET, absolute=absolute)


def _times(block: Block, factor: int) -> Block:
    """``factor`` times as many calls, in the time that one of them takes."""
    return lambda calls: block(calls * factor) / factor


def main() -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    command = Command("on_device_node", __doc__)
    arguments = command.parse()
    effort = QUICK if arguments.quick else Effort()
    with tempfile.TemporaryDirectory() as folder:
        install(folder)
        installed = json.loads(Path(folder, "node_modules", "@adobe", "target-nodejs-sdk", "package.json").read_text())
        cases = [case for case in build_cases() if case.name.startswith(effort.cases)]
        rows = [measure_case(folder, case, new, effort) for case in cases for new in (True, False)]
    node_version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    versions = {"Node.js": node_version, installed["name"]: installed["version"]}
    told = ", ".join(f"{name} {number}" for name, number in versions.items())
    return command.tell(rows, versions, f"{told}; our time over its time, per decision")


if __name__ == "__main__":
    sys.exit(main())
