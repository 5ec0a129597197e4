"""What a user writes, as type checkers must see it. Checked by test_typing.py with mypy --strict; never run."""

from __future__ import annotations

import logging
from typing import Any, assert_type

import urllib3

from target import (
    ApiError,
    AsyncResult,
    AttributesProvider,
    CustomerId,
    DeliveryRequest,
    DeliveryResponse,
    ExecuteRequest,
    Experience,
    Explanation,
    MboxRequest,
    MboxResponse,
    MetricType,
    Notification,
    NotificationMbox,
    Option,
    Override,
    PrefetchMboxResponse,
    PrefetchRequest,
    TargetClient,
    TargetDeliveryResponse,
    TargetError,
    VisitorId,
)

request = DeliveryRequest(prefetch=PrefetchRequest(mboxes=[MboxRequest(name="home"), MboxRequest(name="product1")]))
names = ["flags"]


def on_result(result: TargetDeliveryResponse) -> None:
    assert_type(result, TargetDeliveryResponse)


def on_attributes(provider: AttributesProvider) -> None:
    assert_type(provider, AttributesProvider)


def on_error(error: Exception) -> None:
    if isinstance(error, ApiError):
        assert_type(error.status, int)
        assert_type(error.message, str)
        assert_type(error.request_id, str | None)


def create() -> TargetClient:
    assert_type(TargetClient.create({"client": "acme", "organization_id": "1234@AdobeOrg"}), TargetClient)
    assert_type(TargetClient.create(client="acme", organization_id="1234@AdobeOrg"), TargetClient)
    with TargetClient.create(
        client="acme",
        organization_id="1234@AdobeOrg",
        timeout=500,
        secure=False,
        logger=logging.getLogger("shop"),
        events={"client_ready": lambda event: event["type"]},
        decisioning_method="server-side",
        pool=urllib3.PoolManager(),
        server_domain=None,
    ) as client:
        return assert_type(client, TargetClient)


def answer(result: TargetDeliveryResponse) -> None:
    assert_type(result.content("home", "default"), Any)
    assert_type(result.options("home"), list[Option])
    assert_type(result.page_load(), list[Option])
    assert_type(result.view("checkout"), list[Option])
    assert_type(result.mbox("home"), MboxResponse | PrefetchMboxResponse | None)
    assert_type(result.to_str(), str)
    assert_type(result.request.to_str(), str)


def telling(client: TargetClient, result: TargetDeliveryResponse) -> None:
    assert_type(result.displayed("home", page_load=True, views=["cart"], timestamp=5), list[Notification])
    assert_type(result.clicked("home", selector="#buy"), list[Notification])
    assert_type(client.notify(result, displayed=["home"]), TargetDeliveryResponse)
    assert_type(client.notify(result, {"clicked": result.clicked("home")}), TargetDeliveryResponse)
    assert_type(client.notify(result, displayed="home", order={"id": "o"}, target_cookie=None), TargetDeliveryResponse)
    assert_type(
        client.notify(result, displayed=["home"], callback=on_result, err_callback=on_error),
        AsyncResult[TargetDeliveryResponse],
    )
    assert_type(client.queue(result, page_load=True, views=["cart"]), list[str])
    client.notify(result, displayd=["home"])  # type: ignore


def offers(client: TargetClient) -> None:
    assert_type(client.get_offers({"request": request}), TargetDeliveryResponse)
    assert_type(client.get_offers(request=request), TargetDeliveryResponse)
    assert_type(client.get_offers(request={"execute": {"pageLoad": {}}}), TargetDeliveryResponse)
    assert_type(
        client.get_offers({"request": request, "callback": on_result, "err_callback": on_error}),
        AsyncResult[TargetDeliveryResponse],
    )
    assert_type(client.get_offers(request=request, callback=on_result), AsyncResult[TargetDeliveryResponse])
    assert_type(client.get_offers(request=request, callback=on_result).get(1.5), TargetDeliveryResponse)
    assert_type(
        client.get_offers(
            request=request,
            target_cookie="cookie",
            target_location_hint=None,
            session_id="session",
            consumer_id="page",
            customer_ids=[CustomerId(id="1", integration_code="crm", authenticated_state="unknown")],
        ),
        TargetDeliveryResponse,
    )
    client.get_offers(request=request, customer_ids={"crm": {"id": "1", "authState": 1}, "shop": "2"})
    client.get_offers(request=request, customer_ids={"crm": {"id": 1, "authState": "2"}, "shop": 2})


