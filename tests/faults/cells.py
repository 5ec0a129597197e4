"""Measures one cell of the table: one fault, one way to call."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from target import TargetError
from tests.faults.process import FaultPort, FaultServer, Report
from tests.faults.rows import Fault
from tests.kit import calls as kit
from tests.kit.calls import eventually
from tests.kit.ways import WAIT_S, WAYS, Attempts, Way

#: More than the sockets of both sides hold together, so that sending it has to wait for the server.
_LARGE_BYTES = 6_000_000
_MOST_BYTES = 2**20
PROBE: dict[str, Any] = {"execute": {"mboxes": [{"name": "home"}]}}


class Ending(NamedTuple):
    """How a call ended, and when."""

    error: Exception | None
    answered_by: str | None
    took_s: float


class Cell(NamedTuple):
    """What came of a fault: for its call, for the next one, and at the server after each and after the end."""

    first: Ending
    next: Ending
    attempts: int
    after_first: Report
    after_next: Report
    left_open: int


def options_of(server: FaultServer, port: FaultPort, secure: bool) -> Any:
    """Options of a client that calls ``port``."""
    return kit.options_of(port.domain, secure=secure, ca_certs=server.ca_certs if secure else None)


def measure(server: FaultServer, fault: Fault, way: str, *, secure: bool = False, warm: bool = False) -> Cell:
    """Make a call that meets ``fault``, then one that meets none.

    Args:
        server: The process.
        fault: The row.
        way: The column, a key of WAYS.
        secure: Over TLS, whatever the row says.
        warm: On a connection that has served a good call before.
    """
    secure = secure or fault.secure
    log = Attempts()
    with server.port(None if warm else fault.name, secure) as port:
        options = options_of(server, port, secure)
        client = WAYS[way](**options, timeout=fault.timeout_ms, max_response_bytes=_MOST_BYTES, logger=log.logger)
        try:
            first, attempts = _bad_call(client, port, fault, log, warm)
            after_first = port.report()
            port.turn(None)
            time.sleep(fault.rest_s)
            following = _call(client, PROBE)
            after_next = port.report()
        finally:
            client.close()
        eventually(lambda: port.report().open == 0, WAIT_S)
        return Cell(first, following, attempts, after_first, after_next, port.report().open)


def _bad_call(client: Way, port: FaultPort, fault: Fault, log: Attempts, warm: bool) -> tuple[Ending, int]:
    if warm:
        error = _call(client, PROBE).error
        assert error is None, error
        port.turn(fault.name)
    before = log.count
    outcome = _call(client, _large() if fault.large else PROBE)
    eventually(lambda: log.count > before, WAIT_S)  # a thread that is told to end logs it a moment later
    return outcome, log.count - before


def _call(client: Way, request: dict[str, Any]) -> Ending:
    started = time.monotonic()
    try:
        result = client.call(request)
    except TargetError as error:
        return Ending(error, None, time.monotonic() - started)
    return Ending(None, result.response.client, time.monotonic() - started)


def _large() -> dict[str, Any]:
    return {"execute": {"mboxes": [{"name": "home", "parameters": {"text": "x" * _LARGE_BYTES}}]}}
