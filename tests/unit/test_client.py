"""TargetClient over real HTTP: what arrives at the server, what comes back, and what is kept apart."""

from __future__ import annotations

import copy
import re
import threading
import time
from typing import Any

import pytest
import time_machine

from target import (
    ApiError,
    AttributesProvider,
    ClientClosed,
    Context,
    DeliveryRequest,
    ExecuteRequest,
    MboxRequest,
    MetricType,
    Notification,
    NotificationMbox,
    OptionsError,
    PrefetchRequest,
    TargetClient,
    TargetDeliveryResponse,
    TransportError,
)
from target._http.transport import SDK_NAME, SDK_VERSION
from tests.kit.built_calls import CLICK, PAGE_LOAD
from tests.kit.calls import MakeClient
from tests.kit.loopback import Answer, LoopbackServer

HOME = DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(name="home")]))
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FAR = 9596233214


class TestCreate:
    def test_options_as_dict_keywords_or_both(self, server: LoopbackServer) -> None:
        options: dict[str, Any] = {
            "client": "acme",
            "organization_id": "first@AdobeOrg",
            "server_domain": server.domain,
        }
        for client in (
            TargetClient.create({**options, "secure": False}),
            TargetClient.create(**options, secure=False),
            TargetClient.create(options, secure=False, organization_id="second@AdobeOrg"),
        ):
            with client:
                client.get_offers(request=HOME)
        organizations = [received.query["imsOrgId"] for received in server.received]
        assert organizations == ["first@AdobeOrg", "first@AdobeOrg", "second@AdobeOrg"]
        assert "secure" not in options

    @pytest.mark.parametrize("arguments", [(), ({"client": "acme"},)])
    @pytest.mark.parametrize("keywords", [{}, {"client": "acme"}])
    def test_the_class_itself_is_no_constructor(self, arguments: Any, keywords: Any) -> None:
        with pytest.raises(OptionsError, match=r"^Please use TargetClient.create static method instead"):
            TargetClient(*arguments, **keywords)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (None, "Options are required"),
            ({}, "Options are required"),
            ("acme", "Options must be a dict, not str"),
            ([], "Options must be a dict, not list"),
            ({"client": "acme"}, "Organization Id is required"),
        ],
        ids=repr,
    )
    def test_without_options(self, options: Any, message: str) -> None:
        with pytest.raises(OptionsError, match=f"^{message}"):
            TargetClient.create(options)

    def test_cookie_names(self) -> None:
        assert TargetClient.TARGET_COOKIE_NAME == "mbox"
        assert TargetClient.TARGET_LOCATION_HINT_COOKIE_NAME == "mboxEdgeCluster"

    def test_client_ready_comes_after_create_has_returned(self, make_client: MakeClient) -> None:
        created: list[TargetClient] = []
        seen: list[Any] = []
        done = threading.Event()

        def on_ready(event: dict[str, Any]) -> None:
            seen.append((event, list(created)))
            done.set()

        created.append(make_client(events={"client_ready": on_ready}))
        assert done.wait(5)
        assert seen == [({"type": "client_ready"}, created)]


class TestRequest:
    def test_what_arrives(self, client: TargetClient, server: LoopbackServer) -> None:
        result = client.get_offers({"request": HOME, "session_id": "dummy_session"})
        (received,) = server.received
        path, _, query = received.target.partition("?")
        assert path == "/rest/v1/delivery"
        assert sorted(query.split("&")) == ["imsOrgId=1234%40AdobeOrg", "sessionId=dummy_session"]
        assert received.headers["Content-Type"] == "application/json"
        assert received.headers["X-EXC-SDK"] == SDK_NAME
        assert received.headers["X-EXC-SDK-Version"] == SDK_VERSION
        assert UUID.fullmatch(received.headers["X-Request-Id"])
        assert received.headers["X-Request-Id"] == received.body["requestId"]
        assert UUID.fullmatch(received.body["impressionId"])
        assert result.request.to_dict() == received.body
        assert "Cookie" not in received.headers

    def test_version_and_reserved_characters(self, make_client: MakeClient, server: LoopbackServer) -> None:
        client = make_client(version="1.0 &x=y", organization_id="Ü/1?&#@AdobeOrg")
        client.get_offers(request=HOME, session_id="a#b&c=d%e+f")
        query = server.received[0].query
        assert query == {"version": "1.0 &x=y", "imsOrgId": "Ü/1?&#@AdobeOrg", "sessionId": "a#b&c=d%e+f"}

    def test_the_callers_request_id_is_kept(self, client: TargetClient, server: LoopbackServer) -> None:
        client.get_offers(request=DeliveryRequest(request_id="123", execute=HOME.execute))
        assert server.received[0].body["requestId"] == "123"
        assert UUID.fullmatch(server.received[0].headers["X-Request-Id"])

    def test_time_offset_is_the_local_one(self, client: TargetClient, server: LoopbackServer) -> None:
        client.get_offers(request=HOME)
        assert server.received[0].body["context"] == {
            "channel": "web",
            "timeOffsetInMinutes": time.localtime().tm_gmtoff // 60,
        }

    def test_every_call_is_its_own(self, client: TargetClient, server: LoopbackServer) -> None:
        for _ in range(3):
            client.get_offers(request=HOME)
        assert len({received.session_id for received in server.received}) == 3
        assert len({received.body["requestId"] for received in server.received}) == 3
        assert len({received.body["impressionId"] for received in server.received}) == 3

    def test_consumer_id_is_accepted(self, client: TargetClient) -> None:
        assert client.get_offers(request=HOME, consumer_id="body").response

    @pytest.mark.parametrize("name", ["get_offers", "send_notifications"])
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "Options are required"),
            (None, "Options are required"),
            ({"session_id": "a"}, "Request object of type DeliveryRequest is required"),
            ({"request": {}}, "Request object of type DeliveryRequest is required"),
            ("home", "Options must be a dict, not str"),
            ({"request": PAGE_LOAD, "callback": "str"}, "Callback must be a callable function"),
            ({"request": PAGE_LOAD, "visitorCookie": ""}, "Unknown option 'visitorCookie'"),
        ],
        ids=repr,
    )
    def test_options_that_cannot_be_sent(
        self, name: str, options: Any, message: str, client: TargetClient, server: LoopbackServer
    ) -> None:
        with pytest.raises(OptionsError, match=f"^{message}"):
            getattr(client, name)(options)
        assert server.received == []


