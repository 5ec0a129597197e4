"""Who a call is for: session, device id and customer ids, and which source wins."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import CustomerId, DeliveryRequest, ExecuteRequest, OptionsError, RequestDetails, VisitorId
from tests.kit.built_calls import PAGE_LOAD, expires, offers


def session_cookie(session_id: str) -> str:
    return f"session#{session_id}#{expires()}"


@pytest.mark.parametrize(
    ("cookie", "option", "session_id"),
    [
        pytest.param(session_cookie("111"), "222", "111", id="cookie-beats-option"),
        pytest.param(session_cookie("111"), None, "111", id="cookie"),
        pytest.param(None, "222", "222", id="option"),
        pytest.param(f"PC#x#{expires()}", "222", "222", id="cookie-without-session"),
        pytest.param("session#111#1", "222", "222", id="expired-cookie"),
        pytest.param(session_cookie(""), "222", "222", id="empty-in-cookie"),
        pytest.param(session_cookie("a%20b"), "222", "222", id="cookie-breaks-the-rules"),
        pytest.param(session_cookie("~" * 128), None, "~" * 128, id="longest"),
        pytest.param(session_cookie("a%7Cb%23c"), None, "a|b#c", id="encoded"),
    ],
)
def test_session(cookie: str | None, option: str | None, session_id: str) -> None:
    assert offers(target_cookie=cookie, session_id=option).session_id == session_id


@pytest.mark.parametrize(
    "bad",
    ["a%20b", "a?b", "a%2Fb", "a%7Bb", "a%7Db", "a" * 129, "%C3%BC", "a%0Ab", "%00", "%7F", "a%0A"],
    ids=["space", "question", "slash", "open", "close", "129", "not-ascii", "line-break", "nul", "del", "end-of-line"],
)
def test_a_session_in_a_cookie_that_breaks_the_rules_is_replaced(bad: str, caplog: pytest.LogCaptureFixture) -> None:
    call = offers(target_cookie=session_cookie(bad))
    assert call.session_id.startswith("id-")  # a new one
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("session_id", [None, ""])
def test_without_a_session_a_new_id_is_made(session_id: str | None) -> None:
    call = offers(session_id=session_id)
    assert call.session_id.startswith("id-")
    assert call.session_id not in (call.trace_id, call.body["requestId"], call.body["impressionId"])


@pytest.mark.parametrize(
    ("request_id", "cookie", "sent", "kept"),
    [
        pytest.param(None, f"PC#dev.21_0#{expires()}", "dev.21_0", "dev.21_0", id="cookie"),
        pytest.param("own.5_0", f"PC#dev.21_0#{expires()}", "own.5_0", "own.5_0", id="request-beats-cookie"),
        pytest.param("", f"PC#dev.21_0#{expires()}", "dev.21_0", "dev.21_0", id="empty-in-request-is-none"),
        pytest.param("own", None, "own", "own", id="request"),
        pytest.param(None, f"PC##{expires()}", None, None, id="empty-in-cookie"),
        pytest.param(None, "PC#dev.21_0#1", None, None, id="expired"),
        pytest.param(None, f"PC#{'d' * 128}#{expires()}", "d" * 128, "d" * 128, id="longest"),
        pytest.param(None, f"PC#{'d' * 129}#{expires()}", None, None, id="too-long"),
        pytest.param(None, f"PC#d%0Ae#{expires()}", None, None, id="line-break"),
        pytest.param(None, f"PC#%C3%BC#{expires()}", None, None, id="not-ascii"),
        pytest.param(5, None, "5", "5", id="number-in-request"),
    ],
)
def test_device_id(request_id: Any, cookie: str | None, sent: Any, kept: str | None) -> None:
    request = {**PAGE_LOAD, "id": {"tntId": request_id}}
    call = offers(request, target_cookie=cookie)
    assert call.body.get("id", {}).get("tntId") == sent
    assert call.device_id == kept


@pytest.mark.parametrize("own", [None, {}, {"tntId": None}, {"tntId": "", "thirdPartyId": None}], ids=str)
def test_without_any_id_no_id_is_sent(own: dict[str, Any] | None) -> None:
    request = {**PAGE_LOAD, **({} if own is None else {"id": own})}
    assert "id" not in offers(request).body


def test_an_empty_visitor_id_object_is_not_sent() -> None:
    request = DeliveryRequest(execute=ExecuteRequest(page_load=RequestDetails()), id=VisitorId())
    assert "id" not in offers(request).body


def test_other_ids_of_the_request_are_kept_beside_the_cookies() -> None:
    own = {"thirdPartyId": "t", "marketingCloudVisitorId": "m", "future": {"a": 1}}
    body = offers({**PAGE_LOAD, "id": own}, target_cookie=f"PC#dev#{expires()}").body
    assert body["id"] == {**own, "tntId": "dev"}


@pytest.mark.parametrize("hint", ["12345", "x", "35.evil.example/", "x@127.0.0.1:80/", "-1", "22 ", "٣", " "])
def test_a_location_hint_of_a_call_that_is_no_cluster_is_ignored(hint: str, caplog: pytest.LogCaptureFixture) -> None:
    call = offers(target_location_hint=hint)
    assert (call.base_url, call.cluster) == ("https://acme.tt.omtrdc.net", None)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert hint.strip() not in caplog.text or not hint.strip()


def test_an_empty_location_hint_is_none_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert offers(target_location_hint="").cluster is None
    assert not caplog.records


AUTHENTICATED = {"id": "67312378756723456", "integrationCode": "userid", "authenticatedState": "authenticated"}
PUUID = "550e8400-e29b-41d4-a716-446655440000"
UNKNOWN = {"id": PUUID, "integrationCode": "puuid", "authenticatedState": "unknown"}


@pytest.mark.parametrize(
    "given_ids",
    [
        pytest.param({"userid": {"id": AUTHENTICATED["id"], "authState": 1}, "puuid": PUUID}, id="visitor-id-form"),
        pytest.param(
            {"userid": {"id": AUTHENTICATED["id"], "authState": "1"}, "puuid": {"id": PUUID, "authState": "0"}},
            id="states-as-text",
        ),
        pytest.param([AUTHENTICATED, UNKNOWN], id="wire-dicts"),
        pytest.param((AUTHENTICATED, {"id": PUUID, "integrationCode": "puuid"}), id="tuple-state-left-out"),
        pytest.param(
            [
                {"id": AUTHENTICATED["id"], "integration_code": "userid", "authenticated_state": "authenticated"},
                {"id": PUUID, "integration_code": "puuid", "authenticated_state": None},
            ],
            id="snake-case",
        ),
        pytest.param([CustomerId.from_dict(AUTHENTICATED), UNKNOWN], id="models-and-dicts"),
        pytest.param((CustomerId.from_dict(entry) for entry in (AUTHENTICATED, UNKNOWN)), id="generator-of-models"),
    ],
)
def test_customer_ids_are_sent_in_wire_form(given_ids: Any) -> None:
    assert offers(customer_ids=given_ids).body["id"]["customerIds"] == [AUTHENTICATED, UNKNOWN]


@pytest.mark.parametrize(
    ("state", "sent"),
    [
        (0, "unknown"),
        (1, "authenticated"),
        (2, "logged_out"),
        ("0", "unknown"),
        ("1", "authenticated"),
        ("2", "logged_out"),
        ("logged_out", "logged_out"),
        ("authenticated", "authenticated"),
        (None, "unknown"),
    ],
)
def test_authentication_states(state: Any, sent: str) -> None:
    for given_ids in (
        {"crm": {"id": "1", "authState": state}},
        [{"id": "1", "integrationCode": "crm", "authState": state}],
    ):
        assert offers(customer_ids=given_ids).body["id"]["customerIds"][0]["authenticatedState"] == sent


@pytest.mark.parametrize(
    ("given_ids", "says"),
    [
        pytest.param({"crm": None}, r"customer_ids\['crm'\] must be a CustomerId or a dict, not None", id="none"),
        pytest.param({"crm": 5.5}, r"customer_ids\['crm'\] must be .* not float", id="number"),
        pytest.param({"crm": ["1"]}, r"customer_ids\['crm'\] must be .* not list", id="list"),
        pytest.param([5], r"customer_ids\[0\] must be .* not int", id="number-in-list"),
        pytest.param([None], r"customer_ids\[0\]", id="none-in-list"),
        pytest.param(["1"], r"customer_ids\[0\]", id="text-in-list"),
        pytest.param([{"id": "1"}], r"customer_ids\[0\] needs 'integrationCode'", id="no-code"),
        pytest.param([{"integrationCode": "crm"}], r"customer_ids\[0\] needs 'id'", id="no-id"),
        pytest.param([{"id": 1.5, "integrationCode": "crm"}], r"needs 'id' as a string", id="id-is-a-float"),
        pytest.param([{"id": "", "integrationCode": "crm"}], r"needs 'id'", id="id-is-empty"),
        pytest.param({"crm": {}}, r"customer_ids\['crm'\] needs 'id'", id="empty-dict"),
        pytest.param({1: {"id": "1"}}, r"needs 'integrationCode' as a string", id="code-is-a-number"),
        pytest.param({"crm": {"id": "1", "autState": 1}}, r"unknown key 'autState'.*authState", id="misspelt-key"),
        pytest.param({"crm": {"id": "1", "authState": 3}}, r"unknown authState: use 0 \(unknown\)", id="state-3"),
        pytest.param({"crm": {"id": "1", "authState": True}}, r"unknown authState", id="state-is-a-flag"),
        pytest.param({"crm": {"id": "1", "authState": 1.0}}, r"unknown authState", id="state-is-a-float"),
        pytest.param({"crm": {"id": "1", "authState": []}}, r"unknown authState", id="state-is-a-list"),
        pytest.param({"id": "1", "integrationCode": "crm"}, r"customer_ids must be a list", id="one-dict-no-list"),
        pytest.param("crm", r"Option 'customer_ids' must be a list of CustomerId", id="text"),
        pytest.param(5, r"Option 'customer_ids' must be", id="just-a-number"),
        pytest.param(CustomerId.from_dict(UNKNOWN), r"Option 'customer_ids' must be a list", id="one-model-no-list"),
    ],
)
def test_customer_ids_that_cannot_be_sent(given_ids: Any, says: str) -> None:
    with pytest.raises(OptionsError, match=says):
        offers(customer_ids=given_ids)


def test_customer_ids_of_the_call_come_ahead_of_the_requests_own() -> None:
    own = [{"id": "own", "integrationCode": "shop", "authenticatedState": "logged_out"}]
    body = offers({**PAGE_LOAD, "id": {"customerIds": own}}, customer_ids=[AUTHENTICATED, UNKNOWN]).body
    assert body["id"]["customerIds"] == [AUTHENTICATED, UNKNOWN, *own]


def test_the_same_id_and_code_is_sent_once() -> None:
    own = [{**UNKNOWN, "authenticatedState": "logged_out"}, {**UNKNOWN, "integrationCode": "shop"}]
    sent = offers({**PAGE_LOAD, "id": {"customerIds": own}}, customer_ids=[AUTHENTICATED, UNKNOWN]).body["id"]
    pairs = [(entry["id"], entry["integrationCode"]) for entry in sent["customerIds"]]
    assert pairs == [(AUTHENTICATED["id"], "userid"), (PUUID, "puuid"), (PUUID, "shop")]


def test_without_the_option_the_requests_own_customer_ids_pass_through() -> None:
    own = [{"id": "own", "integrationCode": "shop", "authenticatedState": "brand-new", "future": 1}]
    assert offers({**PAGE_LOAD, "id": {"customerIds": own}}).body["id"]["customerIds"] == own


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_customer_ids_are_sent_or_refused(given_ids: Any) -> None:
    try:
        call = offers(customer_ids=given_ids)
    except OptionsError:
        return
    assert all(isinstance(entry["id"], str) for entry in call.body.get("id", {}).get("customerIds", []))


@pytest.mark.parametrize("level", [logging.DEBUG])
def test_what_is_wrong_with_a_cookie_is_said_without_showing_it(level: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(level, "target"):
        offers(target_cookie=f"session#SECRET%20a#{expires()}|PC#SECRET%0A#{expires()}", target_location_hint="SECRET")
        offers({**PAGE_LOAD, "id": {"tntId": "SECRET.SECRET"}})
    assert caplog.messages == [
        "The session id in the mbox cookie breaks the API's rules and is replaced",
        "The device id in the mbox cookie breaks the API's rules and is ignored",
        "The target_location_hint of a call is not an edge cluster of 1 to 4 digits and is ignored",
        "The device id of a call names no edge cluster of 1 to 4 digits; its suffix is ignored",
    ]
