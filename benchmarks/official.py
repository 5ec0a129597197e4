"""`make bench-official`: the same call on Adobe's own SDK, on ours, and bare, block by block in one run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import fresh
from benchmarks.command import Command
from benchmarks.delivery import ORGANIZATION_ID, TARGET_COOKIE, build_answer, build_request
from benchmarks.fast_server import FastServer, serving
from benchmarks.measure import Block, compare, in_sequence, in_threads, take_turns
from benchmarks.official_venv import REQUIREMENTS, official_python
from benchmarks.report import Row, microseconds, milliseconds, spread
from benchmarks.server_side import LATENCY_S, THREADS, certificates, open_calls
from benchmarks.venvs import ROOT
from benchmarks.ways import our_call

IMPORT_OFFICIAL = """
from target_python_sdk import TargetClient
TargetClient.create({"client": "acme", "organization_id": "0123456789ABCDEF01234567@AdobeOrg"})
"""
NAMES = ("ours", "official", "bare")


@dataclass(frozen=True)
class Effort:
    """How often things are done; ``--quick`` only shows that all of it runs."""

    blocks: int = 40
    calls: int = 20
    threaded_blocks: int = 4
    threaded_calls: int = THREADS * 20
    imports: int = 9


QUICK = Effort(blocks=3, calls=10, threaded_blocks=2, threaded_calls=THREADS * 3, imports=2)


class OfficialProcess:
    """The official SDK in its own interpreter, making calls on demand."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Its answer to one command. Raises RuntimeError when it has ended; its own words are on stderr."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"the official SDK's process ended (exit code {self._process.wait()})")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def block(self, threads: int) -> Block:
        """Blocks of its ``get_offers``, from one thread or many."""
        return lambda calls: float(self.ask({"calls": calls, "threads": threads})["seconds"])


@contextmanager
def official(python: Path, server: FastServer, ca_certs: str | None) -> Iterator[OfficialProcess]:
    """The official SDK, warm and bound to ``server``; a process of its own for each, since its host never changes."""
    command = [str(python), "-W", "ignore", str(Path(__file__).with_name("official_calls.py"))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            running = OfficialProcess(process)
            running.ask(
                {
                    "url": server.url,
                    "ca_certs": ca_certs,
                    "organization_id": ORGANIZATION_ID,
                    "target_cookie": TARGET_COOKIE,
                    "request": build_request().to_dict(),
                }
            )
            yield running
        finally:
            process.kill()


def measure_time(python: Path, server: FastServer, name: str, ca: str | None, effort: Effort) -> list[Row]:
    """Time per call of the three, and the connections that each opened."""
    opened = dict.fromkeys(NAMES, 0)
    with official(python, server, ca) as theirs:
        ours, bare = open_calls(server, ca, our_call)

        def counted(who: str, block: Block) -> Block:
            def run(calls: int) -> float:
                before = server.counts().connections
                taken = block(calls)
                opened[who] += server.counts().connections - before
                return taken

            return run

        blocks = (in_sequence(ours), theirs.block(1), in_sequence(bare))
        turns = [counted(who, block) for who, block in zip(NAMES, blocks, strict=True)]
        taken = dict(zip(NAMES, take_turns(turns, effort.blocks, effort.calls), strict=True))
    rows = ratios(f"time per call, {name}", taken)
    made = effort.blocks * effort.calls
    rows += [
        Row(f"new connections per 1,000 calls, {who}, {name}", opened[who] * 1000 / made, "", absolute=f"{made} calls")
        for who in NAMES
    ]
    return rows


def measure_threads(python: Path, server: FastServer, name: str, ca: str | None, effort: Effort) -> list[Row]:
    """Time per call of the three with many threads at once, which is one over their throughput."""
    with official(python, server, ca) as theirs:
        ours, bare = (in_threads(call, THREADS) for call in open_calls(server, ca, our_call))
        turns = [ours, theirs.block(THREADS), bare]
        take_turns(turns, 1, THREADS)
        taken = dict(zip(NAMES, take_turns(turns, effort.threaded_blocks, effort.threaded_calls), strict=True))
    return ratios(f"{THREADS} threads, {LATENCY_S * 1000:.0f} ms, {name}", taken)


def measure_import(python: Path, effort: Effort) -> list[Row]:
    """Import and create of the two SDKs, and urllib3 alone."""
    codes = [(fresh.IMPORT_TARGET, sys.executable), (IMPORT_OFFICIAL, str(python)), (fresh.IMPORT_URLLIB3, str(python))]
    imported = fresh.time_imports(codes, effort.imports)
    rows = ratios(
        "import + create",
        dict(zip(NAMES, ([item.seconds for item in times] for times in imported), strict=True)),
        unit=milliseconds,
    )
    modules = ", ".join(f"{who} {times[0].modules}" for who, times in zip(NAMES, imported, strict=True))
    rows.append(
        Row("modules loaded, official over ours", imported[1][0].modules / imported[0][0].modules, absolute=modules)
    )
    return rows


def ratios(what: str, taken: dict[str, list[float]], unit: Any = microseconds) -> list[Row]:
    """Official over ours, then each over bare."""
    absolute = ", ".join(f"{who} {unit(statistics.median(taken[who]))}" for who in NAMES)
    rows = []
    for first, second in (("official", "ours"), ("official", "bare"), ("ours", "bare")):
        result = compare(taken[first], taken[second])
        rows.append(Row(f"{what}: {first} over {second}", result.ratio, spread=spread(result), absolute=absolute))
        absolute = ""
    return rows


def official_bundle(python: Path, ca: str) -> str:
    """A bundle of what that SDK trusts by default and the server's CA: it reads a bundle anew for every call."""
    where = fresh.run("import certifi, json; print(json.dumps(certifi.where()))", str(python))
    bundle = Path(ca).with_name("official.pem")
    bundle.write_bytes(Path(where).read_bytes() + Path(ca).read_bytes())
    return str(bundle)


def measure(python: Path, effort: Effort) -> list[Row]:
    """Every row."""
    rows: list[Row] = []
    with certificates() as pem:
        bundle = official_bundle(python, pem.ca)
        for name, certificate, ca in (("HTTP", None, None), ("TLS", pem.server, bundle)):
            with serving(build_answer(), certificate=certificate) as server:
                rows += measure_time(python, server, name, ca, effort)
            with serving(build_answer(), LATENCY_S, certificate) as server:
                rows += measure_threads(python, server, name, ca, effort)
    return rows + measure_import(python, effort)


def main() -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    command = Command("official", __doc__)
    effort = QUICK if command.parse().quick else Effort()
    python = official_python()
    rows = measure(python, effort)
    versions = dict(requirement.split("==") for requirement in REQUIREMENTS if requirement.startswith("target-"))
    return command.tell(
        rows,
        versions,
        "TLS: all three read one bundle, certifi's roots and the server's CA; the official SDK reads it for each call",
    )


if __name__ == "__main__":
    sys.exit(main())
