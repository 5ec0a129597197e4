"""What a result hands to the page: state for at.js, and the Analytics hits of client-side logging."""

from __future__ import annotations

import copy
import json
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from target import DeliveryResponse, OptionsError, TargetDeliveryResponse
from target.delivery.reply import assemble
from tests.kit.built_calls import NOW_S, offers

ECID = "07327024324407615852294135870030620007"
CLIENT_SIDE = {"analytics": {"logging": "client_side"}}
SUITE, SERVER = "examplesuite", "example.sc.omtrdc.net"
OPTED_OUT = f"1|MCMID|{ECID}|MCOPTOUT|1"


def payload(tnta: str, pe: str = "tnt") -> dict[str, Any]:
    return {"payload": {"pe": pe, "tnta": tnta}}


def result(request: dict[str, Any], answer: dict[str, Any] | None, **options: Any) -> TargetDeliveryResponse:
    response = None if answer is None else DeliveryResponse.from_dict(answer)
    return assemble(offers(request, **options), response, NOW_S)


def hit_of(answer: dict[str, Any] | None, request: dict[str, Any] | None = None, **options: Any) -> list[str]:
    asked = {"execute": {"pageLoad": {}}, "experienceCloud": CLIENT_SIDE, **(request or {})}
    return result(asked, answer, **options).analytics_hit(SUITE, SERVER)


ANSWERED = {"status": 200, "execute": {"pageLoad": {"analytics": payload("1:0:0|2")}}}


class TestAnalyticsHit:
    def test_one_for_each_payload_in_the_order_of_the_answer(self) -> None:
        answer = {
            "status": 200,
            "execute": {
                "pageLoad": {"analytics": payload("1:0:0|2")},
                "mboxes": [
                    {"index": 0, "name": "a"},
                    {"index": 1, "name": "b", "analytics": payload("2:1:0|2,3:0:0|1")},
                ],
            },
            "prefetch": {"views": [{"name": "v", "analytics": payload("4:0:0|2")}]},
        }
        hits = [urlsplit(hit) for hit in hit_of(answer, visitor_cookie=f"MCMID|{ECID}")]
        assert [(hit.scheme, hit.netloc) for hit in hits] == [("https", SERVER)] * 3
        assert [hit.path.rpartition("/")[0] for hit in hits] == [f"/b/ss/{SUITE}/0"] * 3
        assert [parse_qs(hit.query, strict_parsing=True) for hit in hits] == [
            {"pe": ["tnt"], "tnta": [tnta], "mid": [ECID]} for tnta in ("1:0:0|2", "2:1:0|2,3:0:0|1", "4:0:0|2")
        ]

    @pytest.mark.parametrize(
        ("request_", "options", "mid"),
        [
            pytest.param({"id": {"marketingCloudVisitorId": "own"}}, {}, ["own"], id="request"),
            pytest.param({}, {"visitor_cookie": f"MCMID|{ECID}"}, [ECID], id="cookie"),
            pytest.param(
                {"id": {"marketingCloudVisitorId": "own"}}, {"visitor_cookie": f"MCMID|{ECID}"}, ["own"], id="both"
            ),
            pytest.param({}, {}, None, id="unknown"),
            pytest.param({}, {"visitor_cookie": OPTED_OUT}, None, id="opted-out"),
            pytest.param(
                {"id": {"marketingCloudVisitorId": "own"}}, {"visitor_cookie": OPTED_OUT}, None, id="opted-out-request"
            ),
        ],
    )
    def test_mid_is_the_ecid_that_was_sent(self, request_: Any, options: Any, mid: list[str] | None) -> None:
        [hit] = hit_of(ANSWERED, request_, **options)
        assert parse_qs(urlsplit(hit).query).get("mid") == mid

    def test_an_answer_cannot_undo_an_opt_out(self) -> None:
        [hit] = hit_of({**ANSWERED, "id": {"marketingCloudVisitorId": ECID}}, visitor_cookie=OPTED_OUT)
        assert "mid" not in hit
        assert ECID not in hit

    @pytest.mark.parametrize("logging", ["server_side", None])
    def test_none_when_target_logs_itself(self, logging: str | None) -> None:
        """A hit beside Target's own would count the visitor twice."""
        assert hit_of(ANSWERED, {"experienceCloud": {"analytics": {"logging": logging}}}) == []
        assert hit_of(ANSWERED, {"experienceCloud": None}) == []

    @pytest.mark.parametrize(
        "analytics", [None, {}, {"payload": {}}, {"payload": {"pe": "tnt"}}, {"payload": None}, payload("")], ids=repr
    )
    def test_none_without_a_payload(self, analytics: Any) -> None:
        assert hit_of({"status": 200, "execute": {"pageLoad": {"analytics": analytics}}}) == []

    def test_none_after_a_204(self) -> None:
        assert hit_of(None) == []

    def test_what_came_from_outside_stays_inside_its_parameter(self) -> None:
        evil = "1&pe=x#\r\n https://evil.example/?<\u2028"
        [hit] = hit_of(
            {"status": 200, "execute": {"pageLoad": {"analytics": payload(evil, pe=evil)}}},
            {"id": {"marketingCloudVisitorId": evil}},
        )
        split = urlsplit(hit)
        assert hit.isascii()
        assert hit.isprintable()
        assert " " not in hit
        assert (split.netloc, split.fragment) == (SERVER, "")
        assert parse_qs(split.query, strict_parsing=True) == {"pe": [evil], "tnta": [evil], "mid": [evil]}

    @pytest.mark.parametrize("suite", ["", "a/b", "a?b", "..", "a b", "a#", "é", "a\n", None, 5, ["a"]], ids=repr)
    @pytest.mark.parametrize("answer", [ANSWERED, None], ids=["hits", "none"])
    def test_a_report_suite_must_be_one(self, suite: Any, answer: Any) -> None:
        with pytest.raises(OptionsError, match="report_suite must be"):
            result({"execute": {"pageLoad": {}}}, answer).analytics_hit(suite, SERVER)

    @pytest.mark.parametrize(
        "server",
        ["", "https://a.example", "a.example/x", "a@b.example", "a.example:80", "localhost", "a..b", "a.b\n", None, 5],
        ids=repr,
    )
    def test_a_tracking_server_must_be_a_host(self, server: Any) -> None:
        with pytest.raises(OptionsError, match="tracking_server must be"):
            result({"execute": {"pageLoad": {}}}, ANSWERED).analytics_hit(SUITE, server)

    def test_several_suites(self) -> None:
        assert (
            "/b/ss/one,two.three-4/0/"
            in result({"execute": {"pageLoad": {}}, "experienceCloud": CLIENT_SIDE}, ANSWERED).analytics_hit(
                "one,two.three-4", SERVER
            )[0]
        )


