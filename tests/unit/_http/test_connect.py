"""What a connection that does not come about leaves behind: nothing."""

from __future__ import annotations

import gc
import warnings

import pytest

from target import TransportError
from tests.kit.calls import CALL, client_of, expect
from tests.kit.raw_servers import raw_server, reset


@pytest.mark.waits
def test_a_server_that_goes_before_tls_begins_leaves_no_socket_open() -> None:
    """A race, between the reset and the ssl module: of a hundred connections some dozens are lost to it."""
    with (
        raw_server(reset) as server,
        client_of(server.domain, secure=True, retries=0) as client,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(100):
            expect(TransportError, lambda: client.get_offers(**CALL))
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
