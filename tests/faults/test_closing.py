"""A call that hangs ends with its client, at whatever stage it is, and gets ClientClosed."""

from __future__ import annotations

import time

import pytest

from target import ClientClosed
from tests.faults.cells import PROBE, options_of
from tests.faults.process import FaultServer
from tests.faults.rows import ROWS, Fault
from tests.kit.calls import eventually
from tests.kit.ways import BESIDE

HANGING = [fault for fault in ROWS if fault.error is not None and fault.error.__name__ == "TargetTimeout"]
ENDS_S = 3.0  # on a loaded machine; the call itself has 5 s
BUSY_S = 4.5  # aiohttp reads a flood in large pieces, and its loop does nothing else meanwhile


@pytest.mark.parametrize("fault", HANGING, ids=[fault.name for fault in HANGING])
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[pytest.mark.slow] if "threads" in way else []) for way in BESIDE]
)
def test_a_call_ends_with_its_client(server: FaultServer, fault: Fault, way: str) -> None:
    with server.port(fault.name, fault.secure) as port:
        client = BESIDE[way](**options_of(server, port, fault.secure), timeout=5000, retries=3)
        end = client.begin(PROBE)
        time.sleep(0.05)  # for the answer to begin
        started = time.monotonic()
        client.close(timeout=0)
        with pytest.raises(ClientClosed):
            end()
        assert time.monotonic() - started < (BUSY_S if fault.busy else ENDS_S)
        assert eventually(lambda: port.report().open == 0)
