"""What a provider keeps of visitors: nothing, however many come, in pages of their own or not."""

from __future__ import annotations

import pytest

from tests.kit.processes import run_script

VISITORS = 4000
#: So many come before all is told: tables of what waits grow to that, and stay.
AT_ONCE = 100
#: Of Python's objects: tables that grow in steps, and what a log or a pool once made.
MOST_BYTES_A_VISITOR = 16

SCRIPT = """
import gc, sys, time, tracemalloc
from benchmarks.evaluation import FLAGS, bound, build_flags, evaluations
from benchmarks.delivery import build_answer
from benchmarks.fast_server import serving
from benchmarks.on_device_ways import deciding
from target.integrations.openfeature import TargetProvider

how, visitors, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with serving(build_answer()) as server, deciding(build_flags(), server.url.removeprefix("http://")) as client:
    provider = TargetProvider(client)
    with bound(target=provider) as (flags,):
        call = evaluations(flags, FLAGS[:2], is_page=how == "page")

        def settle():
            provider.shutdown()
            provider.initialize(None)
            while provider._teller._unanswered or client.flush(1000):
                time.sleep(0.1)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        def visit():
            for _ in range(at_once):
                call()
            return settle()

        tracemalloc.start()
        before = [visit() for _ in range(5)][-1]
        after = [visit() for _ in range(visitors // at_once)][-1]
        print((after - before) / visitors)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["page", "evaluation"])
def test_thousands_of_visitors_leave_nothing(how: str) -> None:
    told = run_script(SCRIPT, how, VISITORS, AT_ONCE, within_s=280)
    assert float(told) < MOST_BYTES_A_VISITOR
