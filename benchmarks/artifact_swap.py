"""`python benchmarks/artifact_swap.py`: what visitors wait while new rules arrive, and what memory that takes.

A fresh process decides 100 times a second (open loop: a late decision delays those after it), once while the rules
stay, once while each poll brings new ones. The CDN is another process, this one.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from benchmarks import fresh
from benchmarks.command import Command
from benchmarks.memory import peak_bytes
from benchmarks.on_device_engine import build_artifact, build_rules
from benchmarks.report import Row
from target import TargetClient

DELAY_TARGET_MS = 50.0
MEMORY_TARGET_MB = 150.0
HOT_MBOXES = 20  # what a service asks for, of all that its account has
_OFFER_BYTES = 657  # with which 10,000 activities come to 21.8 MB
_DECIDING = """
import json
from benchmarks.artifact_swap import decide_in_open_loop
print(json.dumps(decide_in_open_loop({url!r}, {mboxes!r}, {seconds!r})))
"""


@dataclass(frozen=True)
class Effort:
    """How much is done: enough for a claim, or (``--quick``) just enough to see that all of it runs."""

    activities: tuple[int, ...] = (1_000, 10_000)
    seconds: float = 20.0
    rounds: int = 2


QUICK = Effort((50,), 2.5, 1)


class Run(NamedTuple):
    """One process: milliseconds of the slowest decision and of the one in a hundred, MB at its peak, swaps seen."""

    worst_ms: float
    percentile_99_ms: float
    peak_mb: float
    swaps: int


def decide_in_open_loop(url: str, mboxes: list[str], seconds: float, per_second: int = 100) -> Run:
    """Decide in this process, from the rules at ``url``, for one mbox after another."""
    swaps: list[str] = []
    with TargetClient.create(
        client="acme",
        organization_id="1234@AdobeOrg",
        decisioning_method="on-device",
        artifact_location=url,
        polling_interval=1000,
        maximum_wait_ready=60_000,
        telemetry_enabled=False,
        events={"artifact_download_succeeded": lambda event: swaps.append(event["artifact_location"])},
    ) as client:

        def ask(number: int) -> None:
            mbox = {"name": mboxes[number % len(mboxes)], "index": 1}
            visitor = {"tntId": f"visitor-{number}.38_0"}
            answer = client.get_offers(request={"id": visitor, "prefetch": {"mboxes": [mbox]}}, session_id="s").response
            assert answer.prefetch.mboxes[0].options, answer

        for number in range(len(mboxes)):
            ask(number)
        time.sleep(1.0)
        swaps.clear()
        taken = []
        began = time.perf_counter()
        for number in range(int(seconds * per_second)):
            due = began + number / per_second
            time.sleep(max(due - time.perf_counter(), 0))
            ask(number)
            taken.append((time.perf_counter() - due) * 1000)
    return Run(max(taken), statistics.quantiles(taken, n=100)[-1], peak_bytes() / 1e6, len(swaps))


class Cdn(ThreadingHTTPServer):
    """Serves an artifact, another version of it on each request where ``swaps`` is set, and else 304."""

    daemon_threads = True

    def __init__(self, versions: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.versions = versions
        self.swaps = False
        self.served = 0

    @property
    def url(self) -> str:
        """Where the rules are."""
        return f"http://127.0.0.1:{self.server_port}/rules.json"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Cdn

    def do_GET(self) -> None:
        cdn = self.server
        if self.headers["If-None-Match"] is not None and not cdn.swaps:
            self.send_response(304)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        cdn.served += 1
        body = cdn.versions[cdn.served % len(cdn.versions)]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("ETag", f'"{cdn.served}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(activities: int) -> Iterator[tuple[Cdn, int]]:
    """A CDN with two versions of an artifact, and the bytes of one."""
    texts = [json.dumps(_artifact(activities, version)).encode() for version in (1, 2)]
    cdn = Cdn([gzip.compress(text, 6) for text in texts])
    threading.Thread(target=cdn.serve_forever, daemon=True).start()
    try:
        yield cdn, len(texts[0])
    finally:
        cdn.shutdown()
        cdn.server_close()


def _artifact(activities: int, version: int) -> dict[str, Any]:
    rules = build_rules(activities, "hero-{}".format, with_audience=False)
    for number, (rule, other) in enumerate(rules.values()):
        for part in (rule, other):
            part["consequence"]["options"][0]["content"] = {
                "shown": f"{version}.{number}",
                "html": "<p>" * (_OFFER_BYTES // 3),
            }
    return build_artifact(rules)


def measure(activities: int, effort: Effort) -> Iterator[Row]:
    """The rows of one size."""
    step = max(activities // HOT_MBOXES, 1)
    hot = [f"hero-{number}" for number in range(0, activities, step)]
    with serving(activities) as (cdn, size):
        runs: dict[bool, list[Run]] = {False: [], True: []}
        for number in range(2 * effort.rounds):
            cdn.swaps = bool(number % 2)
            code = _DECIDING.format(url=cdn.url, mboxes=hot, seconds=effort.seconds)
            runs[cdn.swaps].append(Run(*fresh.run(code)))
    still, swapping = (min(runs[swaps], key=lambda run: run.worst_ms) for swaps in (False, True))
    name = f"{size / 1e6:.1f} MB"
    yield Row(
        f"{name}, worst delay over that without a swap",
        swapping.worst_ms - still.worst_ms,
        "ms",
        at_most=DELAY_TARGET_MS,
        absolute=f"{swapping.worst_ms:.1f}, {still.worst_ms:.1f} ms; 99 %: {swapping.percentile_99_ms:.1f}, "
        f"{still.percentile_99_ms:.1f} ms; {swapping.swaps} swaps",
    )
    peak = max(run.peak_mb for run in runs[True])
    base = max(run.peak_mb for run in runs[False])
    yield Row(
        f"{name}, resident at most", peak, "MB", at_most=MEMORY_TARGET_MB, absolute=f"without a swap {base:.0f} MB"
    )


def main() -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    command = Command("artifact_swap", __doc__)
    arguments = command.parse()
    effort = QUICK if arguments.quick else Effort()
    rows = [row for activities in effort.activities for row in measure(activities, effort)]
    return command.tell(rows)


if __name__ == "__main__":
    sys.exit(main())
