from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from target.emulator import Emulator, running

OFFERS: dict[str, Any] = json.loads(Path(__file__).with_name("served.json").read_text(encoding="utf-8"))
QUERY = {"imsOrgId": "acme@AdobeOrg", "sessionId": "session-1"}

Post = Callable[..., urllib3.BaseHTTPResponse]


def encode(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture(scope="session")
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=10, maxsize=8) as manager:
        yield manager


@pytest.fixture
def post(pool: urllib3.PoolManager) -> Post:
    def send(emulator: Emulator, body: Any, query: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        asked = urlencode(QUERY if query is None else query)
        return pool.request("POST", f"{emulator.url}/rest/v1/delivery?{asked}", body=encode(body))

    return send


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    with running(OFFERS) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared: Emulator) -> Emulator:
    shared.reset()
    return shared
