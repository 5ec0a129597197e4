"""What pages ask in tests of web services, how they are asked for, and what Target answers them."""

from __future__ import annotations

from typing import Any

from target import MetricType, Notification, NotificationMbox, WebRequest
from tests.kit.loopback import Answer, Received, ok

KEY = "a secret of this test"
SHOWN = Notification(id="n", type=MetricType.DISPLAY, timestamp=1, mbox=NotificationMbox(name="home"), tokens=["t"])
PREFETCHED: Any = {"prefetch": {"mboxes": [{"name": "home"}]}}
SHOWABLE = Answer(
    {"status": 200, "prefetch": {"mboxes": [{"name": "home", "state": "s", "options": [{"eventToken": "e"}]}]}}
)
BROWSER = {"User-Agent": "Browser/1", "Referer": "https://search.example/", "Sec-CH-UA-Platform": '"macOS"'}
PAGE = "https://shop.example/sale"


def web_request(cookies: dict[str, str] | None = None, **fields: Any) -> WebRequest:
    """A request of a browser."""
    said = {"headers": BROWSER, "cookies": cookies or {}, "url": PAGE, "client_address": "203.0.113.7"}
    return WebRequest(**said | fields)


def a_new_device_each_time(received: Received) -> Answer:
    """As Target answers: who names no device gets one."""
    device_id = (received.body.get("id") or {}).get("tntId") or f"device-{received.body['requestId'][:8]}.38_0"
    mboxes = [{"name": "home", "options": [{"type": "html", "content": "offer"}]}]
    return Answer({"status": 200, "id": {"tntId": device_id}, "execute": {"mboxes": mboxes}})


def showable(received: Received) -> Any:
    """Something to show to who prefetches; what is told is acknowledged."""
    return SHOWABLE if "prefetch" in received.body else ok(received)
