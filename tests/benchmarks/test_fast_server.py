"""The benchmarks' server counts what it should, so that a row of zeros means something."""

from __future__ import annotations

import time

import urllib3

from benchmarks.fast_server import serving
from benchmarks.server_side import certificates

ANSWER = b'{"status":200}'


def test_counts_connections_and_requests_and_keeps_the_last_body() -> None:
    with serving(ANSWER) as server:
        for number in range(2):
            with urllib3.PoolManager() as pool:
                for part in "ab":
                    assert pool.request("POST", f"{server.url}/p?q={number}", body=f"{number}{part}").data == ANSWER
        counts = server.counts()
    assert (counts.connections, counts.requests, counts.target, counts.last) == (2, 4, "/p?q=1", "1b")


def test_speaks_tls_and_waits() -> None:
    with certificates() as pem, serving(ANSWER, 0.05, pem.server) as server:
        with urllib3.PoolManager(ca_certs=pem.ca) as pool:
            started = time.perf_counter()
            assert pool.request("POST", server.url, body=b"x" * 200_000).data == ANSWER
            assert time.perf_counter() - started >= 0.05
        assert len(server.counts().last) == 200_000