class TestResult:
    def test_offers_and_cookies(self, client: TargetClient) -> None:
        with time_machine.travel("2019-10-06T00:00:00Z", tick=False):
            result = client.get_offers(request=HOME, session_id="sessionId")
        assert result.response is not None
        assert result.response.execute is not None
        assert [mbox.name for mbox in result.response.execute.mboxes or ()] == ["home"]
        assert result.target_cookie is not None
        assert result.target_cookie.value == "session#sessionId#1570321860|PC#device#1633564800"
        assert result.target_cookie.max_age == 63244800
        assert result.target_location_hint_cookie is not None
        assert dict(result.target_location_hint_cookie) == {"name": "mboxEdgeCluster", "value": "38", "max_age": 1860}
        assert result.meta.to_dict() == {"decisioning_method": "server-side", "remote_mboxes": [], "remote_views": []}

    def test_the_cookies_make_the_next_call_the_same_visitor(
        self, client: TargetClient, server: LoopbackServer
    ) -> None:
        first = client.get_offers(request=HOME)
        assert first.target_cookie is not None
        second = client.get_offers(request=HOME, target_cookie=first.target_cookie.value)
        assert server.received[1].session_id == server.received[0].session_id
        assert server.received[1].body["id"] == {"tntId": "device"}
        assert second.target_cookie is not None
        assert second.target_cookie.value.split("#")[:2] == first.target_cookie.value.split("#")[:2]

    def test_after_a_204_there_is_no_response_and_there_are_cookies(
        self, client: TargetClient, server: LoopbackServer
    ) -> None:
        server.answer = lambda received: Answer(status=204)
        request = DeliveryRequest(execute=HOME.execute, context=Context(channel="web", beacon=True))
        result = client.get_offers(request=request, target_cookie=f"session#s#{FAR}|PC#dev.21_0#{FAR}")
        assert result.response is None
        assert result.target_cookie is not None
        assert re.fullmatch(r"session#s#\d+\|PC#dev.21_0#\d+", result.target_cookie.value)
        assert result.target_location_hint_cookie is not None
        assert result.target_location_hint_cookie.value == "21"
        assert result.to_dict()["response"] is None

    def test_an_empty_object_still_sets_the_cookies(self, client: TargetClient, server: LoopbackServer) -> None:
        server.answer = lambda received: Answer({})
        result = client.get_offers(request=HOME, session_id="s")
        assert result.response is not None
        assert result.response.to_dict() == {}
        assert result.target_cookie is not None
        assert result.target_cookie.max_age == 1860

    @pytest.mark.parametrize("content", [b"", b'{"status": 200', b"null", b"[]", b'"x"'], ids=repr)
    def test_a_200_without_an_object_is_an_error(
        self, content: bytes, client: TargetClient, server: LoopbackServer
    ) -> None:
        server.answer = lambda received: Answer(content)
        with pytest.raises(TransportError, match="check"):
            client.get_offers(request=HOME)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 420, 500])
    def test_another_status_is_an_api_error(self, status: int, client: TargetClient, server: LoopbackServer) -> None:
        body = {"status": status, "message": "Invalid request: Invalid imsOrg -  bad"}
        server.answer = lambda received: Answer(body, status)
        with pytest.raises(ApiError) as caught:
            client.get_offers(request=HOME)
        assert (caught.value.status, caught.value.message) == (status, body["message"])
        assert caught.value.request_id == server.received[0].body["requestId"]
        assert "Invalid imsOrg" in caught.value.body
        assert len(server.received) == 1

    def test_unknown_fields_and_enum_values_are_kept(self, client: TargetClient, server: LoopbackServer) -> None:
        answer = {
            "status": 200,
            "future": {"a": [1]},
            "execute": {"mboxes": [{"name": "home", "options": [{"type": "hologram", "content": {"x": 1}, "new": 1}]}]},
        }
        server.answer = lambda received: Answer(answer)
        assert client.get_offers(request=HOME).to_dict()["response"] == answer


