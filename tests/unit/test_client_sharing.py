"""What a caller changes stays his: answers, attributes, state, and what he gave to the client."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from target import (
    AsyncTargetClient,
    AttributesProvider,
    DeliveryRequest,
    ExecuteRequest,
    MboxRequest,
    Outbox,
    TargetClient,
    Visitor,
)
from target_delivery_api.types import Model
from tests.kit.built_calls import CLICK
from tests.kit.calls import MakeClient, eventually, options_of
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.shop import Shop

CONTENT: dict[str, Any] = {"banner": {"texts": ["a", "b"], "on": True}, "list": [{"x": 1}], "plain": "p"}
ASK: dict[str, Any] = {
    "requestId": "r",
    "id": {"tntId": "abc", "customerIds": [{"id": "1", "integrationCode": "a", "authenticatedState": "unknown"}]},
    "trace": {"authorizationToken": "t"},
    "context": {"channel": "web", "address": {"url": "https://shop.example/"}},
    "execute": {"pageLoad": {}, "mboxes": [{"name": "home", "parameters": {"a": "b"}}]},
    "prefetch": {"pageLoad": {}, "mboxes": [{"name": "home"}], "views": [{}]},
}


def rule(key: str, name: str, kind: str, content: Any) -> dict[str, Any]:
    return {
        "ruleKey": key,
        "activityId": key,
        "meta": {"activity.id": int(key), "audience.ids": [1, 2], "offer.id": 5},
        "condition": {"<": [{"var": "allocation"}, 100]},
        "consequence": {
            "name": name,
            "options": [{"type": kind, "content": content, "eventToken": f"t{key}"}],
            "metrics": [{"type": "click", "eventToken": f"m{key}"}],
        },
    }


def rules() -> dict[str, Any]:
    return {
        "version": "1.0.0",
        "meta": {"environment": "production", "tags": ["a"]},
        "responseTokens": ["activity.id", "audience.ids"],
        "globalMbox": "target-global-mbox",
        "rules": {
            "views": {"v": [rule("8", "v", "actions", [{"type": "setHtml", "content": "x", "selector": "#a"}])]},
            "mboxes": {
                "home": [rule("7", "home", "json", copy.deepcopy(CONTENT))],
                "target-global-mbox": [rule("9", "target-global-mbox", "html", "<b>${activity.id}</b>")],
            },
        },
    }


def spoil(value: Any) -> None:
    """Change every dict, list and field of a model, all the way down."""
    if isinstance(value, Model):
        for name in value.__slots__:
            held = getattr(value, name)
            if isinstance(held, Model | dict | list):
                spoil(held)
            elif held is not None:
                setattr(value, name, "spoilt")
    elif isinstance(value, dict):
        for held in value.values():
            spoil(held)
        value.clear()
        value["spoilt"] = True
    elif isinstance(value, list):
        for held in value:
            spoil(held)
        value[:] = ["spoilt"]


def spoil_result(result: Any) -> None:
    for key in result:
        spoil(result[key])
    spoil(result.meta.remote_mboxes)
    spoil(result.meta.remote_views)


def without_clock(value: Any) -> Any:
    """The same without what differs from call to call."""
    if isinstance(value, dict):
        changing = ("impressionId", "timestamp", "target_cookie", "artifactLastRetrieved")
        return {
            key: without_clock(item)
            for key, item in value.items()
            if key not in changing
            and not str(key).startswith("current_")
            and not (key == "id" and len(str(item)) == 36)
        }
    return [without_clock(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def shop(server: LoopbackServer) -> Shop:
    made = Shop(server)
    made.artifact = rules()
    return made


Call = Callable[..., Any]


@pytest.fixture(params=["payload", "download", "asyncio"])
def ask(request: pytest.FixtureRequest, shop: Shop, make_client: MakeClient, server: LoopbackServer) -> Any:
    """get_offers of a client that decides in process."""
    if request.param == "asyncio":
        loop = asyncio.new_event_loop()
        host = server.url.removeprefix("http://")
        client = loop.run_until_complete(AsyncTargetClient.create(options_of(host, **shop.options)))
        yield lambda **options: loop.run_until_complete(client.get_offers(**options))
        loop.run_until_complete(client.aclose())
        loop.close()
        return
    payload = {"artifact_payload": rules()} if request.param == "payload" else {}
    yield make_client(**shop.options, **payload).get_offers


def test_a_result_changed_by_its_reader_is_no_other_visitors(ask: Call) -> None:
    first = ask(request=ASK, session_id="s")
    before = without_clock(first.to_dict())
    assert before["response"]["execute"]["mboxes"][0]["options"][0]["content"] == CONTENT
    assert before["response"]["prefetch"]["views"][0]["metrics"]
    assert len(before["trace"]) == 5
    spoil_result(first)
    assert without_clock(ask(request=ASK, session_id="s").to_dict()) == before


def test_the_artifact_given_and_the_one_told_of_may_be_changed(shop: Shop, make_client: MakeClient) -> None:
    def answers(client: TargetClient) -> Any:
        return without_clock(client.get_offers(request=ASK, session_id="s").to_dict())

    wanted = answers(make_client(**shop.options, artifact_payload=rules()))
    given = rules()
    client = make_client(**shop.options, artifact_payload=given)
    spoil(given)
    assert answers(client) == wanted

    told = threading.Event()

    def handler(event: dict[str, Any]) -> None:
        spoil(dict(event["artifact_payload"]))
        told.set()

    client = make_client(**shop.options, events={"artifact_download_succeeded": handler})
    assert told.wait(10)
    response = answers(client)["response"]
    for part in ("execute", "prefetch"):
        asked = wanted["response"][part]["mboxes"]
        assert [mbox["options"] for mbox in response[part]["mboxes"]] == [mbox["options"] for mbox in asked]


def test_attributes_changed_by_their_reader_are_read_again_as_they_were(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options)
    provider: AttributesProvider = client.get_attributes(["home"], session_id="s")
    for held in (provider.as_object(), provider.as_object("home"), provider.get_value("home", "banner")):
        spoil(held)
    spoil_result(provider.get_response())
    assert provider.as_object() == {"home": CONTENT}
    assert provider.as_object("home") == CONTENT
    assert provider.get_value("home", "list") == CONTENT["list"]
    assert client.get_attributes(["home"], session_id="s2").as_object("home") == CONTENT


def test_default_attributes_stay_what_they_were_when_they_were_given(
    make_client: MakeClient, server: LoopbackServer
) -> None:
    server.answer = lambda _: Answer(b"", 503)
    given = {"home": copy.deepcopy(CONTENT)}
    client = make_client(default_attributes=given, retries=0)
    spoil(given)
    provider = client.get_attributes(["home"])
    assert provider.is_default
    for held in (provider.as_object(), provider.as_object("home"), provider.get_value("home", "banner")):
        spoil(held)
    assert provider.as_object("home") == CONTENT
    assert client.get_attributes(["home"]).as_object() == {"home": CONTENT}


def test_the_dict_given_to_create_may_be_changed(make_client: MakeClient, server: LoopbackServer) -> None:
    told: list[str] = []
    events = {"client_ready": lambda event: told.append(event["type"])}
    host = server.url.removeprefix("http://")
    options = options_of(host, events=events)
    client = TargetClient.create(options)
    spoil(options)
    client.get_offers(request={"execute": {"pageLoad": {}}})
    assert eventually(lambda: told == ["client_ready"])
    client.close()


@pytest.mark.parametrize("form", ["model", "dict"])
def test_a_request_changed_after_the_call_is_not_sent(
    form: str, make_client: MakeClient, server: LoopbackServer
) -> None:
    held = threading.Event()

    def answer(_: Any) -> Any:
        held.wait(10)
        return Answer({"status": 200})

    server.answer = answer
    client = make_client(async_workers=1, timeout=20_000)
    request: Any = {"execute": {"mboxes": [{"name": "home", "parameters": {"a": "b"}}]}}
    if form == "model":
        request = DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(name="home", parameters={"a": "b"})]))
    ids: dict[str, Any] = {"crm": {"id": "1", "authState": 1}}
    names = ["flag"]
    first = client.get_offers(request={"execute": {"pageLoad": {}}}, callback=lambda _: None)
    handles = [
        client.get_offers(request=request, customer_ids=ids, callback=lambda _: None),
        client.get_attributes(names, request=request, callback=lambda _: None),
    ]
    for given in (request, ids, names):
        spoil(given)
    held.set()
    first.get(20)
    results = [handle.get(20) for handle in handles]  # type: ignore[attr-defined]
    sent = [received.body for received in server.received[-2:]]
    assert [body["execute"]["mboxes"][0] for body in sent] == [
        {"name": "home", "parameters": {"a": "b"}, "index": 0}
    ] * 2
    assert sent[1]["execute"]["mboxes"][1]["name"] == "flag"
    assert sent[0]["id"]["customerIds"][0]["id"] == "1"
    assert results[0].request.execute.mboxes[0].name == "home"


def test_a_results_request_and_state_are_made_anew_each_time(make_client: MakeClient, server: LoopbackServer) -> None:
    client = make_client()
    visitor = Visitor("1@AdobeOrg")
    visitor.set_customer_ids({"crm": "1"})
    request = {"execute": {"pageLoad": {"parameters": {"a": "b"}}}}
    result = client.get_offers(request=request, visitor=visitor)
    before = (result.request.to_dict(), result.server_state(), visitor.state(), visitor.customer_ids)
    for held in (result.request, result.server_state(), result.visitor_state, visitor.state(), visitor.customer_ids):
        spoil(held)
    assert (result.request.to_dict(), result.server_state(), visitor.state(), visitor.customer_ids) == before


def test_what_a_handler_changes_in_a_failed_notification_is_not_the_visitors_request(
    shop: Shop, make_client: MakeClient
) -> None:
    shop.delivery = lambda _: Answer(b"", 400)
    told = threading.Event()

    def handler(event: dict[str, Any]) -> None:
        spoil(event["request"])
        told.set()

    client = make_client(**shop.options, events={"send_notification_failed": handler}, retries=0)
    result = client.get_offers(request={**ASK, "prefetch": None}, session_id="s")
    before = result.request.to_dict()
    assert told.wait(10)
    assert result.request.to_dict() == before


def test_queued_notifications_and_dead_letters_are_copies(make_client: MakeClient, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({"message": "bad"}, 400)
    client = make_client(outbox=Outbox.memory(flush_interval=0), retries=0)
    notification = {**CLICK, "tokens": ["t"], "order": {"id": "o", "purchasedProductIds": ["p"]}}
    client.queue_notifications(request={"notifications": [notification]})
    spoil(notification)
    outbox = client.outbox
    assert outbox is not None
    assert eventually(lambda: len(outbox.dead_letters) == 1)
    spoil(outbox.dead_letters[0].notification)
    assert outbox.dead_letters[0].notification["order"] == {"id": "o", "purchasedProductIds": ["p"]}
    assert server.received[-1].body["notifications"][0]["tokens"] == ["t"]


def test_attributes_and_results_can_be_pickled_and_copied(shop: Shop, make_client: MakeClient) -> None:
    provider: AttributesProvider = make_client(**shop.options).get_attributes(["home"], visitor_cookie=None)
    for copied in (copy.deepcopy(provider), pickle.loads(pickle.dumps(provider))):
        assert copied.as_object() == provider.as_object()
        assert copied.get_response() == provider.get_response()
        spoil_result(copied.get_response())
        assert copied.as_object() == {"home": CONTENT}
    assert provider.get_response().response is not None
    assert provider.get_response().response.status == 200
