"""Hosts: a cluster comes from an id, a hint or an answer, and is four digits at most whatever they hold."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.delivery.identity import build_base_url, cluster_of_device_id, cluster_of_edge_host
from target.values import parse_cluster
from tests.kit.built_calls import config, expires, offers

DEVICE = "08210e2d751a44779b8313e2d2692b96"
ANY_TEXT = st.text() | st.from_regex(r"[a-z0-9.@/_:\\#?]{0,20}") | st.from_regex(r"\d{1,5}", fullmatch=True)


@pytest.mark.parametrize(
    ("device_id", "cluster"),
    [
        pytest.param(f"{DEVICE}.21_27", "21", id="documented"),
        pytest.param("1.5_9", "5", id="short"),
        pytest.param("d.1234_0", "1234", id="four-digits"),
        pytest.param(None, None, id="none"),
        pytest.param("", None, id="empty"),
        pytest.param(f"{DEVICE}21_27", None, id="no-dot"),
        pytest.param("a.b.c", None, id="two-dots"),
        pytest.param("a.b.38_0", None, id="two-dots-and-a-cluster"),
        pytest.param("x.21", None, id="no-node"),
        pytest.param("x._0", None, id="no-cluster"),
        pytest.param("x.12345_0", None, id="five-digits"),
        pytest.param("x.2a_0", None, id="letters"),
        pytest.param("x.-1_0", None, id="sign"),
        pytest.param("x.3\n_0", None, id="line-break"),
        pytest.param("x.٣_0", None, id="digit-that-is-not-ascii"),
        pytest.param("abc.@127.0.0.1:8080/x?_0", None, id="injection-official-defect-3"),
        pytest.param("abc.35@evil_0", None, id="injection-of-credentials"),
        pytest.param("abc.35/evil?_0", None, id="injection-of-a-path"),
    ],
)
def test_cluster_of_device_id(device_id: str | None, cluster: str | None) -> None:
    assert cluster_of_device_id(device_id) == cluster


@pytest.mark.parametrize(
    ("edge_host", "cluster"),
    [
        pytest.param("mboxedge28.tt.omtrdc.net", "28", id="documented"),
        pytest.param("mboxedge35.target.adobe.net", "35", id="another-domain"),
        pytest.param("mboxedge28.omtrdc.net", None, id="three-labels"),
        pytest.param("mboxedge28.a.tt.omtrdc.net", None, id="five-labels"),
        pytest.param("acme.tt.omtrdc.net", None, id="no-cluster"),
        pytest.param("mboxedge.tt.omtrdc.net", None, id="empty-cluster"),
        pytest.param("mboxedge12345.tt.omtrdc.net", None, id="five-digits"),
        pytest.param("mboxedge28.tt.omtrdc.net\n", None, id="line-break"),
        pytest.param("mboxedge28.tt.omtrdc.net:80", None, id="port"),
        pytest.param("xmboxedge28.tt.omtrdc.net", None, id="prefix"),
        pytest.param("mboxedge٣.tt.omtrdc.net", None, id="digit-that-is-not-ascii"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
        pytest.param(28, None, id="number"),
        pytest.param(["mboxedge28.tt.omtrdc.net"], None, id="list"),
    ],
)
def test_cluster_of_edge_host(edge_host: object, cluster: str | None) -> None:
    assert cluster_of_edge_host(edge_host) == cluster


@pytest.mark.parametrize(
    ("value", "cluster"),
    [("1", "1"), ("0038", "0038"), ("9999", "9999")]
    + [
        (bad, None) for bad in ["", "12345", " 1", "1 ", "1\n", "a", "1.", "-1", "²", "٣", "1_0", 38, None, b"38", True]
    ],
    ids=repr,
)
def test_parse_cluster(value: object, cluster: str | None) -> None:
    assert parse_cluster(value) == cluster


@given(ANY_TEXT)
def test_a_cluster_is_never_anything_but_digits(text: str) -> None:
    for cluster in (parse_cluster(text), cluster_of_device_id(text), cluster_of_device_id(f"d.{text}_0")):
        assert cluster is None or re.fullmatch(r"[0-9]{1,4}", cluster, re.ASCII)
    for cluster in (cluster_of_edge_host(text), cluster_of_edge_host(f"mboxedge{text}.tt.omtrdc.net")):
        assert cluster is None or re.fullmatch(r"[0-9]{1,4}", cluster, re.ASCII)


@pytest.mark.parametrize(
    ("options", "cluster", "url"),
    [
        pytest.param({"server_domain": "test.com"}, None, "https://test.com", id="domain"),
        pytest.param(
            {"server_domain": "test.com"}, "21", "https://mboxedge21.tt.omtrdc.net", id="cluster-beats-domain"
        ),
        pytest.param({"server_domain": ""}, "21", "https://mboxedge21.tt.omtrdc.net", id="empty-domain-with-cluster"),
        pytest.param({"server_domain": ""}, None, "https://acme.tt.omtrdc.net", id="empty-domain-is-none"),
        pytest.param({}, None, "https://acme.tt.omtrdc.net", id="client"),
        pytest.param({}, "", "https://acme.tt.omtrdc.net", id="empty-cluster-is-none"),
        pytest.param({"secure": False}, None, "http://acme.tt.omtrdc.net", id="not-secure"),
        pytest.param({"secure": False}, "7", "http://mboxedge7.tt.omtrdc.net", id="not-secure-with-cluster"),
        pytest.param(
            {"server_domain": "test.com:8080", "edge_routing": False}, "21", "https://test.com:8080", id="no-routing"
        ),
        pytest.param({"edge_routing": False}, "21", "https://acme.tt.omtrdc.net", id="no-routing-default-domain"),
    ],
)
def test_base_url(options: dict[str, object], cluster: str | None, url: str) -> None:
    assert build_base_url(config(**options), cluster) == url


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"target_cookie": f"PC#{DEVICE}.21_27#{expires()}"}, "21"),
        ({"target_cookie": f"PC#{DEVICE}.21_27#{expires()}", "target_location_hint": "22"}, "21"),
        ({"target_location_hint": "22"}, "22"),
        ({"target_cookie": f"PC#{DEVICE}#{expires()}", "target_location_hint": "22"}, "22"),
        ({"target_cookie": f"PC#{DEVICE}.21_27#1"}, None),
        ({"request": {"execute": {"pageLoad": {}}, "id": {"tntId": f"{DEVICE}.33_0"}}}, "33"),
        (
            {
                "request": {"execute": {"pageLoad": {}}, "id": {"tntId": f"{DEVICE}.33_0"}},
                "target_cookie": f"PC#{DEVICE}.21_27#{expires()}",
            },
            "21",
        ),
        (
            {"request": {"execute": {"pageLoad": {}}, "id": {"tntId": f"{DEVICE}.33_0"}}, "target_location_hint": "22"},
            "33",
        ),
    ],
    ids=[
        "cookie",
        "cookie-beats-hint",
        "hint",
        "cookie-without-cluster-then-hint",
        "expired-cookie",
        "tntId-of-the-request",
        "cookie-routes-before-the-tntId-of-the-request",
        "tntId-of-the-request-beats-hint",
    ],
)
def test_host_of_a_call(options: dict[str, object], url: str | None) -> None:
    expected = f"https://mboxedge{url}.tt.omtrdc.net" if url else "https://acme.tt.omtrdc.net"
    call = offers(**options)  # type: ignore[arg-type]
    assert call.base_url == expected
    assert call.names_cluster is (url is not None)


@pytest.mark.parametrize("remembered", [None, "44"])
@pytest.mark.parametrize("named", [None, "22"])
def test_a_remembered_cluster_serves_calls_that_name_none(remembered: str | None, named: str | None) -> None:
    call = offers(remembered=remembered, target_location_hint=named)
    assert call.cluster == (named or remembered)
    assert call.names_cluster is (named is not None)


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_the_host_is_an_allowed_one_whatever_the_visitor_sends(cookie: str, hint: str, tnt_id: str) -> None:
    request = {"execute": {"pageLoad": {}}, "id": {"tntId": tnt_id}}
    for cookie_value in (cookie, f"PC#{cookie}#{expires()}", f"PC#d.{cookie}_0#{expires()}"):
        call = offers(request, target_cookie=cookie_value, target_location_hint=hint)
        assert re.fullmatch(r"https://(acme|mboxedge[0-9]{1,4})\.tt\.omtrdc\.net", call.base_url, re.ASCII)


def test_the_cluster_ends_at_the_first_underscore() -> None:
    assert cluster_of_device_id("device.38_0_1") == "38"
