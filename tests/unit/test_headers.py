"""Headers into context: every shape frameworks hand them over in, and what hostile ones can do (nothing)."""

from __future__ import annotations

import email.message
import io
import re
import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http.request import HttpHeaders
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import URL
from starlette.datastructures import Headers as StarletteHeaders
from werkzeug.datastructures import EnvironHeaders
from werkzeug.datastructures import Headers as WerkzeugHeaders

from target import ClientHints, Context, OptionsError
from target.headers import client_hints_from_headers, context_from_headers

USER_AGENT = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36"
BRANDS = '"Not/A)Brand";v="8", "Chromium";v="126", "Google Chrome";v="126"'
FULL_BRANDS = '"Not/A)Brand";v="8.0.0.0", "Chromium";v="126.0.6478.127", "Google Chrome";v="126.0.6478.127"'
SENT = {
    "Host": "shop.example",
    "User-Agent": USER_AGENT,
    "Referer": "https://search.example/?q=a&b=<c>",
    "Sec-CH-UA": BRANDS,
    "Sec-CH-UA-Mobile": "?0",
    "Sec-CH-UA-Platform": '"macOS"',
    "Sec-CH-UA-Platform-Version": '"14.5.0"',
    "Sec-CH-UA-Full-Version-List": FULL_BRANDS,
    "Sec-CH-UA-Arch": '"arm"',
    "Sec-CH-UA-Bitness": '"64"',
    "Sec-CH-UA-Model": '""',
    "X-Forwarded-For": "6.6.6.6, 203.0.113.7",
}
HINTS = {
    "mobile": False,
    "platform": "macOS",
    "platformVersion": "14.5.0",
    "browserUAWithMajorVersion": BRANDS,
    "browserUAWithFullVersion": FULL_BRANDS,
    "architecture": "arm",
    "bitness": "64",
}
CONTEXT = {
    "channel": "web",
    "userAgent": USER_AGENT,
    "clientHints": HINTS,
    "address": {"url": "https://shop.example/", "referringUrl": "https://search.example/?q=a&b=<c>"},
    "geo": {"ipAddress": "203.0.113.7"},
}
PEER = "10.0.0.1"


@pytest.fixture(autouse=True, scope="module")
def _django() -> None:
    if not settings.configured:
        settings.configure(DEFAULT_CHARSET="utf-8")


def environ() -> dict[str, Any]:
    made: dict[str, Any] = {"REMOTE_ADDR": PEER, "PATH-WITH-HYPHEN": "of the shell", "http_proxy": "of the shell"}
    setup_testing_defaults(made)
    made |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in SENT.items()}
    return made


def bare_environ() -> dict[str, Any]:
    return {name: value for name, value in environ().items() if name.startswith("HTTP_") or name == "REMOTE_ADDR"}


def asgi_list() -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in SENT.items()]


def message() -> email.message.Message:
    made = email.message.Message()
    for name, value in SENT.items():
        made[name] = value
    return made


def django_asgi() -> ASGIRequest:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": asgi_list(), "client": (PEER, 1)}
    return ASGIRequest(scope, io.BytesIO())


