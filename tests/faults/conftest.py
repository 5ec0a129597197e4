"""The server of these tests, one for all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.process import FaultServer, fault_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    with fault_server(tmp_path_factory.mktemp("faults")) as running:
        yield running