REQUEST: dict[str, Any] = {
    "context": {"channel": "web", "address": {"url": "https://shop.example/"}, "userAgent": "Mozilla/5.0"},
    "property": {"token": "property"},
    "environmentId": 7,
    "trace": {"authorizationToken": "SECRET-trace"},
    "qaMode": {"token": "SECRET-qa"},
    "preview": {"token": "SECRET-preview"},
    "notifications": [{"id": "SECRET-n", "type": "click", "timestamp": 1, "tokens": ["SECRET-t"]}],
    "telemetry": {"entries": [{"telemetryServerToken": "SECRET-telemetry"}]},
    "execute": {"pageLoad": {"parameters": {"a": "b"}}, "mboxes": [{"name": "SECRET-mbox"}]},
    "prefetch": {"pageLoad": {}, "views": [{}], "mboxes": [{"name": "SECRET-mbox"}]},
}
OPTION = {"type": "html", "content": "<b>", "eventToken": "e", "responseTokens": {"activity.id": "1"}}
ANSWER: dict[str, Any] = {
    "status": 200,
    "requestId": "r",
    "id": {"tntId": "t.38_0"},
    "client": "acme",
    "edgeHost": "mboxedge38.tt.omtrdc.net",
    "execute": {
        "pageLoad": {"options": [OPTION], "trace": {"profile": "SECRET-trace"}},
        "mboxes": [{"index": 0, "name": "SECRET-mbox", "options": [OPTION]}],
    },
    "prefetch": {
        "pageLoad": {"options": [OPTION]},
        "views": [{"name": "v", "key": "k", "options": [OPTION], "trace": {"profile": "SECRET-trace"}, "state": "s"}],
        "mboxes": [{"index": 0, "name": "SECRET-mbox", "state": "s"}],
    },
    "notifications": [{"id": "SECRET-n"}],
}


