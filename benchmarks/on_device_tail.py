"""How late the latest decisions are, at a steady rate, while telemetry is sent and each poll brings new rules."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks import fresh
from benchmarks.artifact_swap import serving as serving_rules
from benchmarks.delivery import build_answer
from benchmarks.fast_server import serving
from benchmarks.report import Row
from target import TargetClient

RATE = 1000  # decisions a second
ACTIVITIES = 100  # with an mbox each, 0.2 MB
MBOXES = [f"hero-{number}" for number in range(0, ACTIVITIES, 5)]
POLLING_MS = 1000
AT_MOST = 20.0
_DECIDING = """
import json
from benchmarks.on_device_tail import decide_paced
print(json.dumps(decide_paced({rules!r}, {domain!r}, {seconds!r})))
"""


class Tail(NamedTuple):
    """What came of one run, in microseconds.

    Attributes:
        median: Of a decision, until its offers and cookie were read.
        percentile_999: The same of the one in a thousand.
        late_median: From when a decision was due, which counts what it waited for the thread to wake up.
        late_percentile_999: The same of the one in a thousand.
        swaps: How often new rules came.
    """

    median: float
    percentile_999: float
    late_median: float
    late_percentile_999: float
    swaps: int


def decide_paced(rules: str, domain: str, seconds: float) -> Tail:
    """Decide in this process (open loop: a late decision delays those after it), for one mbox after another."""
    swaps: list[str] = []
    with TargetClient.create(
        client="acme",
        organization_id="1234@AdobeOrg",
        decisioning_method="on-device",
        artifact_location=rules,
        polling_interval=POLLING_MS,
        maximum_wait_ready=60_000,
        server_domain=domain,
        secure=False,
        edge_routing=False,
        events={"artifact_download_succeeded": lambda event: swaps.append(event["artifact_location"])},
    ) as client:

        def decide(number: int) -> None:
            mbox = MBOXES[number % len(MBOXES)]
            asked = {"id": {"tntId": f"visitor-{number}.38_0"}, "prefetch": {"mboxes": [{"name": mbox, "index": 1}]}}
            result = client.get_offers(request=asked, session_id="session-1")
            if not result.options(mbox) or result.target_cookie is None:
                raise RuntimeError(f"{mbox} decides nothing")

        for number in range(RATE):
            decide(number)
        swaps.clear()
        late, taken = [], []
        began = time.perf_counter()
        for number in range(round(seconds * RATE)):
            due = began + number / RATE
            time.sleep(max(due - time.perf_counter(), 0.0))
            started = time.perf_counter()
            decide(number)
            ended = time.perf_counter()
            late.append((ended - due) * 1e6)
            taken.append((ended - started) * 1e6)
        return Tail(*_quantiles(taken), *_quantiles(late), len(swaps))


def _quantiles(values: Sequence[float]) -> tuple[float, float]:
    return statistics.median(values), statistics.quantiles(values, n=1000)[-1]


def measure_tail(seconds: float, rounds: int) -> Iterator[Row]:
    """The one in a thousand over the median: of the round that other work on the machine disturbed least."""
    with serving(build_answer()) as server, serving_rules(ACTIVITIES) as (cdn, _):
        cdn.swaps = True
        code = _DECIDING.format(rules=cdn.url, domain=server.domain, seconds=seconds)
        run = min((Tail(*fresh.run(code)) for _ in range(rounds)), key=lambda run: run.percentile_999)
        sent = server.counts().requests
    name = f"p99.9, {RATE:,} a second, telemetry, swaps"
    absolute = f"{run.percentile_999:.0f} over {run.median:.0f} us, the median; {run.swaps} swaps, {sent} requests sent"
    yield Row(name, run.percentile_999 / run.median, at_most=AT_MOST, absolute=absolute)
    absolute = f"{run.late_percentile_999:.0f} over {run.late_median:.0f} us"
    yield Row(f"{name}, since due", run.late_percentile_999 / run.late_median, absolute=absolute)
