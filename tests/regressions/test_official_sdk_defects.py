"""What users of Adobe's own Python SDK ran into, one test for each; each shows the right behaviour over real HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from target import (
    AsyncResult,
    ClientHints,
    Context,
    CustomerId,
    DeliveryRequest,
    ExecuteRequest,
    MboxRequest,
    OptionsError,
    PrefetchRequest,
    TargetClient,
    TargetDeliveryResponse,
    TargetTimeout,
    TelemetryEntry,
    TelemetryRequest,
    TransportError,
    VisitorId,
)
from target import Telemetry as TelemetryModel
from tests.kit.calls import ACCOUNT, MakeClient
from tests.kit.loopback import Answer, LoopbackServer, ok, serving
from tests.kit.processes import ROOT
from tests.kit.threads import threads_of

HOME: dict[str, Any] = {"execute": {"mboxes": [{"name": "home"}]}}


def through(proxy: LoopbackServer, **options: Any) -> TargetClient:
    """A client whose calls reach ``proxy`` whatever host they are for, so that the host can be seen."""
    fixed: dict[str, Any] = {**ACCOUNT, "secure": False, "proxy": proxy.url}
    return TargetClient.create({**fixed, **options})


def hosts(proxy: LoopbackServer) -> list[str]:
    return [received.headers["Host"] for received in proxy.received]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# Correctness and privacy


def test_01_host_of_the_first_client_does_not_serve_later_clients() -> None:
    """A second client, for another brand, sent its visitors to the host of the first; a cluster changed nothing."""
    with serving() as proxy:
        with through(proxy, client="first") as first, through(proxy, client="second") as second:
            first.get_offers(request=HOME)
            second.get_offers(request=HOME, target_location_hint="35")
            second.get_offers(request=HOME, target_cookie="PC#device.21_0#9999999999")
        with through(proxy, client="third", server_domain="target.third.example") as third:
            third.get_offers(request=HOME)
        assert hosts(proxy) == [
            "first.tt.omtrdc.net",
            "mboxedge35.tt.omtrdc.net",
            "mboxedge21.tt.omtrdc.net",
            "target.third.example",
        ]


@pytest.mark.parametrize("kind", ["hangs", "drips"])
def test_02_timeout_bounds_the_call(kind: str, server: LoopbackServer, make_client: MakeClient) -> None:
    """Pages that asked for half a second waited twenty when Target hung, or as long as it cared to drip."""

    def misbehave(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while kind == "hangs" and sock.recv(1):
            pass
        while kind == "drips":
            sock.sendall(b" ")
            time.sleep(0.1)

    server.answer = lambda _: misbehave
    client = make_client(timeout=500)
    started = time.monotonic()
    with pytest.raises(TargetTimeout):
        client.get_offers(request=HOME)
    assert 0.45 <= time.monotonic() - started <= 4


def test_03_no_cookie_and_no_hint_chooses_the_host() -> None:
    """A visitor who wrote a host into a cookie had the server send its request, with every id in it, to that host."""
    with serving() as trap, serving() as proxy:
        evil = [f"abc.@{trap.domain}/x?_0", f"x.{trap.domain}_0", "abc.35.evil.example/_0", "a.12345_0", "a.\u0661_0"]
        with through(proxy) as client:
            for device_id in evil:
                client.get_offers(request=HOME, target_cookie=f"PC#{device_id}#9999999999")
                client.get_offers(request={**HOME, "id": {"tntId": device_id}})
            for hint in (f"x@{trap.domain}/", "35.evil.example/", "35#", "-1", "12345"):
                client.get_offers(request=HOME, target_location_hint=hint)
                with pytest.raises(OptionsError):
                    through(proxy, target_location_hint=hint)
        allowed = {"acme.tt.omtrdc.net", "mboxedge38.tt.omtrdc.net"}  # its own, and the one that the answers name
        assert set(hosts(proxy)) == allowed
        assert {received.target.split("/")[2] for received in proxy.received} == allowed
        assert trap.received == []


def test_04_the_callers_request_is_not_changed(server: LoopbackServer, make_client: MakeClient) -> None:
    """Sixteen threads that shared one template request put one visitor's device id into the others' requests."""
    template = DeliveryRequest(
        id=VisitorId(third_party_id="member"),
        context=Context(channel="web"),
        execute=ExecuteRequest(mboxes=[MboxRequest(name="home")]),
    )
    before = template.to_dict()
    together = threading.Barrier(16)
    client = make_client(property_token="property")

    def visit(number: int) -> None:
        together.wait(5)
        client.get_offers(
            request=template, session_id=f"session-{number}", target_cookie=f"PC#device-{number}#9999999999"
        )

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(visit, range(16)))
    sent = {received.session_id: received.body["id"] for received in server.received}
    assert sent == {
        f"session-{number}": {"thirdPartyId": "member", "tntId": f"device-{number}"} for number in range(16)
    }
    assert template.to_dict() == before


def test_05_get_attributes_asks_for_its_own_mboxes_with_its_own_options(
    server: LoopbackServer, make_client: MakeClient
) -> None:
    """Mboxes of earlier calls, of any client, piled up in every later request; session and cookies were dropped."""
    first, second = make_client(), make_client()
    first.get_attributes(["a"], session_id="session-a", target_cookie="PC#device-a#9999999999")
    second.get_attributes(["b"], session_id="session-b", customer_ids=[{"id": "1", "integrationCode": "crm"}])
    for _ in range(50):
        first.get_attributes(["c"])
    one, two, *rest = server.received
    assert (one.session_id, one.body["id"]["tntId"], two.session_id) == ("session-a", "device-a", "session-b")
    assert two.body["id"]["customerIds"][0]["id"] == "1"
    names = [[mbox["name"] for mbox in received.body["execute"]["mboxes"]] for received in server.received]
    assert names == [["a"], ["b"], *[["c"]] * 50]
    assert len(rest) == 50


def test_06_one_visitors_hint_is_not_handed_to_the_next() -> None:
    """A visitor got the cluster of the one before as a cookie, and was sent there."""
    with serving(lambda received: Answer({"status": 200})) as proxy, through(proxy) as client:
        first = client.get_offers(request=HOME, target_location_hint="35")
        second = client.get_offers(request=HOME)
        client.get_offers(request=HOME, target_cookie="PC#device.21_0#9999999999")
        fourth = client.get_offers(request=HOME)
        assert first.target_location_hint_cookie is not None
        assert first.target_location_hint_cookie.value == "35"
        assert second.target_location_hint_cookie is None
        assert fourth.target_location_hint_cookie is None
        own = "acme.tt.omtrdc.net"
        assert hosts(proxy) == ["mboxedge35.tt.omtrdc.net", own, "mboxedge21.tt.omtrdc.net", own]


def test_07_customer_ids_and_supplemental_data_id_are_sent(client: TargetClient, server: LoopbackServer) -> None:
    """Known customers were treated as strangers, and Analytics could not stitch the call to its page view."""
    request = {**HOME, "experienceCloud": {"analytics": {"supplementalDataId": "0123456789ABCDEF-0123456789ABCDEF"}}}
    client.get_offers(
        request=request,
        customer_ids=[CustomerId(id="1", integration_code="crm", authenticated_state="authenticated")],
    )
    client.get_offers(request=request, customer_ids={"crm": {"id": "2", "authState": 1}})
    one, two = (received.body for received in server.received)
    assert one["id"]["customerIds"] == [
        {"id": "1", "integrationCode": "crm", "authenticatedState": "authenticated"},
    ]
    assert two["id"]["customerIds"][0]["id"] == "2"
    for body in (one, two):
        assert body["experienceCloud"]["analytics"]["supplementalDataId"] == "0123456789ABCDEF-0123456789ABCDEF"


def test_08_what_the_caller_sets_wins(server: LoopbackServer, make_client: MakeClient) -> None:
    """The ids by which a team found its calls in logs were replaced, and so were environment and time offset."""
    request = {
        **HOME,
        "requestId": "mine",
        "environmentId": 7,
        "context": {"channel": "mobile", "timeOffsetInMinutes": 90},
    }
    make_client(environment_id=5).get_offers(request=request)
    body = server.received[0].body
    assert (body["requestId"], body["environmentId"]) == ("mine", 7)
    assert body["context"] == {"channel": "mobile", "timeOffsetInMinutes": 90}


@pytest.mark.parametrize("content", [b'{"status":20', b"", b"[]", b"null", b'"text"', b"3"])
def test_09_a_success_without_an_object_is_an_error(
    content: bytes, server: LoopbackServer, make_client: MakeClient
) -> None:
    """Pages went without offers and nobody was told; or ``null`` raised AttributeError from inside the SDK."""
    server.answer = lambda _: Answer(content)
    with pytest.raises(TransportError):
        make_client().get_offers(request=HOME)


def test_09_no_content_is_a_success(server: LoopbackServer, make_client: MakeClient) -> None:
    """204, the documented answer to a beacon, raised AttributeError."""
    server.answer = lambda _: Answer(status=204)
    result = make_client().get_offers(request={**HOME, "context": {"channel": "web", "beacon": True}})
    assert result.response is None
    assert result.target_cookie is not None


def test_10_cookies_have_max_age(client: TargetClient) -> None:
    """The documented ``max_age`` was not there, so cookies were set for the session only, or the page failed."""
    result = client.get_offers(request=HOME, target_location_hint="35")
    assert result["target_cookie"]["max_age"] == 63244800
    assert result["target_location_hint_cookie"]["max_age"] == 1860
    assert "maxAge" not in result.target_cookie
    assert "Max-Age=63244800" in result.target_cookie.set_cookie_header()


def test_11_the_documented_samples_need_no_context(client: TargetClient, server: LoopbackServer) -> None:
    """The first line that a new user copied from the documentation raised."""
    request = DeliveryRequest(prefetch=PrefetchRequest(mboxes=[MboxRequest(name="home"), MboxRequest(name="product1")]))
    result = client.get_offers({"request": request})
    assert [mbox.name for mbox in result.response.prefetch.mboxes] == ["home", "product1"]
    assert server.received[0].body["context"]["channel"] == "web"


def test_12_models_know_what_the_api_knows(server: LoopbackServer, make_client: MakeClient) -> None:
    """Client hints could not be sent, and the token that telemetry has to give back was lost."""
    server.answer = lambda received: Answer({**ok(received).body, "telemetryServerToken": "token"})
    client = make_client()
    token = client.get_offers(request=HOME).response.telemetry_server_token
    entry = TelemetryEntry(request_id="1", telemetry_server_token=token, request=TelemetryRequest(dns=1.5))
    request = DeliveryRequest(
        context=Context(channel="web", client_hints=ClientHints(mobile=True, platform="Android")),
        execute=ExecuteRequest(mboxes=[MboxRequest(name="home")]),
        telemetry=TelemetryModel(entries=[entry]),
    )
    client.get_offers(request=request)
    body = server.received[1].body
    assert body["context"]["clientHints"] == {"mobile": True, "platform": "Android"}
    assert body["telemetry"]["entries"][0] == {
        "requestId": "1",
        "telemetryServerToken": "token",
        "request": {"dns": 1.5},
    }


# Callbacks


def test_13_callbacks_share_a_bounded_pool_of_threads(server: LoopbackServer, make_client: MakeClient) -> None:
    """Two hundred calls left 801 threads and 624 descriptors behind; with 1,024 descriptors a server died."""
    client = make_client()
    threads_before, files_before = threading.active_count(), descriptors()
    most = 0
    handles = [client.get_offers(request=HOME, callback=lambda _: None) for _ in range(200)]
    for handle in handles:
        handle.get(10)
        most = max(most, len(threads_of("target-worker")))
    assert 1 <= most <= 8
    assert len(server.received) == 200
    client.close()
    for _ in range(500):
        if threading.active_count() <= threads_before and descriptors() <= files_before + 2:
            break
        time.sleep(0.01)
    assert threading.active_count() <= threads_before
    assert descriptors() <= files_before + 2


@pytest.mark.parametrize("status", [200, 204])
def test_14_a_callback_that_raises_loses_no_result(
    status: int, server: LoopbackServer, make_client: MakeClient
) -> None:
    """After a callback that raised, or a 204, neither callback ran again and ``get`` timed out."""
    server.answer = lambda _: Answer({"status": 200} if status == 200 else None, status)
    called: list[object] = []

    def callback(result: TargetDeliveryResponse) -> None:
        called.append(result)
        raise RuntimeError("mine")

    client = make_client()
    for count in (1, 2):
        handle = client.get_offers(request=HOME, callback=callback)
        result = handle.get(3)
        assert handle.successful()
        assert (result.response is None) == (status == 204)
        assert len(called) == count


def test_15_get_returns_what_the_callback_receives(client: TargetClient) -> None:
    """The handle gave the bare response, without cookies, where the callback got everything."""
    called: list[TargetDeliveryResponse] = []
    handle = client.get_offers(request=HOME, callback=called.append)
    assert isinstance(handle, AsyncResult)
    result = handle.get(3)
    assert called == [result]
    assert isinstance(result, TargetDeliveryResponse)
    plain = client.get_offers(request=HOME)
    assert type(result) is type(plain)
    assert set(result) == set(plain)


# Connections and cost


def test_16_a_thousand_calls_open_no_connection_after_the_first(client: TargetClient, server: LoopbackServer) -> None:
    """Every call made a connection of its own: three times slower over HTTP, sixty times over TLS."""
    client.get_offers(request=HOME)
    assert server.connections == 1
    for _ in range(1000):
        client.get_offers(request=HOME)
    assert len(server.received) == 1001
    assert server.connections == 1


def test_17_importing_costs_little_more_than_urllib3() -> None:
    """Importing the SDK took 270 ms and 514 modules, where urllib3 needs 70 and 155: felt in every serverless start."""

    def modules(code: str) -> int:
        script = f"import sys; {code}; print(len(sys.modules))"
        path = os.pathsep.join([str(ROOT), str(ROOT / "generated")])
        environment = {**os.environ, "PYTHONPATH": path}
        return int(subprocess.check_output([sys.executable, "-S", "-c", script], env=environment, cwd=ROOT))

    site = f"sys.path.append({next(path for path in sys.path if path.endswith('site-packages'))!r}); "
    urllib3 = modules(site + "import urllib3")
    ours = modules(site + "import target; target.TargetClient.create(client='acme', organization_id='1@AdobeOrg')")
    assert urllib3 > 80
    assert ours < 1.5 * urllib3


# Line 18, the wheel and its dependencies, is tests/packaging/test_wheel.py.
