"""`make bench`: what the server-side SDK costs over a bare pooled urllib3 POST of the same payload, in the same run."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from benchmarks import fresh
from benchmarks.command import Command
from benchmarks.delivery import build_answer
from benchmarks.fast_server import FastServer, serving
from benchmarks.measure import compare, in_sequence, in_threads, take_turns
from benchmarks.report import Row, microseconds, milliseconds, spread
from benchmarks.ways import Call, bare_call, our_attributes_call, our_whole_call

THREADS = 16
LATENCY_S = 0.02
TIME_TARGET = 1.10
THREADS_TARGETS = {0.0: 0.90, LATENCY_S: 0.95}
IMPORT_TARGET = 1.5
FIRST_CALL_TARGET = 2.0
MEMORY_TARGET = 5.0  # bytes


@dataclass(frozen=True)
class Effort:
    """How often things are done: enough for a claim, or (``--quick``) just enough to see that all of it runs."""

    blocks: int = 150
    calls: int = 25
    threaded_blocks: int = 6
    threaded_calls: int = THREADS * 25
    imports: int = 21
    memory_marks: tuple[int, int] = (500, 5000)


QUICK = Effort(blocks=4, calls=20, threaded_blocks=2, threaded_calls=THREADS * 3, imports=3, memory_marks=(50, 150))


@dataclass(frozen=True)
class Certificates:
    """Paths of a PEM bundle to trust, and of a server's key and chain signed by it."""

    ca: str
    server: str


@contextmanager
def certificates() -> Iterator[Certificates]:
    """Fresh certificates for 127.0.0.1, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        ca = trustme.CA()
        paths = Certificates(str(Path(folder, "ca.pem")), str(Path(folder, "server.pem")))
        ca.cert_pem.write_to_path(paths.ca)
        ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(paths.server)
        yield paths


def open_calls(
    server: FastServer, ca: str | None, make: Callable[[str, str | None], Call] = our_whole_call
) -> tuple[Call, Call]:
    """Our call and the bare one, both warm; the bare one sends, byte for byte, the URL and body just sent by ours."""
    ours = make(server.url, ca)
    ours()
    sent = server.counts()
    bare = bare_call(server.url + sent.target, ca, json.loads(sent.last))
    bare()
    seen = server.counts()
    if (seen.target, seen.last) != (sent.target, sent.last):
        raise RuntimeError("the two ways do not send the same bytes")
    return ours, bare


def measure_time(server: FastServer, name: str, ca: str | None, effort: Effort) -> list[Row]:
    """Time per call in sequence, and the connections that our calls opened meanwhile."""
    ours, bare = open_calls(server, ca)
    before = server.counts()
    taken = take_turns([in_sequence(ours), in_sequence(bare)], effort.blocks, effort.calls)
    after = server.counts()
    made = after.requests - before.requests
    result = compare(*taken)
    absolute = f"ours {microseconds(result.first_s)}, bare {microseconds(result.second_s)}"
    per_thousand = (after.connections - before.connections) * 1000 / made
    return [
        Row(
            f"time per call over bare, {name}",
            result.ratio,
            spread=spread(result),
            at_most=TIME_TARGET,
            absolute=absolute,
        ),
        Row(f"new connections per 1,000 calls, {name}", per_thousand, "", at_most=0, absolute=f"{made} calls"),
    ]


def measure_attributes(server: FastServer, effort: Effort) -> Row:
    """Time per ``get_attributes``, in sequence, over the bare call."""
    ways = [in_sequence(call) for call in open_calls(server, None, our_attributes_call)]
    result = compare(*take_turns(ways, effort.blocks, effort.calls))
    absolute = f"ours {microseconds(result.first_s)}, bare {microseconds(result.second_s)}"
    name = "get_attributes over bare, HTTP"
    return Row(name, result.ratio, spread=spread(result), at_most=TIME_TARGET, absolute=absolute)


def measure_threads(server: FastServer, name: str, ca: str | None, latency_s: float, effort: Effort) -> Row:
    """Throughput of many threads on one client, over as many on one bare pool."""
    ours, bare = (in_threads(call, THREADS) for call in open_calls(server, ca))
    take_turns([ours, bare], 1, THREADS)  # opens a connection for each thread
    taken = take_turns([ours, bare], effort.threaded_blocks, effort.threaded_calls)
    result = compare(taken[1], taken[0])  # the time per call is one over the throughput
    return Row(
        f"throughput over bare, {THREADS} threads, {latency_s * 1000:.0f} ms, {name}",
        result.ratio,
        spread=spread(result),
        at_least=THREADS_TARGETS[latency_s],
        absolute=f"ours {1 / result.second_s:.0f}/s, bare {1 / result.first_s:.0f}/s",
    )


def measure_start(server: FastServer, effort: Effort) -> list[Row]:
    """Import and create, and what the first call adds."""
    sent = server.counts().last
    ours, urllib3_alone = fresh.time_imports(
        [(fresh.IMPORT_TARGET, sys.executable), (fresh.IMPORT_URLLIB3, sys.executable)], effort.imports
    )
    imports = compare([item.seconds for item in ours], [item.seconds for item in urllib3_alone])
    first = compare(*fresh.time_first_calls(server.url, sent, effort.imports))
    return [
        Row(
            "import target + create over import urllib3",
            imports.ratio,
            spread=spread(imports),
            at_most=IMPORT_TARGET,
            absolute=f"{milliseconds(imports.first_s)} and {ours[0].modules} modules, "
            f"urllib3 {milliseconds(imports.second_s)} and {urllib3_alone[0].modules}",
        ),
        Row(
            "first call over bare first call, HTTP",
            first.ratio,
            spread=spread(first),
            at_most=FIRST_CALL_TARGET,
            absolute=f"ours {milliseconds(first.first_s)}, bare {milliseconds(first.second_s)}",
        ),
    ]


def measure_memory(server: FastServer, effort: Effort) -> list[Row]:
    """What a process holds of each call that it made."""
    few, many = effort.memory_marks
    rows = []
    for name, traced, at_most in (("Python objects", True, MEMORY_TARGET), ("resident size", False, None)):
        before, after = fresh.memory_held(server.url, effort.memory_marks, traced=traced)
        per_call = (after - before) / (many - few)
        absolute = f"{before / 1024:.0f} KiB after {few:,}, {after / 1024:.0f} KiB after {many:,} calls"
        rows.append(Row(f"memory per call, {name}", per_call, "B", at_most=at_most, absolute=absolute))
    return rows


def measure(effort: Effort) -> list[Row]:
    """Every row."""
    rows: list[Row] = []
    with certificates() as pem:
        ways: list[tuple[str, str | None, str | None]] = [("HTTP", None, None), ("TLS", pem.server, pem.ca)]
        for name, certificate, ca in ways:
            with serving(build_answer(), certificate=certificate) as server:
                rows += measure_time(server, name, ca, effort)
        for name, certificate, ca in ways:
            with serving(build_answer(), LATENCY_S, certificate) as server:
                rows.append(measure_threads(server, name, ca, LATENCY_S, effort))
        with serving(build_answer()) as server:
            rows.append(measure_attributes(server, effort))
            rows.append(measure_threads(server, "HTTP", None, 0.0, effort))
            open_calls(server, None)
            rows += measure_start(server, effort)
            rows += measure_memory(server, effort)
    return rows


def main() -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    command = Command("server_side", __doc__)
    arguments = command.parse()
    rows = measure(QUICK if arguments.quick else Effort())
    return command.tell(rows)


if __name__ == "__main__":
    sys.exit(main())
