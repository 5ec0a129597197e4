"""A fake answers as the emulator does over HTTP: the same results, refusals and record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from target import TargetClient, TargetError
from target.emulator import Emulator
from target.testing import FakeTargetClient
from target.testing._fixtures import UseOffers, begin_anew, options_for, serving

OFFERS: Any = {
    "mboxes": {
        "home": {
            "options": [{"type": "html", "content": "<h1>", "responseTokens": {"activity.id": 7}}],
            "metrics": [{"type": "click"}],
        },
        "flags": {"new": True},
        "teaser": None,
    },
    "views": {"cart": "<p>", "product": {"key": "p-1", "options": [{"type": "html", "content": "x"}]}},
    "pageLoad": "<div>",
}
DEVICE = {"id": {"tntId": "device-1"}}
HOME = {"name": "home"}
NOTIFICATION = {"id": "n-1", "type": "display", "timestamp": 1, "mbox": {"name": "home"}, "tokens": ["of-nobody"]}
CALLS: list[Any] = [
    {"execute": {"mboxes": [HOME, {"name": "flags"}, {"name": "teaser"}, {"name": "other"}], "pageLoad": {}}},
    {"prefetch": {"mboxes": [HOME, {"name": "teaser"}], "views": [{}], "pageLoad": {}}},
    {"prefetch": {"views": [{"name": "product"}, {"key": "none"}]}},
    {"execute": {"mboxes": [HOME]}, "experienceCloud": {"analytics": {"logging": "client_side"}}},
    {"execute": {"mboxes": [HOME]}, "context": {"channel": "web", "beacon": True}},
    {"execute": {"mboxes": [HOME]}, "id": {"tntId": "device-1", "thirdPartyId": "user-1"}},
    {"notifications": [NOTIFICATION], "context": {"channel": "web"}},
    {"execute": {"mboxes": [{**HOME, "parameters": {"profile.x": "1"}}]}},
    {"execute": {"mboxes": [{**HOME, "parameters": {"orderId": "1"}}]}},
    {"execute": {"mboxes": [{"name": f"m{number}"} for number in range(60)]}},
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serving() as emulator:
        begin_anew(emulator)
        UseOffers(emulator)(OFFERS)
        yield emulator


def said_by(client: TargetClient, request: Any) -> Any:
    """The result but for what names it, or the error."""
    send = client.send_notifications if "notifications" in request else client.get_offers
    try:
        result = send(request={**DEVICE, **request}, session_id="s-1")
    except TargetError as error:
        return type(error), str(error)
    answer = None if result.response is None else result.response.to_dict()
    for key in ("requestId", "client"):
        (answer or {}).pop(key, None)
    page_load = ((answer or {}).get("prefetch") or {}).get("pageLoad")
    if page_load is not None:
        assert page_load.pop("state")  # which is of rules, too, where there may be some
    said = result.to_dict()
    return answer, said["response_tokens"], said["analytics_details"], said["meta"]


@pytest.mark.parametrize("request_", CALLS)
def test_the_answer_is_the_same(request_: Any, emulator: Emulator) -> None:
    emulator.reset()
    fake = FakeTargetClient(OFFERS)
    with TargetClient.create({**options_for(emulator.server_domain), "telemetry_enabled": False}) as real:
        assert said_by(fake, request_) == said_by(real, request_)
    (asked,), (received,) = fake.requests, emulator.received
    changing = ("requestId", "impressionId")
    assert {key: value for key, value in asked.items() if key not in changing} == {
        key: value for key, value in received.body.items() if key not in changing
    } or "notifications" in asked
    assert [told["mbox"] for told in fake.notifications] == [
        told["notification"]["mbox"] for told in emulator.notifications
    ]