class TestServerState:
    def test_page_load_and_views_in_wire_form(self) -> None:
        made = result(REQUEST, ANSWER, visitor_cookie=f"MCMID|{ECID}", target_cookie="PC#t.38_0#9585281503")
        state = made.server_state()
        assert state is not None
        assert set(state) == {"request", "response"}
        asked = state["request"]
        assert set(asked) == {
            "requestId", "impressionId", "id", "context", "experienceCloud", "property", "execute", "prefetch"
        }  # fmt: skip
        assert asked["id"] == {"tntId": "t.38_0", "marketingCloudVisitorId": ECID}
        assert asked["context"]["address"] == {"url": "https://shop.example/"}
        assert asked["execute"] == {"pageLoad": {"parameters": {"a": "b"}}}
        assert asked["prefetch"] == {"pageLoad": {}, "views": [{}]}
        assert asked["requestId"] == made.request.request_id
        assert asked["experienceCloud"]["analytics"]["supplementalDataId"]
        assert state["response"] == {
            "status": 200,
            "requestId": "r",
            "id": {"tntId": "t.38_0"},
            "client": "acme",
            "edgeHost": "mboxedge38.tt.omtrdc.net",
            "execute": {"pageLoad": {"options": [OPTION]}},
            "prefetch": {
                "pageLoad": {"options": [OPTION]},
                "views": [{"name": "v", "key": "k", "options": [OPTION], "state": "s"}],
            },
        }

    def test_nothing_that_only_the_server_should_know(self) -> None:
        assert "SECRET" not in result(REQUEST, ANSWER).server_state_json()

    def test_a_call_for_mboxes_alone_leaves_no_part(self) -> None:
        request = {"execute": {"mboxes": [{"name": "a"}]}, "prefetch": {"mboxes": [{"name": "a"}]}}
        answer = {"status": 200, "execute": {"mboxes": [{"index": 0, "name": "a"}]}, "prefetch": {"mboxes": []}}
        state = result(request, answer).server_state()
        assert state is not None
        assert not {"execute", "prefetch"} & (state["request"].keys() | state["response"].keys())

    def test_what_the_model_does_not_know_is_kept_within_a_part(self) -> None:
        answer = {"status": 200, "execute": {"pageLoad": {"options": [{"type": "new", "novel": [1]}]}}}
        state = result(REQUEST, answer).server_state()
        assert state is not None
        assert state["response"] == answer

    def test_none_after_a_204(self) -> None:
        made = result(REQUEST, None)
        assert made.server_state() is None
        assert made.server_state_json() == "null"

    def test_is_the_callers_to_change(self) -> None:
        made = result(REQUEST, ANSWER)
        state = made.server_state()
        before = copy.deepcopy(state)
        assert state is not None
        for message in state.values():
            message["execute"]["pageLoad"]["added"] = message["id" if "id" in message else "execute"]["added"] = 1
        state["request"]["context"]["address"]["url"] = "changed"
        state["response"]["prefetch"]["views"].clear()
        assert made.server_state() == before

    def test_json_is_the_same_as_text(self) -> None:
        made = result(REQUEST, ANSWER)
        assert json.loads(made.server_state_json()) == made.server_state()

    @pytest.mark.parametrize(
        "evil",
        ["</script><script>alert(1)//", "<!--<script>", "]]>", "\u2028\u2029", "&quot;", "é\udc80'\"\\"],
        ids=ascii,
    )
    def test_json_stays_inside_its_script_element(self, evil: str) -> None:
        request = {**REQUEST, "context": {"userAgent": evil, "address": {"referringUrl": evil}}}
        option = {"type": "html", "content": evil, "responseTokens": {evil: evil}}
        made = result(request, {"status": 200, "execute": {"pageLoad": {"options": [option]}}})
        text = made.server_state_json()
        assert text.isascii()
        assert not set(text) & set("<>&\n\r")
        assert json.loads(text) == made.server_state()
        assert scripts(f"<script>state = {text}</script><p>") == [f"state = {text}"]


def scripts(page: str) -> list[str]:
    """What an HTML parser takes for the content of script elements."""
    found: list[str] = []

    class Parser(HTMLParser):
        inside = False

        def handle_starttag(self, tag: str, attrs: Any) -> None:
            self.inside = tag == "script"
            if self.inside:
                found.append("")

        def handle_endtag(self, tag: str) -> None:
            self.inside = False

        def handle_data(self, data: str) -> None:
            if self.inside:
                found[-1] += data

    parser = Parser()
    parser.feed(page)
    parser.close()
    return found
