"""Every fault, every way to call: the same error, in time, no spoilt connection used again, a good next call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from target import ApiError, TargetTimeout
from tests.faults.cells import Cell, measure
from tests.faults.process import FaultServer
from tests.faults.rows import ROWS, Fault, Stage
from tests.kit.calls import assert_discreet
from tests.kit.ways import WAYS

SLACK_S = 2.0  # what a loaded machine may add
BUSY_S = 4.0  # aiohttp reads a flood in large pieces, and its loop does nothing else meanwhile
#: Those that a connection made before meets, too, and TLS alike.
LATE = [fault for fault in ROWS if fault.stage in (Stage.HEAD, Stage.BODY, Stage.STATUS)]

Row = Callable[[Fault], dict[str, Cell]]


def one_by_one(fault: Fault) -> bool:
    """Whether what is measured beside it would disturb it."""
    return fault.busy or fault.large


def rows(server: FaultServer, **options: bool) -> Iterator[Row]:
    """Measures the cells of a row at the same time, once: most of them just wait."""
    measured: dict[str, dict[str, Cell]] = {}
    with ThreadPoolExecutor(len(WAYS)) as threads:

        def row(fault: Fault) -> dict[str, Cell]:
            if fault.name not in measured and one_by_one(fault):
                measured[fault.name] = {way: measure(server, fault, way, **options) for way in WAYS}
            elif fault.name not in measured:
                pending = {way: threads.submit(measure, server, fault, way, **options) for way in WAYS}
                measured[fault.name] = {way: cell.result() for way, cell in pending.items()}
            return measured[fault.name]

        yield row


@pytest.fixture(scope="module")
def row(server: FaultServer) -> Iterator[Row]:
    yield from rows(server)


@pytest.fixture(scope="module")
def warm_row(server: FaultServer) -> Iterator[Row]:
    yield from rows(server, warm=True)


@pytest.fixture(scope="module")
def tls_row(server: FaultServer) -> Iterator[Row]:
    yield from rows(server, secure=True)


def by_name(faults: list[Fault]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", faults, ids=[fault.name for fault in faults])


def check(cell: Cell, fault: Fault, before: int = 0) -> None:
    """``cell`` is as its row says; ``before`` is how many good calls were made before on the same connection."""
    error = cell.first.error
    assert type(error) is (fault.error or type(None)), error
    if error is None:
        assert cell.first.answered_by == "acme"
    else:
        assert_discreet(error)
    if isinstance(error, ApiError):
        assert error.status == fault.status

    took_s, deadline_s = cell.first.took_s, fault.timeout_ms / 1000
    if fault.error is TargetTimeout:
        assert took_s <= deadline_s + (BUSY_S if fault.busy else SLACK_S)
    else:  # which waits for no deadline
        assert fault.least_s <= took_s <= min(fault.least_s + SLACK_S, deadline_s)

    bad = cell.after_first.bad
    assert cell.attempts == fault.attempts
    if fault.stage is not Stage.LISTENING or bad:  # a server that does not accept sees nothing
        assert len(bad) == fault.attempts
    if fault.kept is not None:
        assert cell.after_first.connections == (1 if fault.kept else len(bad))

    assert cell.next.error is None
    assert cell.next.answered_by == "acme"
    assert len(cell.after_next.good) == before + 1
    assert cell.after_next.bad == bad
    if fault.kept is not None:
        assert (cell.after_next.good[-1] in bad) == fault.kept
    assert cell.left_open == 0


@pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, id=fault.name, marks=[pytest.mark.waits] if one_by_one(fault) else []) for fault in ROWS],
)
def test_a_fault_is_the_same_in_every_way(row: Row, fault: Fault, subtests: pytest.Subtests) -> None:
    """One test, and none for each way: where tests run in several processes, each would measure all of the row."""
    for way, cell in row(fault).items():
        with subtests.test(way):
            check(cell, fault)


@by_name(LATE)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.slow
def test_on_a_connection_that_served_a_call_before(warm_row: Row, fault: Fault, way: str) -> None:
    check(warm_row(fault)[way], fault, before=1)


@by_name(LATE)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.slow
def test_over_tls(tls_row: Row, fault: Fault, way: str) -> None:
    check(tls_row(fault)[way], fault)


def test_every_row_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in ROWS]
    assert len(set(names)) == len(names) > 80
    assert {fault.stage for fault in ROWS} == set(Stage)
