"""What a provider keeps of visitors: nothing, however many come, in pages of their own or not."""

from __future__ import annotations

import pytest

from tests.kit.processes import run_script

VISITORS = 4000
#: Of Python's objects: tables that grow in steps, and what a log or a pool once made.
MOST_BYTES_A_VISITOR = 16

SCRIPT = """
import gc, sys, time, tracemalloc
from benchmarks.evaluation import FLAGS, bound, build_flags, evaluations
from benchmarks.delivery import build_answer
from benchmarks.fast_server import serving
from benchmarks.on_device_ways import deciding
from target.integrations.openfeature import TargetProvider

how, visitors = sys.argv[1], int(sys.argv[2])
with serving(build_answer()) as server, deciding(build_flags(), server.url.removeprefix("http://")) as client:
    provider = TargetProvider(client)
    with bound(target=provider) as (flags,):
        call = evaluations(flags, FLAGS[:2], is_page=how == "page")

        def settle():
            provider.shutdown()
            provider.initialize(None)
            while client.flush(1000):
                time.sleep(0.1)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        for _ in range(500):
            call()
        before = settle()
        for _ in range(visitors):
            call()
        print((settle() - before) / visitors)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["page", "evaluation"])
def test_thousands_of_visitors_leave_nothing(how: str) -> None:
    told = run_script(SCRIPT, how, VISITORS, within_s=280)
    assert float(told) < MOST_BYTES_A_VISITOR