class TestNotifications:
    def test_the_documented_sample(self, client: TargetClient, server: LoopbackServer) -> None:
        ids = ["SummerOfferNotification", "SummerShoesOfferNotification"]
        notifications = [
            Notification(
                id=id_,
                type=MetricType.DISPLAY,
                timestamp=1621530726000,
                mbox=NotificationMbox(name="product1", state="state"),
                tokens=["token"],
            )
            for id_ in ids
        ]
        result = client.send_notifications({"request": DeliveryRequest(notifications=notifications)})
        assert result.response is not None
        assert [item.id for item in result.response.notifications or ()] == ids
        (received,) = server.received
        sent = received.body["notifications"]
        assert [item["id"] for item in sent] == ids
        assert all(UUID.fullmatch(item["impressionId"]) for item in sent)

    def test_nothing_to_send_is_refused_before_any_call(self, client: TargetClient, server: LoopbackServer) -> None:
        with pytest.raises(OptionsError, match=r"^Notifications list is required in request"):
            client.send_notifications(request=HOME)
        assert server.received == []

    def test_whatever_the_method(self, client: TargetClient, server: LoopbackServer) -> None:
        client.send_notifications(request={"notifications": [CLICK]}, decisioning_method="on-device")
        assert len(server.received) == 1


class TestAttributes:
    def test_one_name_without_options(self, client: TargetClient, server: LoopbackServer) -> None:
        provider = client.get_attributes("flags")
        assert isinstance(provider, AttributesProvider)
        assert provider.get_value("flags", "part") == "execute"
        body = server.received[0].body
        assert body["execute"] == {"mboxes": [{"index": 1, "name": "flags"}]}
        assert body["context"]["channel"] == "web"

    def test_names_beside_a_request(self, client: TargetClient, server: LoopbackServer) -> None:
        request = DeliveryRequest(
            prefetch=PrefetchRequest(mboxes=[MboxRequest(name="foo", index=6), MboxRequest(name="jab", index=2)])
        )
        before = copy.deepcopy(request)
        provider = client.get_attributes(["foo", "bar", "baz"], {"request": request})
        body = server.received[0].body
        assert body["execute"]["mboxes"] == [{"index": 1, "name": "bar"}, {"index": 2, "name": "baz"}]
        assert body["prefetch"]["mboxes"] == [{"index": 6, "name": "foo"}, {"index": 2, "name": "jab"}]
        assert provider.as_object() == {
            "foo": {"part": "prefetch"},
            "jab": {"part": "prefetch"},
            "bar": {"part": "execute"},
            "baz": {"part": "execute"},
        }
        assert request == before

    def test_one_call_leaves_nothing_to_the_next(self, client: TargetClient, server: LoopbackServer) -> None:
        for name in ("a", "b"):
            client.get_attributes([name])
        names = [[mbox["name"] for mbox in received.body["execute"]["mboxes"]] for received in server.received]
        assert names == [["a"], ["b"]]

    def test_the_other_options_are_kept_without_a_request(self, client: TargetClient, server: LoopbackServer) -> None:
        client.get_attributes(["a"], {"session_id": "mine", "request": None, "customer_ids": {"crm": "1"}})
        client.get_attributes(["a"], session_id="m2")
        assert [received.session_id for received in server.received] == ["mine", "m2"]
        assert server.received[0].body["id"]["customerIds"][0]["id"] == "1"

    @pytest.mark.parametrize("names", [["a", "b"], ("a", "b"), ["a", "b", "a"]], ids=repr)
    def test_forms_of_names(self, names: Any, client: TargetClient, server: LoopbackServer) -> None:
        client.get_attributes(names)
        assert [mbox["name"] for mbox in server.received[0].body["execute"]["mboxes"]] == ["a", "b"]

    @pytest.mark.parametrize("names", [None, 5, [""], [" "], [5], [None], "", "x" * 251, ["x" * 251], b"a"], ids=repr)
    def test_names_that_cannot_be_sent(self, names: Any, client: TargetClient, server: LoopbackServer) -> None:
        with pytest.raises(OptionsError, match=r"^mbox_names must"):
            client.get_attributes(names)
        assert server.received == []

    def test_a_204_holds_no_attribute(self, client: TargetClient, server: LoopbackServer) -> None:
        server.answer = lambda received: Answer(status=204)
        provider = client.get_attributes(["a"])
        assert provider.as_object() == {}
        assert provider.get_response().response is None


def test_with_closes_the_client(make_client: MakeClient) -> None:
    with make_client() as client:
        assert isinstance(client.get_offers(request=HOME), TargetDeliveryResponse)
    with pytest.raises(ClientClosed):
        client.get_offers(request=HOME)
