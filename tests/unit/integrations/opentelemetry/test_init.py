"""The hook by itself, and the filter for instrumentations beside clients without it."""

from __future__ import annotations

import pytest
import yarl

from target import Hook
from target.integrations.opentelemetry import OpenTelemetryHook, url_filter

QUERY = "?imsOrgId=1234%40AdobeOrg&sessionId=Session-77c1"


def test_it_is_a_hook() -> None:
    assert isinstance(OpenTelemetryHook(), Hook)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://acme.tt.omtrdc.net/rest/v1/delivery{QUERY}", "https://acme.tt.omtrdc.net/rest/v1/delivery"),
        (f"http://127.0.0.1:80/rest/v1/delivery/{QUERY}#a", "http://127.0.0.1:80/rest/v1/delivery/"),
        (f"/rest/v1/delivery{QUERY}", "/rest/v1/delivery"),
        ("https://shop.example/search?q=shoes", "https://shop.example/search?q=shoes"),
        (f"http://[::1/rest/v1/delivery{QUERY}", "http://[::1/rest/v1/delivery"),
    ],
)
def test_the_filter_takes_the_query_from_calls_to_target(url: str, expected: str) -> None:
    assert url_filter(url) == expected


def test_the_filter_takes_what_either_instrumentation_gives() -> None:
    assert url_filter(yarl.URL(f"https://a.example/rest/v1/delivery{QUERY}")) == "https://a.example/rest/v1/delivery"
