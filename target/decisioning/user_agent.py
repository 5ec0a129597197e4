"""Which browser and platform a user agent, or client hints, name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

_MAX_LENGTH = 512
# The names that rules use, where the parser tells apart more than they do.
_BROWSERS = {
    "chrome mobile": "chrome",
    "chrome mobile ios": "chrome",
    "chrome mobile webview": "chrome",
    "headlesschrome": "chrome",
    "edge mobile": "edge",
    "firefox mobile": "firefox",
    "firefox ios": "firefox",
    "ie mobile": "ie",
    "mobile safari ui/wkwebview": "mobile safari",
}
_PLATFORMS = {
    "mac os x": "mac",
    "mac os": "mac",
    "ubuntu": "linux",
    "debian": "linux",
    "fedora": "linux",
    "red hat": "linux",
    "suse": "linux",
    "arch linux": "linux",
    "mint": "linux",
    "gentoo": "linux",
    "centos": "linux",
}
UNKNOWN = "unknown"
# One of the brands in Sec-CH-UA: "Google Chrome";v="110". Chromium is named beside the browser that is made from it.
_BRAND = re.compile(r'"([^"]{1,64})"\s*;\s*v\s*=\s*"(\d{1,9})')
_BRANDS = {"Microsoft Edge": "edge", "Google Chrome": "chrome", "Chromium": "chrome"}
_HINTED_PLATFORMS = {"macos": "mac", "chromium os": "chrome os"}


class UserAgent(NamedTuple):
    """Browser and platform as rules name them, in lower case; ``version`` is the major one, -1 where unknown."""

    browser: str
    version: int
    platform: str


def parse_user_agent(user_agent: object) -> UserAgent:
    """Browser, major version and platform in ``user_agent``. Never fails; what is not recognised is "unknown".

    An Internet Explorer in compatibility mode counts as the version that it is, not the one it claims.
    """
    # A genuine one is shorter; the time that matching takes grows with the length, and callers do not choose it.
    return _parse(user_agent[:_MAX_LENGTH]) if isinstance(user_agent, str) else _parse("")


def parse_client_hints(hints: Any) -> UserAgent:
    """The same from the client hints of a request in wire form, which a browser may send instead. Never fails."""
    if not isinstance(hints, Mapping):
        return UserAgent(UNKNOWN, -1, UNKNOWN)
    given = hints.get("browserUAWithMajorVersion") or hints.get("browserUAWithFullVersion")
    versions = dict(_BRAND.findall(given[:_MAX_LENGTH])) if isinstance(given, str) else {}
    brand = next((brand for brand in _BRANDS if brand in versions), None)
    platform = hints.get("platform")
    system = platform[:_MAX_LENGTH].strip('" ').lower() if isinstance(platform, str) else ""
    return UserAgent(
        _BRANDS[brand] if brand else UNKNOWN,
        int(versions[brand]) if brand else -1,
        _HINTED_PLATFORMS.get(system, system) or UNKNOWN,
    )


def load_user_agent_patterns() -> None:
    """Load the parser, which takes some 100 ms the first time."""
    _parse("")


@lru_cache(maxsize=1024)
def _parse(user_agent: str) -> UserAgent:
    import ua_parser  # an extra, and slow to import

    browser = ua_parser.parse_user_agent(user_agent)
    platform = ua_parser.parse_os(user_agent)
    name = browser.family.lower() if browser else UNKNOWN
    major = browser.major if browser else None
    system = platform.family.lower() if platform else UNKNOWN
    return UserAgent(
        _BROWSERS.get(name, name),
        int(major) if major and major.isascii() and major.isdigit() and len(major) < 10 else -1,
        _PLATFORMS.get(system, "windows" if system.startswith("windows") else system),
    )
