"""A decision in process needs the processor alone: no thread that computes gets in its way."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.kit.calls import MakeClient, timed
from tests.kit.shop import HOME, PREFETCH, Shop
from tests.kit.threads import computing


@pytest.mark.skipif(not hasattr(os, "getrandom"), reason="the system gives random bytes to those who wait alone")
@pytest.mark.parametrize("asked", [PREFETCH, HOME], ids=["prefetch", "execute"])
@pytest.mark.parametrize("telemetry", [True, False])
def test_decisions_let_no_thread_that_computes_go_first(
    asked: dict[str, Any], telemetry: bool, shop: Shop, make_client: MakeClient
) -> None:
    client = make_client(**{**shop.options, "telemetry_enabled": telemetry})
    for _ in range(20):
        client.get_offers(request=asked)
    with computing(0.2):
        took_s = [timed(lambda: client.get_offers(request=asked).target_cookie) for _ in range(100)]
    # Any thread has to let it go first once in a while; of those that let it do so in each call, a third at least.
    assert sum(each > 0.1 for each in took_s) <= 3
