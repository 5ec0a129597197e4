"""Which browser and platform a user agent, or client hints, name, in the words that Target lists.

Target's audiences know chrome, edge, firefox, ie, opera and safari, and the systems windows, mac and linux; android and
ios are told apart from these. A browser that is not listed counts as the one that it is inside. What is neither has
the name that the parser gives it. docs/on-device.md has the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

_MAX_LENGTH = 512
UNKNOWN = "unknown"
#: What some of Adobe's readers take for browsers.
DEVICES = frozenset({"iphone", "ipad"})

# How the parser's names of browsers and brands begin, in lower case.
_BROWSERS = {
    "opera": "opera",
    "microsoft edge": "edge",
    "edge": "edge",
    "firefox": "firefox",
    "ie": "ie",
    "internet explorer": "ie",
    "google chrome": "chrome",
    "chrome": "chrome",
    "chromium": "chrome",
    "headlesschrome": "chrome",
    "android webview": "chrome",
    "safari": "safari",
    "mobile safari": "safari",
}
_BEGINNING = re.compile("|".join(f"{name}(?![a-z])" for name in sorted(_BROWSERS, key=len, reverse=True)))
# What a browser that is not listed is inside; the first that is found.
_INSIDE = (
    ("opera", re.compile(r"(?:OPR|OPT|OPX|OPiOS)/(\d{1,9})")),
    ("edge", re.compile(r"Edg(?:e|A|iOS)?/(\d{1,9})")),
    ("firefox", re.compile(r"FxiOS/(\d{1,9})")),
    ("chrome", re.compile(r"(?:HeadlessChrome|Chrome|Chromium|CriOS|CrMo)/(\d{1,9})")),
    ("firefox", re.compile(r"Gecko/.{0,200}Firefox/(\d{1,9})")),
    ("ie", re.compile(r"(?:MSIE |Trident/.{0,200}rv:)(\d{1,9})")),
)
_SAFARI_VERSION = re.compile(r"Version/(\d{1,9})|CPU (?:iPhone )?OS (\d{1,9})")
_DEVICE = re.compile(r"\((iPhone|iPad)\b")
# Distributions of Linux whose names do not say so.
_DISTRIBUTIONS = frozenset(
    {
        "arch",
        "arch linux",
        "backtrack",
        "centos",
        "debian",
        "fedora",
        "gentoo",
        "kubuntu",
        "lubuntu",
        "maemo",
        "mageia",
        "mandriva",
        "meego",
        "mint",
        "opensuse",
        "puppy",
        "red hat",
        "sailfish",
        "slackware",
        "suse",
        "ubuntu",
        "xubuntu",
    }
)
_PLATFORMS = {
    "mac os x": "mac",
    "mac os": "mac",
    "macos": "mac",
    "macintosh": "mac",
    "ipados": "ios",
    "iphone os": "ios",
    "chromium os": "chrome os",
    "chromeos": "chrome os",
}
# One of the brands in Sec-CH-UA: "Google Chrome";v="110". Chromium is named beside the browser that is made from it.
_BRAND = re.compile(r'"((?:[^"\\]|\\.){1,64})"\s*;\s*v\s*=\s*"(\d{1,9})')
# A brand that is none of ours stands beside that of the engine, and Chromium beside all that are made from it.
_BRANDS = ("opera", "edge", "firefox", "ie", "safari", "chrome")


class UserAgent(NamedTuple):
    """Browser and platform as rules name them, in lower case.

    Attributes:
        browser: One that Target lists, else the parser's name.
        version: The major one, -1 where unknown; that of the browser inside where it counts as that.
        platform: The operating system.
        device: ``iphone`` or ``ipad``; None for every other.
    """

    browser: str = UNKNOWN
    version: int = -1
    platform: str = UNKNOWN
    device: str | None = None


def parse_client(user_agent: object, hints: object) -> UserAgent:
    """What a request says in both, in wire form: hints are used in place of the user agent, as far as they go."""
    if not hints:
        return parse_user_agent(user_agent)
    hinted = parse_client_hints(hints)
    if hinted.browser != UNKNOWN and hinted.platform != UNKNOWN:
        return hinted
    found = parse_user_agent(user_agent)
    if hinted.browser != UNKNOWN:
        found = found._replace(browser=hinted.browser, version=hinted.version)
    return found if hinted.platform == UNKNOWN else found._replace(platform=hinted.platform)


def parse_user_agent(user_agent: object) -> UserAgent:
    """Browser, major version and platform in ``user_agent``. Never fails; what is not recognised is "unknown".

    An Internet Explorer in compatibility mode counts as the version that it is, not the one it claims.
    """
    # A genuine one is shorter; the time that matching takes grows with the length, and callers do not choose it.
    return _parse(user_agent[:_MAX_LENGTH]) if isinstance(user_agent, str) else UserAgent()


def parse_client_hints(hints: Any) -> UserAgent:
    """The same from the client hints of a request in wire form. Never fails."""
    if not isinstance(hints, Mapping):
        return UserAgent()
    for key in ("browserUAWithMajorVersion", "browserUAWithFullVersion"):
        browser, version = _browser_of_brands(hints.get(key))
        if browser != UNKNOWN:
            break
    platform = hints.get("platform")
    system = platform[:_MAX_LENGTH].strip('" ') if isinstance(platform, str) else ""
    return UserAgent(browser, version, _platform_of(system) or UNKNOWN)


def load_user_agent_patterns() -> None:
    """Load the parser, which takes some 100 ms the first time."""
    _parse("")


def to_ascii(user_agent: str) -> str:
    """What the parser gets: nothing beyond ASCII counts, and its faster engines take no half of a surrogate pair."""
    return user_agent.encode("ascii", "replace").decode()


@lru_cache(maxsize=1024)
def _parse(user_agent: str) -> UserAgent:
    import ua_parser  # an extra, and slow to import

    user_agent = to_ascii(user_agent)
    browser = ua_parser.parse_user_agent(user_agent)
    system = ua_parser.parse_os(user_agent)
    platform = _platform_of(system.family) if system else UNKNOWN
    family = browser.family if browser else UNKNOWN
    major = browser.major if browser else None
    version = int(major) if major and major.isascii() and major.isdigit() and len(major) < 10 else -1
    listed = _listed(family)
    if listed is None or version < 0:
        inside = _browser_inside(user_agent, platform)
        if inside is not None and listed in (None, inside[0]):
            listed, version = inside
    device = _DEVICE.search(user_agent)
    return UserAgent(listed or family.lower(), version, platform, device[1].lower() if device else None)


def _listed(name: str) -> str | None:
    """The browser of Target's list that the parser's or a brand's ``name`` stands for."""
    match = _BEGINNING.match(name.lower())
    return _BROWSERS[match[0]] if match else None


