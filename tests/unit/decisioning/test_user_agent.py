from __future__ import annotations

import re
from typing import Any

import pytest
import ua_parser
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.bots import is_bot
from target.decisioning.user_agent import _parse, parse_client, parse_client_hints, parse_user_agent

FIREFOX = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:78.0) Gecko/20100101 Firefox/78.0"
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
            ("safari", 13, "ios"),
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
    assert parse_user_agent(user_agent)[:3] == expected


M, BLINK, WEBKIT = "Mozilla/5.0 ", "AppleWebKit/537.36 (KHTML, like Gecko) ", f"{APPLE} "
WINDOWS, ANDROID = f"{M}(Windows NT 10.0; Win64; x64) {BLINK}", f"{M}(Linux; Android 10; K) {BLINK}"
IOS = f"{M}(iPhone; CPU iPhone OS 18_5 like Mac OS X) {WEBKIT}"
LATEST = "Chrome/130.0.0.0 "


@pytest.mark.parametrize(
    ("user_agent", "browser", "version"),
    [
        (f"{WINDOWS}{LATEST}Safari/537.36 OPR/115.0.0.0", "opera", 115),
        (f"{ANDROID}{LATEST}Mobile Safari/537.36 OPR/86.0.0.0", "opera", 86),
        (f"{IOS}Version/18.0 Mobile/15E148 Safari/604.1 OPT/5.2.0", "opera", 5),
        (f"{IOS}Version/18.0 Mobile/15E148 Safari/604.1 OPX/2.2.0", "opera", 2),
        (f"{IOS}OPiOS/16.0.15 Mobile/15E148 Safari/9537.53", "opera", 16),
        (f"{IOS}Coast/5.04.110603 Mobile/15E148 Safari/7534.48.3", "opera", 5),
        (f"{WINDOWS}{LATEST}Safari/537.36 MMS/1.0.2531.0", "opera", 1),
        ("Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16", "opera", 36),
        ("Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18", "opera", 12),
        (f"{M}(X11; Linux x86_64) {BLINK}Ubuntu Chromium/120.0.0.0 Chrome/120.0.0.0 Safari/537.36", "chrome", 120),
        (f"{WINDOWS}HeadlessChrome/130.0.0.0 Safari/537.36", "chrome", 130),
        (f"{M}(Linux; Android 14; Pixel 8; wv) {BLINK}Version/4.0 {LATEST}Mobile Safari/537.36", "chrome", 130),
        (f"{WINDOWS}Chrome/100.0.0.0 Safari/537.36 Chromium GOST", "chrome", 100),
        (f"{ANDROID}SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36", "chrome", 125),
        (f"{WINDOWS}{LATEST}Safari/537.36 Vivaldi/7.0", "chrome", 130),
        (f"{WINDOWS}{LATEST}YaBrowser/24.10.0 Yowser/2.5 Safari/537.36", "chrome", 130),
        (f"{WINDOWS}{LATEST}Safari/537.36 Brave/1.7", "chrome", 130),
        (f"{ANDROID}{LATEST}Mobile DuckDuckGo/5 Safari/537.36", "chrome", 130),
        (f"{ANDROID}Version/4.0 Chrome/100.0.0.0 UCBrowser/13.4.0.1306 Mobile Safari/537.36", "chrome", 100),
        (f"{ANDROID}Version/4.0 Chrome/109.0 MQQBrowser/14.0 Mobile Safari/537.36", "chrome", 109),
        (f"{ANDROID}{LATEST}Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.0", "chrome", 130),
        (f"{ANDROID}Chrome/114.0.5735.196 HuaweiBrowser/15.0 Mobile Safari/537.36", "chrome", 114),
        (f"{M}(Linux; Android 9; KFMAWI) {BLINK}Silk/130.2 like {LATEST}Safari/537.36", "chrome", 130),
        (f"{WINDOWS}{LATEST}Whale/3.28 Safari/537.36", "chrome", 130),
        (f"{ANDROID}Version/4.0 {LATEST}Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/489.0;]", "chrome", 130),
        (f"{ANDROID}Version/4.0 {LATEST}Mobile Safari/537.36 trill_370 BytedanceWebview", "chrome", 130),
        (f"{WINDOWS}{LATEST}Safari/537.36 Edg/131.0.0.0", "edge", 131),
        (f"{ANDROID}{LATEST}Mobile Safari/537.36 EdgA/131.0.0.0", "edge", 131),
        (f"{IOS}Version/18.0 EdgiOS/131.0.2849.80 Mobile/15E148 Safari/604.1", "edge", 131),
        (f"{WINDOWS}Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763", "edge", 18),
        (f"{M}(Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0", "firefox", 132),
        (f"{IOS}FxiOS/132.0 Mobile/15E148 Safari/605.1.15", "firefox", 132),
        (f"{IOS}FxiOS/8.1.6 Focus/8.1.6 Mobile/15E148", "firefox", 8),
        (f"{M}(X11; Linux x86_64; rv:91.0) Gecko/20100101 Firefox/91.0 SeaMonkey/2.53.10", "firefox", 91),
        (f"{M}(compatible; MSIE 9.0; Windows Phone OS 7.5; Trident/5.0; IEMobile/9.0)", "ie", 9),
        (f"{IOS}Version/18.5 Mobile/15E148 Safari/604.1", "safari", 18),
        (f"{IOS}Mobile/15E148", "safari", 18),
        (f"{IOS}GSA/340.3 Mobile/15E148 Safari/604.1", "safari", 18),
        (f"{IOS}Version/18.0 YaBrowser/24.10 Mobile/15E148 Safari/604.1", "safari", 18),
        (f"{IOS}Version/18.0 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15", "safari", 18),
        (f"{IOS}Mobile/15E148 [FBAN/FBIOS;FBAV/489.0;FBDV/iPhone14,5;FBSV/18.5]", "safari", 18),
        (f"{IOS}Mobile/15E148 Instagram 355.0.0.40 (iPhone14,5; iOS 18_5; en_US)", "safari", 18),
        (f"{IOS}Mobile/15E148 [LinkedInApp]/9.30", "safari", 18),
        (f"{IOS}Version/18.0 Mobile/15E148 Snapchat/13.1 (like Safari/8619, panda)", "safari", 18),
        (f"{IOS}Mobile/15E148 [Pinterest/iOS]", "safari", 18),
        (f"{IOS}Mobile/15E148 musical_ly_37.1 BytedanceWebview/d8a21c6", "safari", 18),
        (f"{M}(Macintosh; Intel Mac OS X 10_15_7) {WEBKIT}Version/18.0 Safari/605.1.15 Ddg/18.0", "safari", 18),
        (f"{M}(Macintosh; Intel Mac OS X 10_15_7) {WEBKIT}", "safari", -1),
        (f"{M}(Macintosh; Intel Mac OS X 10.15) Unheard/1.0", "unknown", -1),
        (f"{M}(Linux; U; Android 4.0) {BLINK}Version/4.0 Mobile Safari/534.30", "android", 4),
        (f"{M}(compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "googlebot", 2),
        ("curl/8.0", "curl", 8),
    ],
)
def test_variants_count_as_what_target_lists(user_agent: str, browser: str, version: int) -> None:
    assert parse_user_agent(user_agent)[:2] == (browser, version)


@pytest.mark.parametrize(
    ("system", "platform"),
    [
        ("X11; Linux Mint/18.2; Linux x86_64; rv:58.0", "linux"),
        *[
            (f"X11; {name}; Linux x86_64; rv:128.0", "linux")
            for name in (
                *("openSUSE", "SUSE", "Kubuntu", "Ubuntu", "Debian", "Fedora", "Red Hat", "CentOS", "Gentoo"),
                *("Arch Linux", "Slackware", "Mageia", "PCLinuxOS"),
            )
        ],
        *[
            (f"X11; U; Linux x86_64; {name}/9.10; rv:1.9", "linux")
            for name in ("Lubuntu", "Puppy", "BackTrack", "Mandriva", "Sailfish")
        ],
        ("Maemo; Linux armv7l; rv:10.0", "linux"),
        ("X11; CrOS x86_64 14541.0.0", "chrome os"),
        ("X11; FreeBSD amd64; rv:128.0", "freebsd"),
        ("Windows NT 5.1; rv:52.0", "windows"),
        ("Windows 98; rv:1.7", "windows"),
        ("Windows Phone 10.0; Android 6.0.1", "windows"),
        ("Android 14; Mobile; rv:132.0", "android"),
        ("Macintosh; Intel Mac OS X 10.15; rv:78.0", "mac"),
        ("iPad; CPU OS 17_6 like Mac OS X", "ios"),
    ],
)
def test_systems_count_as_what_target_lists(system: str, platform: str) -> None:
    assert parse_user_agent(f"{M}({system}) Gecko/20100101 Firefox/128.0").platform == platform


def test_every_linux_that_the_parser_names_is_linux() -> None:
    from ua_parser_builtins.matchers import MATCHERS

    known = re.compile("linux|ubuntu|debian|fedora|suse|red.?hat|gentoo|slack|mandr|mageia|puppy|centos", re.IGNORECASE)
    families = {matcher.family for matcher in MATCHERS[1] if matcher.family and known.search(matcher.family)}
    alternatives = {
        word
        for matcher in MATCHERS[1]
        for group in re.findall(r"\((?:\?:)?([A-Za-z| ]+)", matcher.pattern.pattern)
        for word in group.split("|")
        if known.search(word)
    }
    assert {"Debian", "Gentoo", "openSUSE", "PCLinuxOS"} <= families | alternatives
    for name in sorted(families | alternatives):
        assert parse_client_hints({"platform": name}).platform == "linux", name


def test_client_hints_are_used_in_place_of_the_user_agent_as_far_as_they_go() -> None:
    agent = f"{M}(Linux; Android 12; Phone) {BLINK}Mobile Safari/537.36"
    brands = {"browserUAWithMajorVersion": '"Not A;Brand";v="98", "Chromium";v="98", "Google Chrome";v="98"'}
    assert parse_client(agent, {**brands, "platform": "Linux"})[:3] == ("chrome", 98, "linux")
    assert parse_client(FIREFOX, {**brands, "platform": "Linux"})[:3] == ("chrome", 98, "linux")
    assert parse_client(FIREFOX, brands)[:3] == ("chrome", 98, "mac")
    assert parse_client(FIREFOX, {"platform": "Windows"})[:3] == ("firefox", 78, "windows")
    assert parse_client(FIREFOX, {"browserUAWithMajorVersion": '"Not A;Brand";v="98"'})[:3] == ("firefox", 78, "mac")
    for nothing in (None, {}, [], "x"):
        assert parse_client(FIREFOX, nothing)[:3] == ("firefox", 78, "mac")


def test_an_iphone_and_an_ipad_are_told_apart() -> None:
    assert parse_user_agent(IPHONE).device == "iphone"
    assert parse_user_agent(f"{M}(iPad; CPU OS 17_6 like Mac OS X) {WEBKIT}Version/17.6 Safari/604.1").device == "ipad"
    assert parse_user_agent(FIREFOX).device is None


@given(st.text())
def test_any_text_is_a_user_agent(user_agent: str) -> None:
    browser, version, platform, _ = parse_user_agent(user_agent)
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
        ({"browserUAWithMajorVersion": '"Chromium";v="110", "Google Chrome";v="111"'}, ("chrome", 111, "unknown")),
        ({"browserUAWithMajorVersion": '"Google Chrome";v="111", "Chromium";v="110"'}, ("chrome", 111, "unknown")),
        ({"browserUAWithFullVersion": '"Chromium";v="110.0.5481.77"'}, ("chrome", 110, "unknown")),
        (
            {"browserUAWithMajorVersion": '"Opera";v="115", "Not?A_Brand";v="8", "Chromium";v="130"'},
            ("opera", 115, "unknown"),
        ),
        (
            {
                "browserUAWithMajorVersion": '"Chromium";v="130", "Microsoft Edge WebView2";v="131"',
                "platform": "Windows",
            },
            ("edge", 131, "windows"),
        ),
        ({"browserUAWithMajorVersion": '"Samsung Internet";v="27", "Chromium";v="125"'}, ("chrome", 125, "unknown")),
        ({"browserUAWithMajorVersion": '"Android WebView";v="130", "Not\\"A;Brand";v="8"'}, ("chrome", 130, "unknown")),
        (
            {"browserUAWithMajorVersion": '"HeadlessChrome";v="130"', "platform": "Chrome OS"},
            ("chrome", 130, "chrome os"),
        ),
        (
            {
                "browserUAWithMajorVersion": '"Other";v="3"',
                "browserUAWithFullVersion": '"Brave";v="131.0.1", "Chromium";v="130.0.6723.58"',
                "platform": "Ubuntu",
            },
            ("chrome", 130, "linux"),
        ),
        ({"platform": ' "XENIX" '}, ("unknown", -1, "xenix")),
        ({"platform": "iPadOS"}, ("unknown", -1, "ios")),
        ({"platform": "Chromium OS"}, ("unknown", -1, "chrome os")),
        ({"browserUAWithMajorVersion": '"Other";v="3"', "platform": ""}, ("unknown", -1, "unknown")),
        ({"browserUAWithMajorVersion": 5, "platform": []}, ("unknown", -1, "unknown")),
        (None, ("unknown", -1, "unknown")),
    ],
)
def test_client_hints(hints: Any, expected: tuple[str, int, str]) -> None:
    assert parse_client_hints(hints)[:3] == expected


@pytest.mark.parametrize("half", ["\ud800", "Mozilla/5.0 \udfff", "\U0001f916\udc00"])
def test_an_engine_that_takes_unicode_alone_is_given_no_halves(half: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("parse_user_agent", "parse_os", "parse_device"):
        engine = getattr(ua_parser, name)
        monkeypatch.setattr(ua_parser, name, lambda text, engine=engine: engine(text.encode().decode()))
    assert parse_user_agent(f"{half} {FIREFOX}").browser == "firefox"
    assert is_bot(f"{half} (compatible; Googlebot/2.1)")
    assert not is_bot(half)