def attributes(client: TargetClient) -> None:
    assert_type(client.get_attributes(names), AttributesProvider)
    assert_type(client.get_attributes("flags"), AttributesProvider)
    assert_type(client.get_attributes(names, {"session_id": "s"}), AttributesProvider)
    assert_type(client.get_attributes(names, session_id="s", request=request), AttributesProvider)
    assert_type(client.get_attributes(names, {"callback": on_attributes}), AsyncResult[AttributesProvider])
    assert_type(client.get_attributes(names, callback=on_attributes), AsyncResult[AttributesProvider])
    provider = client.get_attributes(names)
    assert_type(provider.get_value("flags", "on"), Any)
    assert_type(provider.as_object(), dict[str, Any] | None)
    assert_type(provider.get_value("flags", "on", default=None), Any)
    assert_type(provider.get_bool("flags", "on", False), bool)
    assert_type(provider.get_bool("flags", "on", None), bool | None)
    assert_type(provider.get_int("flags", "count", 3), int)
    assert_type(provider.get_float("flags", "share", 0.5), float)
    assert_type(provider.get_str("flags", "label", "a"), str)
    assert_type(provider.get_json("flags", "more", default={"a": 1}), dict[str, Any] | list[Any] | dict[str, int])
    assert_type(provider.get_response(), TargetDeliveryResponse)


def notifications(client: TargetClient) -> None:
    notification = Notification(
        id="1",
        type=MetricType.DISPLAY,
        timestamp=1621530726000,
        mbox=NotificationMbox(name="product1", state="state"),
        tokens=["token"],
    )
    sent = DeliveryRequest(notifications=[notification])
    assert_type(client.send_notifications({"request": sent}), TargetDeliveryResponse)
    assert_type(client.send_notifications(request=sent), TargetDeliveryResponse)
    assert_type(
        client.send_notifications({"request": sent, "callback": on_result}), AsyncResult[TargetDeliveryResponse]
    )
    assert_type(client.send_notifications(request=sent, callback=on_result), AsyncResult[TargetDeliveryResponse])


def results(result: TargetDeliveryResponse) -> list[Option]:
    assert_type(result.response, DeliveryResponse | None)
    assert_type(result.to_dict(), dict[str, Any])
    assert_type(result["meta"], Any)
    if result.target_cookie is not None:
        assert_type(result.target_cookie.name, str)
        assert_type(result.target_cookie.max_age, int)
        assert_type(result.target_cookie.set_cookie_header(path="/", same_site=None), str)
    found: list[Option] = []
    if result.response is not None and result.response.execute is not None:
        for mbox in result.response.execute.mboxes or []:
            found += mbox.options or []
    return found


def explanations(client: TargetClient, result: TargetDeliveryResponse) -> None:
    assert_type(client.explain(request=request), Explanation)
    assert_type(client.explain({"request": request, "target_cookie": None}), Explanation)
    assert_type(client.explain(request=request).to_dict(), dict[str, Any])
    client.explain(request=request, callback=on_result)  # type: ignore
    assert_type(client.override("home", Experience("B", activity="Summer"), visitor={"tntId": "a"}), None)
    assert_type(client.list_overrides(), list[Override])
    assert_type(client.remove_override("home", visitor=VisitorId(tnt_id="a")), bool)
    assert_type(client.override_link("/sale", {"home": None}, max_age=60_000), str)
    client.override("home")  # type: ignore
    client.override_link("/sale", {"home": None}, 60_000)  # type: ignore
    Experience()  # type: ignore
    client.get_offers(request=request, override_token=7)  # type: ignore
    for part in client.explain(request=request).parts:
        for rule in part.won:
            assert_type(rule.activity_id, str | None)
            assert_type([clause.holds for clause in rule.clauses], list[bool | None])
    for decided in result.meta.decisions:
        assert_type(decided.activity_id, str | None)
        reason: str = decided.reason
        assert reason


def errors(client: TargetClient) -> None:
    try:
        client.get_offers(request=DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(name="home")])))
    except TimeoutError:
        pass
    except TargetError as error:
        on_error(error)


def mistakes(client: TargetClient, untyped: dict[str, Any]) -> None:
    """Each line is an error; mypy warns about an ignore that it does not need."""
    TargetClient.create(client="acme")  # type: ignore
    TargetClient.create({"client": "acme"})  # type: ignore
    TargetClient.create(client="acme", organization_id="o", time_out=500)  # type: ignore
    TargetClient.create({"client": "acme", "organization_id": "o", "time_out": 500})  # type: ignore
    TargetClient.create(client="acme", organization_id="o", timeout="500")  # type: ignore
    TargetClient.create(client="acme", organization_id="o", decisioning_method="server")  # type: ignore
    client.get_offers(reqest=request)  # type: ignore
    client.get_offers({"request": request, "sesion_id": "s"})  # type: ignore
    client.get_offers(request=request, sesion_id="s")  # type: ignore
    client.get_offers(request="home")  # type: ignore
    client.get_offers(request=request, customer_ids={"crm": 1.5})  # type: ignore
    client.get_offers(request=request, callback="no")  # type: ignore
    client.get_offers(request=request, callback=on_attributes)  # type: ignore
    client.get_attributes(names, callback=on_result)  # type: ignore
    client.get_attributes(5)  # type: ignore
    client.send_notifications(session_id="s")  # type: ignore
    MboxRequest(nam="home")  # type: ignore
    MboxRequest(name="home", indx=1)  # type: ignore
