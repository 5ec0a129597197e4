"""What a page gets: JSON that stays inside its script element, server state for at.js, Analytics hits."""

from __future__ import annotations

import copy
import html.parser
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from target import OptionsError
from target.page import build_analytics_hits, build_server_state, script_json

HOSTILE = [
    "</script>",
    "</SCRIPT >",
    "<!--<script>",
    "-->",
    "]]>",
    "\u2028",
    "\u2029",
    "&lt;",
    "\x00",
    "\ud800",
    "'\"\\",
]
TEXT = st.text() | st.sampled_from(HOSTILE) | st.text(st.sampled_from("<>&/!-\u2028\u2029script"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


class Scripts(html.parser.HTMLParser):
    """Collects what a browser takes for the inside of script elements, and everything else."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=False)
        self.tags: list[str] = []
        self.inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.inside += data


@given(JSON)
@example({hostile: [hostile] for hostile in HOSTILE})
def test_any_value_stays_inside_its_script_element(value: Any) -> None:
    text = script_json(value)
    assert not re.search("[<>&\u2028\u2029]", text)
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == value
    page = Scripts(f"<script>{text}</script>")
    assert (page.tags, page.inside) == (["script"], text)


def test_it_is_compact() -> None:
    assert script_json({"a": [1, None, "</b>"]}) == '{"a":[1,null,"\\u003c/b\\u003e"]}'


# --------------------------------------------------------------------------------------------------------- server state

OPTION = {"type": "html", "content": "<b>hi</b>", "eventToken": "e", "responseTokens": {"a": "b"}}
REQUEST: dict[str, Any] = {
    "requestId": "r",
    "impressionId": "i",
    "id": {"tntId": "t.35_0", "marketingCloudVisitorId": "m"},
    "context": {"channel": "web", "address": {"url": "https://shop.example/"}},
    "experienceCloud": {"analytics": {"logging": "server_side", "supplementalDataId": "s"}},
    "property": {"token": "p"},
    "environmentId": 5,
    "trace": {"authorizationToken": "SECRET"},
    "preview": {"token": "SECRET"},
    "qaMode": {"token": "SECRET"},
    "notifications": [{"id": "SECRET"}],
    "telemetry": {"entries": ["SECRET"]},
    "execute": {"pageLoad": {"parameters": {"a": "b"}}, "mboxes": [{"name": "SECRET", "index": 0}]},
    "prefetch": {"views": [{}], "pageLoad": {}, "mboxes": [{"name": "SECRET", "index": 0}]},
}
RESPONSE: dict[str, Any] = {
    "status": 200,
    "requestId": "r",
    "id": {"tntId": "t.35_0"},
    "client": "acme",
    "edgeHost": "mboxedge35.tt.omtrdc.net",
    "telemetryServerToken": "SECRET",
    "notifications": [{"id": "SECRET"}],
    "execute": {
        "pageLoad": {"options": [OPTION], "trace": {"x": "SECRET"}},
        "mboxes": [{"name": "SECRET", "options": [OPTION]}],
    },
    "prefetch": {
        "views": [{"name": "home", "options": [OPTION], "state": "st", "trace": {"x": "SECRET"}}],
        "pageLoad": {"options": []},
        "mboxes": [{"name": "SECRET"}],
    },
}


def test_server_state_has_page_load_and_views_and_no_mboxes() -> None:
    assert build_server_state(REQUEST, RESPONSE) == {
        "request": {
            **{
                key: REQUEST[key]
                for key in ("requestId", "impressionId", "id", "context", "experienceCloud", "property")
            },
            "execute": {"pageLoad": {"parameters": {"a": "b"}}},
            "prefetch": {"views": [{}], "pageLoad": {}},
        },
        "response": {
            **{key: RESPONSE[key] for key in ("status", "requestId", "id", "client", "edgeHost")},
            "execute": {"pageLoad": {"options": [OPTION]}},
            "prefetch": {"views": [{"name": "home", "options": [OPTION], "state": "st"}], "pageLoad": {"options": []}},
        },
    }


def test_no_secret_and_no_mbox_gets_into_the_page() -> None:
    assert "SECRET" in json.dumps(REQUEST)
    assert "SECRET" in json.dumps(RESPONSE)
    assert "SECRET" not in script_json(build_server_state(REQUEST, RESPONSE))


@pytest.mark.parametrize("part", [None, {}, {"mboxes": [{"name": "a"}]}])
def test_a_part_without_page_load_and_views_is_left_out(part: Any) -> None:
    message = {"requestId": "r", "execute": part, "prefetch": part}
    assert build_server_state(message, message) == {"request": {"requestId": "r"}, "response": {"requestId": "r"}}


def test_server_state_is_a_copy_and_changes_nothing() -> None:
    request, response = copy.deepcopy(REQUEST), copy.deepcopy(RESPONSE)
    state = build_server_state(request, response)
    state["request"]["context"]["address"]["url"] = "changed"
    state["request"]["execute"]["pageLoad"]["parameters"]["a"] = "changed"
    state["response"]["prefetch"]["views"][0]["options"][0]["content"] = "changed"
    assert (request, response) == (REQUEST, RESPONSE)


# ------------------------------------------------------------------------------------------------------- Analytics hits

TNTA = "347565:0:0|2,347565:0:0|32767,347565:0:0|1"
SERVER = "example.sc.omtrdc.net"


def test_a_hit_for_every_payload() -> None:
    assert build_analytics_hits(
        [{"pe": "tnt", "tnta": TNTA}, {"pe": "tnt", "tnta": "1:0:0|2"}], "0732", "acmeprod", SERVER
    ) == [
        "https://example.sc.omtrdc.net/b/ss/acmeprod/0/target-delivery-python"
        "?pe=tnt&tnta=347565%3A0%3A0%7C2%2C347565%3A0%3A0%7C32767%2C347565%3A0%3A0%7C1&mid=0732",
        "https://example.sc.omtrdc.net/b/ss/acmeprod/0/target-delivery-python?pe=tnt&tnta=1%3A0%3A0%7C2&mid=0732",
    ]


@pytest.mark.parametrize("visitor_id", [None, ""])
def test_without_an_ecid_a_hit_has_no_mid(visitor_id: str | None) -> None:
    (hit,) = build_analytics_hits([{"pe": "tnt", "tnta": TNTA}], visitor_id, "acmeprod", SERVER)
    assert parse_qs(urlsplit(hit).query, strict_parsing=True) == {"pe": ["tnt"], "tnta": [TNTA]}


@pytest.mark.parametrize(
    "payload", [{}, {"pe": "tnt"}, {"tnta": TNTA}, {"pe": "", "tnta": TNTA}, {"pe": "tnt", "tnta": None}]
)
def test_a_payload_that_lacks_a_part_is_no_hit(payload: dict[str, Any]) -> None:
    assert build_analytics_hits([payload], "0732", "acmeprod", SERVER) == []


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
@example("a&b=c#d", "\ud800", "?/../ +%")
def test_whatever_the_answer_holds_is_encoded(pe: str, tnta: str, visitor_id: str) -> None:
    (hit,) = build_analytics_hits([{"pe": pe, "tnta": tnta}], visitor_id, "acmeprod", SERVER)
    assert re.fullmatch(r"https://example\.sc\.omtrdc\.net/b/ss/acmeprod/0/[a-z-]+\?[A-Za-z0-9%=&+._~-]+", hit)
    read = parse_qs(urlsplit(hit).query, strict_parsing=True, keep_blank_values=True)
    sent = {"pe": pe, "tnta": tnta, "mid": visitor_id}
    assert read == {name: [re.sub("[\ud800-\udfff]", "?", value)] for name, value in sent.items()}


@pytest.mark.parametrize("report_suite", ["acmeprod", "acme.prod-1_x", "acmeprod,acmeglobal", "1"])
@pytest.mark.parametrize("server", [SERVER, "metrics.shop.example", "127.0.0.1", "a-b.c"])
def test_report_suites_and_servers(report_suite: str, server: str) -> None:
    (hit,) = build_analytics_hits([{"pe": "tnt", "tnta": "1"}], None, report_suite, server)
    assert hit == f"https://{server}/b/ss/{report_suite}/0/target-delivery-python?pe=tnt&tnta=1"


@pytest.mark.parametrize(
    "bad", ["", "..", ".", "a/b", "a?b", "a#b", "a b", "a%2Fb", "a\n", "ü", "a" * 256, ",", None, 5]
)
@pytest.mark.parametrize("payloads", [[], [{"pe": "tnt", "tnta": "1"}]])
def test_a_hostile_report_suite_is_refused(bad: Any, payloads: list[dict[str, Any]]) -> None:
    with pytest.raises(OptionsError, match="report_suite must be"):
        build_analytics_hits(payloads, None, bad, SERVER)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "localhost",
        "https://a.example",
        "a.example/b",
        "a.example:443",
        "user@a.example",
        "a.example?b",
        "a.example#b",
        "a.example\n",
        "a..example",
        ".example",
        "a.example.",
        "a b.example",
        "ü.example",
        "[::1]",
        "a." * 200 + "a",
        "a" * 64 + ".example",
        "a." * 500_000,
        None,
        5,
    ],
)
def test_a_hostile_tracking_server_is_refused(bad: Any) -> None:
    with pytest.raises(OptionsError, match="tracking_server must be a host"):
        build_analytics_hits([], None, "acmeprod", bad)
