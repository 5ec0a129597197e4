"""What one visitor's calls are built from comes from Runtime alone: time and random numbers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from target.amcv import AmcvVisitor
from target.config import Runtime, parse_request_options
from target.delivery.request import build_offers_call
from tests.kit.built_calls import NOW_S, config, runtime

ORG = "1234@AdobeOrg"
ECID = "11111111111111111111"
EXPIRES_AFTER_NOW = f"1|MCMID-{int(NOW_S) + 9}|{ECID}"  # and long before today


def built(now: Runtime, **options: Any) -> bytes:
    request = {"execute": {"mboxes": [{"name": "home"}]}}
    parsed = parse_request_options({"request": request, "session_id": "s", **options})
    return build_offers_call(config(), parsed, now, None).content


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"consumer_id": "top"},
        {"visitor_cookie": None},
        {"visitor_cookie": EXPIRES_AFTER_NOW},
        {"visitor_cookie": EXPIRES_AFTER_NOW, "consumer_id": "top", "customer_ids": {"crm": "7"}},
    ],
)
def test_the_same_runtime_makes_the_same_bytes(options: dict[str, Any]) -> None:
    assert built(runtime(), **options) == built(runtime(), **options)


def test_an_entry_expires_by_the_time_of_runtime() -> None:
    assert ECID.encode() in built(runtime(), visitor_cookie=EXPIRES_AFTER_NOW)
    assert ECID.encode() not in built(runtime(NOW_S + 60), visitor_cookie=EXPIRES_AFTER_NOW)


def test_an_id_has_the_shape_that_the_api_wants_whatever_runtime_makes() -> None:
    ids = iter(["one", "two"])
    visitor = AmcvVisitor(ORG, None, NOW_S, lambda: next(ids))
    first, shared = visitor.supplemental_data_id(), visitor.supplemental_data_id("another consumer")
    assert first == shared
    again = visitor.supplemental_data_id()
    assert again != first
    assert all(re.fullmatch(r"[0-9A-F]{16}-[0-9A-F]{16}", value) for value in (first, again))
