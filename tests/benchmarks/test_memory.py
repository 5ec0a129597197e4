"""The memory rows see what is kept: each kind is measured in a process of its own, as the benchmark does."""

from __future__ import annotations

import pytest

from benchmarks import fresh

KEEPING = """
import json
from benchmarks.memory import held_after
kept = []
print(json.dumps(held_after({call}, [100, 1100], traced={traced})))
"""


@pytest.mark.parametrize("traced", [True, False])
def test_a_leak_shows(traced: bool) -> None:
    before, after = fresh.run(KEEPING.format(call="lambda: kept.append(bytes(10_000))", traced=traced))
    assert after - before == pytest.approx(10_000_000, rel=0.1)


@pytest.mark.parametrize("traced", [True, False])
def test_what_is_let_go_does_not_count(traced: bool) -> None:
    before, after = fresh.run(KEEPING.format(call="lambda: bytes(10_000)", traced=traced))
    assert after - before < 1_000_000