SHAPES: dict[str, Callable[[], Any]] = {
    "dict": lambda: SENT,
    "dict-lower-case": lambda: {name.lower(): value for name, value in SENT.items()},
    "dict-upper-case": lambda: {name.upper(): value for name, value in SENT.items()},
    "dict-of-bytes": lambda: dict(asgi_list()),
    "mapping": lambda: MappingProxyType(SENT),
    "wsgi-environ": environ,
    "wsgi-environ-headers-only": bare_environ,
    "asgi-list": asgi_list,
    "asgi-list-of-lists": lambda: [list(pair) for pair in asgi_list()],
    "pairs-of-text": lambda: iter(SENT.items()),
    "flask": lambda: EnvironHeaders(environ()),
    "werkzeug": lambda: WerkzeugHeaders(SENT),
    "django-wsgi-headers": lambda: WSGIRequest(environ()).headers,
    "django-wsgi-meta": lambda: WSGIRequest(environ()).META,
    "django-asgi-headers": lambda: django_asgi().headers,
    "django-asgi-meta": lambda: django_asgi().META,
    "django-header-mapping": lambda: HttpHeaders(environ()),
    "starlette": lambda: StarletteHeaders(raw=asgi_list()),
    "http.server": message,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_headers_is_read(shape: str) -> None:
    context = context_from_headers(SHAPES[shape](), "https://shop.example/", PEER, 1)
    assert context.to_dict() == CONTEXT
    assert client_hints_from_headers(SHAPES[shape]()).to_dict() == HINTS


def test_the_exported_classes_have_them() -> None:
    assert Context.from_headers(SENT, url="https://shop.example/", client_address=PEER, trusted_proxies=1) == (
        Context.from_dict(CONTEXT)
    )
    assert ClientHints.from_headers(SENT) == ClientHints.from_dict(HINTS)


@pytest.mark.parametrize("shape", ["wsgi-environ", "wsgi-environ-headers-only", "django-wsgi-meta", "django-asgi-meta"])
def test_an_environ_names_the_peer_itself(shape: str) -> None:
    assert context_from_headers(SHAPES[shape]()).geo == Context.from_dict({"geo": {"ipAddress": PEER}}).geo
    named = context_from_headers(SHAPES[shape](), client_address="192.0.2.1").to_dict()["geo"]
    assert named == {"ipAddress": "192.0.2.1"}


def test_without_a_peer_and_without_proxies_no_address_is_known() -> None:
    assert context_from_headers(SENT).geo is None
    assert context_from_headers(SENT, trusted_proxies=["10.0.0.0/8"]).geo is None


def test_by_default_x_forwarded_for_is_not_believed() -> None:
    assert context_from_headers(environ()).to_dict()["geo"] == {"ipAddress": PEER}


@pytest.mark.parametrize(
    "headers", [{}, [], {"Accept": "*/*"}, {"User-Agent": "", "Referer": ""}, {"User-Agent": None}]
)
def test_nothing_to_say_is_left_out(headers: Any) -> None:
    assert context_from_headers(headers).to_dict() == {"channel": "web"}
    assert client_hints_from_headers(headers).to_dict() == {}


def test_the_url_alone_is_an_address() -> None:
    assert context_from_headers({}, "https://shop.example/").to_dict()["address"] == {"url": "https://shop.example/"}
    assert context_from_headers({"Referer": "https://a.example"}).to_dict()["address"] == {
        "referringUrl": "https://a.example"
    }


def test_a_frameworks_url_object_is_taken() -> None:
    url: Any = URL("https://shop.example/a?b=c")
    assert context_from_headers({}, url).to_dict()["address"] == {"url": "https://shop.example/a?b=c"}


def test_what_is_too_long_for_the_api_is_cut() -> None:
    long = "https://shop.example/" + "a" * 5000
    context = context_from_headers({"Referer": long, "User-Agent": long}, long).to_dict()
    assert context["address"] == {"url": long[:4096], "referringUrl": long[:4096]}
    assert context["userAgent"] == long[:4096]


@pytest.mark.parametrize("bad", [None, 5, "User-Agent: x", b"User-Agent: x", ["User-Agent"], [("a", "b", "c")], [5]])
def test_what_are_no_headers_is_refused(bad: Any) -> None:
    for read in (client_hints_from_headers, context_from_headers):
        with pytest.raises(OptionsError, match="headers must"):
            read(bad)


def test_bad_proxies_are_refused() -> None:
    with pytest.raises(OptionsError, match="trusted_proxies must"):
        context_from_headers({}, trusted_proxies=-1)


# --------------------------------------------------------------------------------------------------- repeated, forged


def test_a_header_in_several_lines_is_one_list() -> None:
    lines = [
        (b"x-forwarded-for", b"6.6.6.6"),
        (b"sec-ch-ua", b'"Chromium";v="126"'),
        (b"X-Forwarded-For", b"203.0.113.7"),
        (b"sec-ch-ua", b'"Google Chrome";v="126"'),
    ]
    context = context_from_headers(lines, client_address=PEER, trusted_proxies=1).to_dict()
    assert context["geo"] == {"ipAddress": "203.0.113.7"}
    assert context["clientHints"] == {"browserUAWithMajorVersion": '"Chromium";v="126", "Google Chrome";v="126"'}
    assert context_from_headers(WerkzeugHeaders([("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "1.2.3.4")]), None,
                                PEER, 1).to_dict()["geo"] == {"ipAddress": "1.2.3.4"}  # fmt: skip


@pytest.mark.parametrize(
    "forged",
    [
        {"HTTP_X_FORWARDED_FOR": "6.6.6.6"},
        {"HTTP_X_FORWARDED_FOR": "6.6.6.6", "REMOTE_ADDR": "6.6.6.6"},
        {"HTTP_X_FORWARDED_FOR": "6.6.6.6", "REMOTE_ADDR": "6.6.6.6", "wsgi.version": "(1, 0)", "wsgi.input": ""},
        {"X_Forwarded_For": "6.6.6.6"},
        {":peer": "6.6.6.6"},
        {"X-Real-IP": "6.6.6.6", "Forwarded": "for=6.6.6.6", "X-Client-IP": "6.6.6.6", "True-Client-IP": "6.6.6.6"},
    ],
)
@pytest.mark.parametrize("wrap", [dict, MappingProxyType, lambda headers: list(headers.items())])
def test_no_header_passes_itself_off_as_an_environ(forged: dict[str, str], wrap: Callable[[Any], Any]) -> None:
    behind_proxy = {**forged, "Host": "shop.example", "User-Agent": "x", "X-Forwarded-For": "203.0.113.7"}
    context = context_from_headers(wrap(behind_proxy), client_address=PEER, trusted_proxies=1).to_dict()
    assert context["geo"] == {"ipAddress": "203.0.113.7"}
    assert context["userAgent"] == "x"
    for host in ("Host", "host", "HOST"):
        assert context_from_headers(wrap({**forged, host: "shop.example"})).geo is None


def test_only_a_plain_dict_is_an_environ_by_its_names_alone() -> None:
    forged = {"HTTP_X_FORWARDED_FOR": "6.6.6.6", "REMOTE_ADDR": "6.6.6.6"}
    assert context_from_headers(forged).geo is not None
    for headers in (MappingProxyType(forged), WerkzeugHeaders(forged), list(forged.items())):
        assert context_from_headers(headers, None, None, 1).geo is None


@given(st.lists(st.tuples(st.sampled_from([*SENT, "HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"]), st.text(max_size=30))))
def test_what_a_visitor_writes_ahead_of_the_proxy_never_wins(written: list[tuple[str, str]]) -> None:
    headers = [*written, ("X-Forwarded-For", "203.0.113.7")]
    for trusted in (1, ["10.0.0.0/8"]):
        assert context_from_headers(headers, None, PEER, trusted).to_dict()["geo"] == {"ipAddress": "203.0.113.7"}
    assert context_from_headers(headers, None, "192.0.2.9", ["10.0.0.0/8"]).to_dict()["geo"] == {
        "ipAddress": "192.0.2.9"
    }


# --------------------------------------------------------------------------------------------------------- client hints


@pytest.mark.parametrize(
    "brands",
    [
        pytest.param(BRANDS, id="chrome-126"),
        pytest.param('" Not A;Brand";v="99", "Chromium";v="100", "Google Chrome";v="100"', id="chrome-100"),
        pytest.param('"Not_A Brand";v="8", "Chromium";v="120", "Microsoft Edge";v="120"', id="edge-120"),
        pytest.param('"Chromium";v="112", "Microsoft Edge";v="112", "Not:A-Brand";v="99"', id="edge-112"),
        pytest.param('"Chromium";v="110", "Not A(Brand";v="24", "Opera";v="96"', id="opera-96"),
        pytest.param('"Opera GX";v="109", "Not:A-Brand";v="8", "Chromium";v="123"', id="opera-gx"),
        pytest.param('"Chromium";v="124", "HeadlessChrome";v="124", "Not-A.Brand";v="99"', id="headless"),
        pytest.param('"Android WebView";v="125", "Chromium";v="125", "Not.A/Brand";v="24"', id="android-webview"),
        pytest.param(r'"\\Not\"A;Brand";v="99", "Chromium";v="90"', id="grease-escapes"),
        pytest.param('"(Not(A:Brand";v="99.0.0.0", "x, y";v="1"', id="grease-comma"),
        pytest.param('"Chromium"', id="no-version"),
        pytest.param('"Chromium";v=126', id="version-without-quotes"),
        pytest.param('"Chromium";v="126";beta', id="a-flag"),
        pytest.param('"Chromium" ; v="126" ,\t"Opera";v="96"', id="spaces"),
        pytest.param('"";v=""', id="empty-brand"),
        pytest.param('"' + "a" * 1015 + '";v="1"', id="longest"),
    ],
)
def test_lists_of_brands_are_sent_as_the_browser_wrote_them(brands: str) -> None:
    hints = client_hints_from_headers({"Sec-CH-UA": f" {brands} ", "Sec-CH-UA-Full-Version-List": brands})
    assert hints.to_dict() == {"browserUAWithMajorVersion": brands, "browserUAWithFullVersion": brands}


@pytest.mark.parametrize(
    "brands",
    [
        "",
        " ",
        "Chromium",
        '"Chromium',
        'Chromium";v="1"',
        '"a";v="1",',
        ',"a";v="1"',
        '"a" "b"',
        '"a";v="1";',
        '"a";=1',
        r'"a\x"',
        '"a\x00b"',
        '"a\nb"',
        '"ü"',
        '"a"; DROP TABLE',
        "<script>",
        '"' + "a" * 1023 + '"',
    ],
)
def test_what_is_no_list_of_brands_is_left_out(brands: str) -> None:
    assert client_hints_from_headers({"Sec-CH-UA": brands, "Sec-CH-UA-Full-Version-List": brands}).to_dict() == {}


@pytest.mark.parametrize(
    ("sent", "mobile"),
    [
        ("?1", True),
        ("?0", False),
        (" ?1 ", True),
        ("1", None),
        ("true", None),
        ("?2", None),
        ("", None),
        ("?1, ?0", None),
    ],
)
def test_mobile(sent: str, mobile: bool | None) -> None:
    assert client_hints_from_headers({"Sec-CH-UA-Mobile": sent}).mobile is mobile


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ('"Windows"', "Windows"),
        ('"Pixel 8 Pro"', "Pixel 8 Pro"),
        ('"Chrome OS"', "Chrome OS"),
        (r'"a \"quoted\" \\ name"', r'a "quoted" \ name'),
        ('"15.0.0"', "15.0.0"),
        ('"arm";q=1', "arm"),
        ("Windows", "Windows"),
        ("64", "64"),
        ('""', None),
        ("", None),
        (" ", None),
        ('"', None),
        ('"a', None),
        ('a"', None),
        ('"a"b', None),
        (r'"a\n"', None),
        ("two words", None),
        ('"a\x01"', None),
        ('"é"', None),
        ("é", None),
        ('"a", "b"', None),
        ('"' + "a" * 1022 + '"', "a" * 1022),
        ('"' + "a" * 1023 + '"', None),
        ("a" * 1025, None),
    ],
)
@pytest.mark.parametrize("field", ["model", "platform", "platform_version", "architecture", "bitness"])
def test_single_hints(field: str, sent: str, read: str | None) -> None:
    header = {"architecture": "arch"}.get(field, field.replace("_", "-"))
    assert getattr(client_hints_from_headers({f"sec-ch-ua-{header}": sent}), field) == read


def test_without_hints_the_user_agent_stands_alone() -> None:
    headers = {"User-Agent": "Firefox", "Sec-CH-UA": "garbage"}
    assert context_from_headers(headers).to_dict() == {"channel": "web", "userAgent": "Firefox"}


# -------------------------------------------------------------------------------------------------------------- hostile

NAMES = st.sampled_from([name.lower().encode() for name in SENT]) | st.binary(max_size=20)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=200))), st.text(), st.integers(0, 3))
@example([(b"sec-ch-ua", b'"\xff\x00";v="\\"')], "\ud800", 1)
def test_any_bytes_are_read_or_left_out(headers: list[tuple[bytes, bytes]], url: str, trusted: int) -> None:
    context = context_from_headers(headers, url, PEER, trusted)
    assert context.channel == "web"
    hints = client_hints_from_headers(headers).to_dict()
    assert all(value is True or value is False or re.fullmatch("[ -~]{1,1024}", value) for value in hints.values())


