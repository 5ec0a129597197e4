"""The call that is measured: a request of a returning visitor, its cookie, and an answer of about 3 kB."""

from __future__ import annotations

import json
from typing import Any

from target import Address, Context, DeliveryRequest, ExecuteRequest, MboxRequest, PrefetchRequest

ORGANIZATION_ID = "0123456789ABCDEF01234567@AdobeOrg"
SESSION_ID = "5f3c1f9e7d0b4c3f9a4e6d2b8c7a1e90"
TARGET_COOKIE = f"session#{SESSION_ID}#4102444800|PC#8d2f41a0c6e94b77a1d35c0f9e8b6a24.38_0#4102444800"

_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


def build_request() -> DeliveryRequest:
    """Two mboxes to show now, with parameters, and two to keep."""
    return DeliveryRequest(
        context=Context(
            channel="web", user_agent=_USER_AGENT, address=Address(url="https://shop.example/women/shoes?page=2")
        ),
        execute=ExecuteRequest(
            mboxes=[
                MboxRequest(index=0, name="home-hero", parameters={"page": "home", "loyalty": "gold", "visits": "12"}),
                MboxRequest(index=1, name="home-banner", parameters={"slot": "top"}),
            ]
        ),
        prefetch=PrefetchRequest(
            mboxes=[MboxRequest(index=0, name="product-detail"), MboxRequest(index=1, name="cart-upsell")]
        ),
    )


def build_answer() -> bytes:
    """What the API answers to it: an offer and its tokens for each mbox, about 3 kB."""
    answer: dict[str, Any] = {
        "status": 200,
        "requestId": "0b9c3f0f1a2d4a5e8c7b6a5948372615",
        "id": {"tntId": "8d2f41a0c6e94b77a1d35c0f9e8b6a24.38_0", "marketingCloudVisitorId": "1" * 38},
        "client": "acme",
        "edgeHost": "mboxedge38.tt.omtrdc.net",
        "execute": {
            "mboxes": [
                _mbox(0, "home-hero", [_option("html", "<section class='hero'>Winter sale</section>", 1)]),
                _mbox(
                    1, "home-banner", [_option("json", {"title": "Free returns", "days": 30, "tags": ["a", "b"]}, 2)]
                ),
            ]
        },
        "prefetch": {
            "mboxes": [
                _mbox(0, "product-detail", [_prefetched(_option("json", {"layout": "wide", "reviews": True}, 3))]),
                _mbox(1, "cart-upsell", [_prefetched(_option("html", "<div>Goes well with it</div>", 4))]),
            ]
        },
    }
    return json.dumps(answer, separators=(",", ":")).encode()


def _mbox(index: int, name: str, options: list[dict[str, Any]]) -> dict[str, Any]:
    metric = {"type": "click", "eventToken": f"{name}-click-{'q' * 48}=="}
    analytics = {"payload": {"pe": "tnt", "tnta": f"33126{index}:1:0|2,33126{index}:1:0|1"}}
    return {"index": index, "name": name, "options": options, "metrics": [metric], "analytics": analytics}


def _option(kind: str, content: Any, number: int) -> dict[str, Any]:
    tokens = {
        "activity.id": str(331260 + number),
        "activity.name": f"Front page, winter, part {number}",
        "experience.id": "1",
        "experience.name": "Experience B",
        "offer.id": str(626400 + number),
        "offer.name": f"/front/winter/experiences/1/pages/0/{number}",
        "geo.country": "germany",
        "geo.city": "berlin",
        "option.name": f"Offer{number}",
        "profile.memberlevel": "gold",
    }
    return {"type": kind, "content": content, "responseTokens": tokens}


def _prefetched(option: dict[str, Any]) -> dict[str, Any]:
    return {**option, "eventToken": "V" * 64 + "=="}
