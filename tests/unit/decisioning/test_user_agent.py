from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.user_agent import _parse, parse_client_hints, parse_user_agent

APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 13_5 like Mac OS X)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/83.0.4103.61"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko", ("ie", 11, "windows")),
        ("Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; WOW64; Trident/6.0)", ("ie", 10, "windows")),
        ("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; WOW64; Trident/7.0)", ("ie", 11, "windows")),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:78.0) Gecko/20100101 Firefox/78.0", ("firefox", 78, "mac")),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:78.0) Gecko/20100101 Firefox/78.0", ("firefox", 78, "linux")),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_3) {APPLE} Version/13.0.5 Safari/605.1.15",
            ("safari", 13, "mac"),
        ),
        (
            f"{IPHONE} {APPLE} Version/13.0.3 Mobile/15E148 Safari/604.1",
            ("mobile safari", 13, "ios"),
        ),
        (
            f"{IPHONE} {APPLE} CriOS/83.0.4103.88 Mobile/15E148 Safari/604.1",
            ("chrome", 83, "ios"),
        ),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_3) {CHROME} Safari/537.36", ("chrome", 83, "mac")),
        (f"Mozilla/5.0 (Linux; Android 10; SM-G960F) {CHROME} Mobile Safari/537.36", ("chrome", 83, "android")),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/83.0.478.37", ("edge", 83, "windows")),
        ("", ("unknown", -1, "unknown")),
        (None, ("unknown", -1, "unknown")),
        (["x"], ("unknown", -1, "unknown")),
        ("no such browser", ("unknown", -1, "unknown")),
    ],
)
def test_browsers(user_agent: Any, expected: tuple[str, int, str]) -> None:
    assert tuple(parse_user_agent(user_agent)) == expected


@given(st.text())
def test_any_text_is_a_user_agent(user_agent: str) -> None:
    browser, version, platform = parse_user_agent(user_agent)
    assert browser
    assert version >= -1
    assert platform


def test_cache_is_bounded_and_long_agents_share_an_entry() -> None:
    assert _parse.cache_info().maxsize == 1024
    before = _parse.cache_info().currsize
    agents = {parse_user_agent("x" * 512 + str(number)) for number in range(20)}
    assert len(agents) == 1
    assert _parse.cache_info().currsize <= before + 1


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        (
            {
                "browserUAWithMajorVersion": '"Not A(Brand";v="24", "Chromium";v="110", "Microsoft Edge";v="111"',
                "platform": '"Windows"',
            },
            ("edge", 111, "windows"),
        ),
        (
            {"browserUAWithMajorVersion": '"Chromium";v="110", "Google Chrome";v="110"', "platform": "macOS"},
            ("chrome", 110, "mac"),
        ),
        ({"browserUAWithFullVersion": '"Chromium";v="110.0.5481.77"'}, ("chrome", 110, "unknown")),
        ({"browserUAWithMajorVersion": '"Other";v="3"', "platform": ""}, ("unknown", -1, "unknown")),
        ({"browserUAWithMajorVersion": 5, "platform": []}, ("unknown", -1, "unknown")),
        (None, ("unknown", -1, "unknown")),
    ],
)
def test_client_hints(hints: Any, expected: tuple[str, int, str]) -> None:
    assert tuple(parse_client_hints(hints)) == expected
