"""TargetClient over real HTTP: what arrives at the server, what comes back, and what is kept apart."""

from __future__ import annotations

import copy
import logging
import re
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import time_machine

from target import (
    ApiError,
    AsyncResult,
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
    TargetError,
    TargetTimeout,
    TransportError,
    VisitorId,
)
from target._http.transport import SDK_NAME, SDK_VERSION
from tests.kit.built_calls import CLICK, PAGE_LOAD
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving

MakeClient = Callable[..., TargetClient]
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
            TargetClient.create({**options, "secure": False}),  # type: ignore[typeddict-item]
            TargetClient.create(**options, secure=False),
            TargetClient.create(options, secure=False, organization_id="second@AdobeOrg"),  # type: ignore[arg-type, call-arg]
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


METHODS: dict[str, Callable[..., Any]] = {
    "get_offers": lambda client, **options: client.get_offers(request=HOME, **options),
    "get_attributes": lambda client, **options: client.get_attributes(["home"], **options),
    "send_notifications": lambda client, **options: client.send_notifications(
        request={"notifications": [CLICK]}, **options
    ),
}


def comparable(value: Any) -> Any:
    result = value.get_response() if isinstance(value, AttributesProvider) else value
    return type(value), {key: item for key, item in result.to_dict()["response"].items() if key != "requestId"}


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
class TestCallbacks:
    def test_callback_and_get_receive_what_the_synchronous_call_returns(
        self, method: Callable[..., Any], client: TargetClient
    ) -> None:
        received: list[Any] = []
        handle = method(client, callback=received.append, err_callback=None)
        assert isinstance(handle, AsyncResult)
        value = handle.get(5)
        assert handle.ready()
        assert handle.successful()
        assert received == [value]
        assert comparable(value) == comparable(method(client))

    def test_an_error_goes_to_err_callback_and_get(
        self, method: Callable[..., Any], client: TargetClient, server: LoopbackServer
    ) -> None:
        server.answer = lambda received: Answer({"status": 400, "message": "bad"}, 400)
        values: list[Any] = []
        errors: list[Any] = []
        handle = method(client, callback=values.append, err_callback=errors.append)
        with pytest.raises(ApiError) as caught:
            handle.get(5)
        assert errors == [caught.value]
        assert errors[0].status == 400
        assert values == []
        assert not handle.successful()

    def test_a_204_reaches_the_callback(
        self, method: Callable[..., Any], client: TargetClient, server: LoopbackServer
    ) -> None:
        server.answer = lambda received: Answer(status=204)
        received: list[Any] = []
        value = method(client, callback=received.append).get(5)
        assert received == [value]

    def test_invalid_options_raise_at_once(self, method: Callable[..., Any], client: TargetClient) -> None:
        received: list[Any] = []
        with pytest.raises(OptionsError):
            method(client, callback=received.append, session_id="a b")
        assert received == []

    def test_a_callback_that_raises_is_logged_and_loses_nothing(
        self, method: Callable[..., Any], client: TargetClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(value: Any) -> None:
            raise ValueError("boom")

        handle = method(client, callback=fail)
        assert handle.get(5) is not None
        assert handle.successful()
        assert "boom" in caplog.text

    def test_get_past_its_timeout(
        self, method: Callable[..., Any], client: TargetClient, server: LoopbackServer
    ) -> None:
        release = threading.Event()

        def slow(received: Received) -> Answer:
            release.wait(5)
            return ok(received)  # type: ignore[return-value]

        server.answer = slow
        handle = method(client, callback=lambda value: None)
        with pytest.raises(TargetTimeout):
            handle.get(0.02)
        assert not handle.ready()
        release.set()
        assert handle.get(5) is not None

    def test_after_close(self, method: Callable[..., Any], client: TargetClient, server: LoopbackServer) -> None:
        client.close()
        client.close()
        for options in ({}, {"callback": lambda value: None}):
            with pytest.raises(ClientClosed, match=r"make a new one with TargetClient\.create"):
                method(client, **options)
        assert server.received == []


def test_a_request_changed_after_an_asynchronous_call_is_not_what_is_sent(
    client: TargetClient, server: LoopbackServer
) -> None:
    request = copy.deepcopy(HOME)
    assert request.execute is not None
    assert request.execute.mboxes is not None
    handle = client.get_offers(request=request, callback=lambda value: None)
    request.execute.mboxes[0].name = "later"
    handle.get(5)
    assert server.received[0].body["execute"]["mboxes"][0]["name"] == "home"


def test_with_closes_the_client(make_client: MakeClient) -> None:
    with make_client() as client:
        assert isinstance(client.get_offers(request=HOME), TargetDeliveryResponse)
    with pytest.raises(ClientClosed):
        client.get_offers(request=HOME)


class TestHosts:
    """Through a proxy on loopback, which is told the host of every call and resolves none."""

    @pytest.fixture
    def routed(self, make_client: MakeClient, server: LoopbackServer) -> TargetClient:
        return make_client(server_domain=None, edge_routing=True, proxy=server.url)

    @staticmethod
    def hosts(server: LoopbackServer) -> list[str]:
        return [received.target.split("/")[2].removesuffix(".tt.omtrdc.net") for received in server.received]

    def test_a_learnt_cluster_serves_the_next_call_that_names_none(
        self, routed: TargetClient, server: LoopbackServer
    ) -> None:
        for _ in range(2):
            routed.get_offers(request=HOME)
        assert self.hosts(server) == ["acme", "mboxedge38"]

    @pytest.mark.parametrize(
        "visitor",
        [
            {"target_cookie": f"PC#dev.21_0#{FAR}"},
            {"target_location_hint": "21"},
            {"request": DeliveryRequest(execute=HOME.execute, id=VisitorId(tnt_id="dev.21_0"))},
        ],
        ids=["cookie", "hint", "tntId"],
    )
    def test_a_cluster_of_one_visitor_never_touches_anothers_call(
        self, visitor: dict[str, Any], routed: TargetClient, server: LoopbackServer
    ) -> None:
        first = routed.get_offers({"request": HOME, **visitor})  # type: ignore[typeddict-item]
        second = routed.get_offers(request=HOME)
        assert self.hosts(server) == ["mboxedge21", "acme"]
        clusters = [
            cookie and cookie.value
            for cookie in (first["target_location_hint_cookie"], second["target_location_hint_cookie"])
        ]
        assert clusters == ["21", "38"]  # 38 is what the answer says

    def test_a_call_that_names_a_cluster_teaches_the_client_nothing(
        self, routed: TargetClient, server: LoopbackServer
    ) -> None:
        for hint in (None, "21", None):
            server.answer = lambda received, hint=hint: Answer({"edgeHost": f"mboxedge{hint or 38}.tt.omtrdc.net"})  # type: ignore[misc]
            routed.get_offers(request=HOME, target_location_hint=hint)
        assert self.hosts(server) == ["acme", "mboxedge21", "mboxedge38"]

    def test_the_clients_own_hint_is_for_calls_that_name_none_until_an_answer_names_one(
        self, make_client: MakeClient, server: LoopbackServer
    ) -> None:
        client = make_client(server_domain=None, edge_routing=True, proxy=server.url, target_location_hint="7")
        for hint in (None, "21", None):
            client.get_offers(request=HOME, target_location_hint=hint)
        assert self.hosts(server) == ["mboxedge7", "mboxedge21", "mboxedge38"]

    @pytest.mark.parametrize(
        "edge_host", ["evil.example", "mboxedge1.evil.example/x", "mboxedge12345.tt.omtrdc.net", 5]
    )
    def test_what_an_answer_names_is_checked_too(
        self, edge_host: Any, routed: TargetClient, server: LoopbackServer
    ) -> None:
        server.answer = lambda received: Answer({"edgeHost": edge_host})
        for _ in range(2):
            routed.get_offers(request=HOME)
        assert self.hosts(server) == ["acme", "acme"]

    @pytest.mark.parametrize(
        "visitor",
        [
            {"target_cookie": f"PC#abc.@127.0.0.1:1/x?_0#{FAR}"},
            {"target_cookie": f"PC#abc.%40127.0.0.1%3A1%2Fx%3F_0#{FAR}"},
            {"target_location_hint": "x@127.0.0.1:1/"},
            {"target_location_hint": "35.evil.example/"},
            {"request": {**PAGE_LOAD, "id": {"tntId": "abc.@127.0.0.1:1/x?_0"}}},
        ],
        ids=["cookie", "encoded-cookie", "hint-credentials", "hint-domain", "tntId"],
    )
    def test_no_visitor_chooses_a_host(
        self, visitor: dict[str, Any], routed: TargetClient, server: LoopbackServer
    ) -> None:
        routed.get_offers({"request": HOME, **visitor})  # type: ignore[typeddict-item]
        assert self.hosts(server) == ["acme"]

    def test_without_edge_routing_every_call_goes_to_the_domain(
        self, make_client: MakeClient, server: LoopbackServer
    ) -> None:
        client = make_client(edge_routing=False, target_location_hint="7")
        for hint in (None, "21", None):
            client.get_offers(request=HOME, target_location_hint=hint, target_cookie=f"PC#dev.21_0#{FAR}")
        assert len(server.received) == 3

    def test_two_clients_have_two_hosts(self, client: TargetClient, server: LoopbackServer) -> None:
        with (
            serving() as other,
            TargetClient.create(
                client="other", organization_id="other@AdobeOrg", server_domain=other.domain, secure=False
            ) as other_client,
        ):
            other_client.get_offers(request=HOME)
            client.get_offers(request=HOME)
            assert [received.query["imsOrgId"] for received in other.received] == ["other@AdobeOrg"]
        assert [received.query["imsOrgId"] for received in server.received] == ["1234@AdobeOrg"]


def test_one_template_shared_by_many_threads_stays_as_it_is_and_keeps_visitors_apart(
    make_client: MakeClient, server: LoopbackServer
) -> None:
    client = make_client(property_token="token", environment_id=5)
    template = DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(name="home")]))
    before = copy.deepcopy(template)
    threads, calls = 16, 10
    start = threading.Barrier(threads)
    wrong: list[Any] = []

    def visit(number: int) -> None:
        start.wait(5)
        for _ in range(calls):
            cookie = f"session#s{number}#{FAR}|PC#device{number}.1_0#{FAR}"
            result = client.get_offers(request=template, target_cookie=cookie, customer_ids={"crm": f"c{number}"})
            ids = result.request.id
            got = (ids and ids.tnt_id, ids and ids.customer_ids and ids.customer_ids[0].id)
            set_cookie = result.target_cookie.value if result.target_cookie else ""
            if got != (f"device{number}.1_0", f"c{number}") or f"PC#device{number}.1_0#" not in set_cookie:
                wrong.append((number, got, set_cookie))

    workers = [threading.Thread(target=visit, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert wrong == []
    assert template == before
    arrived = [(received.session_id, received.body["id"]["tntId"]) for received in server.received]
    assert sorted(arrived) == sorted(
        (f"s{number}", f"device{number}.1_0") for number in range(threads) for _ in range(calls)
    )


class TestLogging:
    def test_debug_tells_method_host_request_status_sizes_and_time(
        self, client: TargetClient, server: LoopbackServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG, "target"):
            client.get_offers(request=HOME)
        lines = [record.getMessage() for record in caplog.records if record.name == "target"]
        request_id = server.received[0].headers["X-Request-Id"]
        sizes = r"\d+ bytes sent, \d+ received, [\d.]+ ms"
        pattern = rf"POST http://{re.escape(server.domain)} request {request_id}: 200, {sizes}"
        assert len(lines) == 1
        assert re.fullmatch(pattern, lines[0])

    def test_every_client_has_its_own_logger(self, make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
        loggers = [logging.getLogger(f"tests.client.{name}") for name in "ab"]
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
            make_client(logger=logger).get_offers(request=HOME, target_location_hint="bad")
        names = [record.name for record in caplog.records if not record.name.startswith("urllib3")]
        assert names == ["tests.client.a"] * 2 + ["tests.client.b"] * 2


SECRET_REQUEST = {
    "id": {
        "tntId": "MARKER_TNT.21_0",
        "thirdPartyId": "MARKER_THIRD",
        "marketingCloudVisitorId": "MARKER_ECID",
        "customerIds": [{"id": "MARKER_OWN", "integrationCode": "shop", "authenticatedState": "unknown"}],
    },
    "property": {"token": "MARKER_PROPERTY"},
    "trace": {"authorizationToken": "MARKER_TRACE"},
    "preview": {"token": "MARKER_PREVIEW"},
    "qaMode": {"token": "MARKER_QA"},
    "context": {"channel": "MARKER_CHANNEL", "geo": {"ipAddress": "MARKER_IP"}},
    "experienceCloud": {"analytics": {"supplementalDataId": "MARKER_SDID"}, "audienceManager": {"blob": "MARKER_BLOB"}},
    "execute": {
        "mboxes": [{"name": "home"}, {"parameters": {"mail": "MARKER_PARAMETER"}}, {"name": " ", "x": "MARKER_MBOX"}]
    },
    "notifications": [
        {**CLICK, "tokens": ["MARKER_EVENT"], "mbox": {"name": "home", "state": "MARKER_STATE"}},
        {"id": "MARKER_NOTIFICATION", "tokens": ["MARKER_LOST"]},
    ],
    "telemetry": {"entries": [{"requestId": "r", "telemetryServerToken": "MARKER_TELEMETRY"}]},
}
SECRET_OPTIONS = {
    "target_cookie": f"session#MARKER_SESSION#{FAR}|PC#MARKER_PC.99999_0#{FAR}|check#MARKER_CHECK#{FAR}",
    "target_location_hint": "MARKER_HINT",
    "customer_ids": {"crm": {"id": "MARKER_CUSTOMER", "authState": 1}},
}


def echo(status: int) -> Callable[[Received], Answer]:
    """A server that says back all it was told."""

    def answer(received: Received) -> Answer:
        told = (
            f"Invalid session {received.session_id}: {re.findall('MARKER_[A-Z]+[.0-9_]*', received.content.decode())}"
        )
        return Answer({"status": status, "message": told}, status)

    return answer


ANSWERS: dict[str, Any] = {
    "ok": ok,
    **{str(status): echo(status) for status in (400, 403, 413, 420, 500, 503, 302)},
    "no-json": lambda received: Answer(b"MARKER_BODY"),
    "list": lambda received: Answer(b'["MARKER_BODY"]'),
    "id-is-text": lambda received: Answer({"id": "MARKER_BODY"}),
    "mboxes-are-text": lambda received: Answer({"execute": {"mboxes": "MARKER_BODY"}}),
    "reset": lambda received: lambda sock: sock.close(),
    "cut-short": lambda received: lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nMARKER"),
    "no-http": lambda received: lambda sock: sock.sendall(b"no HTTP at all\r\n\r\n"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
@pytest.mark.parametrize("method", ["get_offers", "send_notifications"])
def test_no_id_cookie_or_token_is_in_any_message_or_log_line(
    method: str, answer: Any, make_client: MakeClient, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = answer
    client = make_client(property_token="MARKER_CONFIGURED", retries=1)
    said = ""
    with caplog.at_level(logging.DEBUG, "target"):
        try:
            said = repr(getattr(client, method)(request=SECRET_REQUEST, **SECRET_OPTIONS))
        except TargetError as error:
            said = str(error) + repr(error) + "".join(traceback.format_exception(error))
    lines = [record.getMessage() for record in caplog.records if record.name == "target"]
    assert said
    assert "MARKER" not in said
    assert len(lines) >= 6  # hint, suffix, channel, token, two mboxes, a notification, the call
    assert not [line for line in lines if "MARKER" in line]


@pytest.mark.parametrize(
    "options",
    [
        {"session_id": "MARKER SESSION"},
        {"request": {"id": "MARKER"}},
        {"request": {"execute": {"mboxes": "MARKER"}}},
        {"request": "MARKER"},
        {"request": {**PAGE_LOAD, "x": b"MARKER"}},
        {"customer_ids": [{"id": "MARKER"}]},
        {"customer_ids": {"crm": {"id": "MARKER", "authState": "MARKER"}}},
        {"customer_ids": "MARKER"},
        {"target_cookie": b"MARKER"},
        {"decisioning_method": "MARKER"},
        {"callback": "MARKER"},
    ],
    ids=repr,
)
def test_no_value_is_in_the_message_of_an_options_error(options: dict[str, Any], client: TargetClient) -> None:
    with pytest.raises(OptionsError) as caught:
        client.get_offers({"request": PAGE_LOAD, **options})  # type: ignore[typeddict-item]
    assert "MARKER" not in "".join(traceback.format_exception_only(caught.value))
    assert not caught.value.__cause__ or "MARKER" not in str(caught.value.__cause__)
