"""Deep nesting and rings: an OptionsError wherever a caller may put them, and never a RecursionError."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from target import (
    DeliveryRequest,
    ExecuteRequest,
    MboxRequest,
    OptionsError,
    Outbox,
    TargetClient,
)
from tests.kit.built_calls import CLICK
from tests.kit.calls import MakeClient
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.shop import Shop

MOST = 64
HOME = {"execute": {"mboxes": [{"name": "home"}]}}


def nested(levels: int) -> Any:
    deep: Any = "x"
    for level in range(levels):
        deep = {"a": deep} if level % 2 else [deep]
    return deep


RING: dict[str, Any] = {}
RING["ring"] = [RING]
TOO_DEEP = {"one-too-many": nested(MOST + 1), "far-too-many": nested(100_000), "ring": RING}


def in_request(deep: Any) -> dict[str, Any]:
    return {**HOME, "future": deep}


def in_mbox(deep: Any) -> dict[str, Any]:
    return {"trace": {"authorizationToken": "t"}, "execute": {"mboxes": [{"name": "home", "future": deep}]}}


def in_parameters(deep: Any) -> dict[str, Any]:
    return {"execute": {"mboxes": [{"name": "home", "parameters": {"a": deep}}]}}


def in_view(deep: Any) -> dict[str, Any]:
    return {"trace": {"authorizationToken": "t"}, "prefetch": {"views": [{"name": "v", "future": deep}]}}


def in_model(deep: Any) -> Any:
    return DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(name="home", additional_properties={"f": deep})]))


@pytest.fixture
def clients(server: LoopbackServer, make_client: MakeClient) -> dict[str, TargetClient]:
    on_device = {**Shop(server).options, "decisioning_method": "on-device"}
    return {
        "server-side": make_client(outbox=Outbox.memory()),
        "on-device": make_client(**on_device),
        "hybrid": make_client(**{**on_device, "decisioning_method": "hybrid"}),
    }


@pytest.mark.parametrize("method", ["server-side", "on-device", "hybrid"])
@pytest.mark.parametrize("place", [in_request, in_mbox, in_parameters, in_view, in_model])
def test_a_request_nested_too_deeply_is_refused_on_every_way(
    method: str, place: Callable[[Any], Any], clients: dict[str, TargetClient], server: LoopbackServer
) -> None:
    before = len(server.received)
    client = clients[method]
    for deep in TOO_DEEP.values():
        with pytest.raises(OptionsError, match=r"is nested more than 64 deep|must be a string, not"):
            client.get_offers(request=place(deep))
        with pytest.raises(OptionsError, match=r"is nested more than 64 deep|must be a string, not"):
            client.get_attributes(["home"], request=place(deep))
    assert len(server.received) == before


@pytest.mark.parametrize("deep", TOO_DEEP.values(), ids=list(TOO_DEEP))
def test_notifications_and_options_nested_too_deeply_are_refused(deep: Any, clients: dict[str, TargetClient]) -> None:
    client = clients["server-side"]
    request = {"notifications": [{**CLICK, "future": deep}]}
    for call in (client.send_notifications, client.queue_notifications):
        with pytest.raises(OptionsError, match=r"notifications\[0\]\.future.* is nested more than 64 deep"):
            call(request=request)
    with pytest.raises(OptionsError, match="customer_ids"):
        client.get_offers(request=HOME, customer_ids={"crm": {"id": deep}})
    with pytest.raises(OptionsError, match="'default_attributes' is nested more than 64 deep"):
        TargetClient.create(client="a", organization_id="1@AdobeOrg", default_attributes={"home": {"a": deep}})


@pytest.mark.parametrize("place", [in_request, in_mbox, in_view, in_model])
@pytest.mark.parametrize("method", ["server-side", "on-device"])
def test_64_levels_go_all_the_way(
    method: str, place: Callable[[Any], Any], clients: dict[str, TargetClient], server: LoopbackServer
) -> None:
    deep = nested(MOST)
    result = clients[method].get_offers(request=place(deep))
    text = json.dumps(deep)
    assert text in json.dumps(result.to_dict())
    assert text in json.dumps(result.request.to_dict())
    if place is in_mbox and method == "on-device":
        assert text in json.dumps(result.to_dict()["trace"])
    assert result.server_state_json()


def test_rules_nested_too_deeply_are_left_to_the_server(make_client: MakeClient, server: LoopbackServer) -> None:
    shop = Shop(server)
    for deep in TOO_DEEP.values():
        rules = json.loads(json.dumps(shop.artifact))
        rules["rules"]["mboxes"]["home"][0]["consequence"]["options"][0]["content"] = deep
        client = make_client(**shop.options, artifact_payload=rules)
        result = client.get_offers(request=HOME)
        assert result.meta["remote_mboxes"] == ["home"]
        assert result.to_dict()["response"]["status"] == 206


def test_offers_of_the_server_are_written_as_deep_as_they_are_read(
    make_client: MakeClient, server: LoopbackServer
) -> None:
    content = nested(90)
    mbox = {"name": "home", "options": [{"type": "json", "content": content, "responseTokens": {"a": content}}]}
    server.answer = lambda _: Answer(
        {"status": 200, "execute": {"mboxes": [mbox], "pageLoad": {"trace": {"a": content}}}}
    )
    result = make_client().get_offers(request=HOME)
    text = json.dumps(content)
    written = json.dumps(result.to_dict())
    assert written.count(text) == 5
    assert result.server_state_json()


@pytest.mark.parametrize("deep", [nested(100_000), RING], ids=["deep", "ring"])
def test_what_a_reader_puts_into_a_result_makes_no_recursion_error(deep: Any, make_client: MakeClient) -> None:
    result = make_client().get_offers(request={"execute": {"pageLoad": {}}})
    response = result.response
    assert response is not None
    response.additional_properties["deep"] = deep
    for write in (result.to_dict, result.server_state, result.server_state_json):
        with pytest.raises(OptionsError, match="something that was put into it is nested too deeply"):
            write()


def test_a_model_that_holds_itself_is_a_value_error() -> None:
    request = DeliveryRequest()
    request.context = request  # type: ignore[assignment]
    with pytest.raises(ValueError, match="DeliveryRequest: nested too deeply"):
        request.to_dict()
    request = DeliveryRequest()
    request.additional_properties["self"] = request
    with pytest.raises(ValueError, match="nested too deeply"):
        request.to_dict()
    with pytest.raises(OptionsError, match=r"^request\.self cannot be read: it raised ValueError$"):
        TargetClient.create(client="a", organization_id="1@AdobeOrg").get_offers(request=request)
