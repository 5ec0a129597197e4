"""A minute of decisions in process, a thousand a second, 30 ms from Target: each is told, and memory stays flat."""

from __future__ import annotations

import json
import os

import pytest

from benchmarks.on_device_sending import CLIENTS, Sustained
from tests.kit.processes import run_script

SECONDS = 60.0
# On a machine that does nothing else it is some hundred kB. Elsewhere calls wait, which take a few kB each.
MOST_GROWN_BYTES = 3_000_000
BYTES_PER_WAITING = 10_000
MOST_WAITING = 60_000  # so that a machine that does other things besides loses nothing either


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_thousand_decisions_a_second_lose_nothing(client: str) -> None:
    run_it = f"sustain({client!r}, {SECONDS}, background_queue={MOST_WAITING})"
    script = f"import json; from benchmarks.on_device_sending import sustain; print(json.dumps({run_it}))"
    run = Sustained(*json.loads(run_script(script, within_s=220)))
    assert run.taken == run.decided == 60_000
    busy = os.getloadavg()[0] > (os.cpu_count() or 1) + 1  # with other things; what waits then is sent afterwards
    assert busy or run.behind < 10_000  # the default of background_queue: above it the oldest would have been given up
    assert run.grown_bytes < MOST_GROWN_BYTES + run.behind * BYTES_PER_WAITING