def _browser_inside(user_agent: str, platform: str) -> tuple[str, int] | None:
    for browser, pattern in _INSIDE:
        if match := pattern.search(user_agent):
            return browser, int(match[1])
    if platform in ("ios", "mac") and "AppleWebKit/" in user_agent:
        return "safari", _version_of_safari(user_agent)
    return None


def _version_of_safari(user_agent: str) -> int:
    """That of the Safari inside, which is that of iOS where an app's view does not tell."""
    match = _SAFARI_VERSION.search(user_agent)
    return int(match[1] or match[2]) if match else -1


def _browser_of_brands(given: object) -> tuple[str, int]:
    brands = _BRAND.findall(given[:_MAX_LENGTH]) if isinstance(given, str) else []
    named = [(listed, name.lower(), int(version)) for name, version in brands if (listed := _listed(name))]
    # Google Chrome before Chromium: the longer name is the browser's own.
    best = min(named, key=lambda brand: (_BRANDS.index(brand[0]), brand[1] == "chromium"), default=None)
    return (best[0], best[2]) if best else (UNKNOWN, -1)


def _platform_of(name: str) -> str:
    """The operating system as rules name it."""
    system = name.lower()
    if system.startswith("windows"):
        return "windows"
    if "linux" in system or system in _DISTRIBUTIONS:
        return "linux"
    return _PLATFORMS.get(system, system)