@pytest.mark.parametrize("name", [name for name in SENT if name != "Host"])
@pytest.mark.parametrize("unit", ['"', '"a",', '"a";v="1";', "\\", '"\\', ", ", ";", " ", "\t;", "a", '"a" '])
def test_a_megabyte_in_one_header_takes_no_time(name: str, unit: str) -> None:
    headers = {name: '"' + unit * (1_000_000 // len(unit))}
    start = time.perf_counter()
    context_from_headers(headers, None, PEER, 1)
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("unit", ['"', '"a",', '"a";v="1";', '"\\\\', " ;a", '"a" ,', ' "a"', ";a=b"])
def test_no_hint_of_any_length_backtracks(unit: str) -> None:
    for start in ('"a"', '"a";v="1"', ""):
        value = (start + unit * 1024)[:1023] + "\x00"
        began = time.perf_counter()
        assert client_hints_from_headers({"Sec-CH-UA": value, "Sec-CH-UA-Model": value}).to_dict() == {}
        assert time.perf_counter() - began < 0.5


def test_a_hundred_thousand_lines_are_read_in_linear_time() -> None:
    start = time.perf_counter()
    context_from_headers([(b"x-forwarded-for", b"203.0.113.7")] * 100_000, None, PEER, 1)
    assert time.perf_counter() - start < 2
