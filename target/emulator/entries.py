"""Owns what an entry of the journal is: a request or a notification, which of them fit a filter, and both as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

Entry = dict[str, Any]

_FIRST = ("number", "at", "of", "path", "status", "fault")


@dataclass(slots=True)
class Received:
    """One request: query and headers (names in lower case) as sent, `body` None if not JSON.

    `status` is what was answered, None where nothing was; `fault` is what was done to the answer because somebody
    asked for it (see `target.emulator.faults`). `number` and `at` (milliseconds since 1970) are the journal's. `of` is
    "delivery", "rules" or "geo".
    """

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    status: int | None = None
    fault: str | None = None
    of: str = "delivery"
    path: str = ""
    number: int = 0
    at: int = 0


class Filters(TypedDict, total=False):
    """Which requests or notifications: of `mbox`, of `type` ("execute", "prefetch" or "notifications"; for
    notifications "display" or "click"), of the session id `session`, after the entry with the number `since`."""

    mbox: str | None
    type: str | None
    session: str | None
    since: int | None


def fits_request(
    received: Received,
    *,
    mbox: str | None = None,
    type: str | None = None,  # noqa: A002 - the word of the API
    session: str | None = None,
    since: int | None = None,
) -> bool:
    """Whether a delivery call names `mbox` anywhere, has the part `type` ("execute", "prefetch", "notifications"), is
    of `session`, and came after the entry with the number `since`."""
    body = received.body if isinstance(received.body, dict) else {}
    return (
        (mbox is None or mbox in _mboxes(body))
        and (type is None or bool(body.get(type)))
        and (session is None or received.query.get("sessionId") == session)
        and (since is None or received.number > since)
    )


def fits_notification(
    entry: Entry,
    *,
    mbox: str | None = None,
    type: str | None = None,  # noqa: A002 - the word of the API
    session: str | None = None,
    since: int | None = None,
) -> bool:
    """Whether a notification is of `mbox`, `type` ("display" or "click") and `session`, and came after `since`."""
    notification = entry["notification"]
    return (
        (mbox is None or (notification.get("mbox") or {}).get("name") == mbox)
        and (type is None or notification.get("type") == type)
        and (session is None or entry["sessionId"] == session)
        and (since is None or entry["number"] > since)
    )


def shown(received: Received) -> Entry:
    """A request as JSON."""
    return {key: getattr(received, key) for key in _FIRST} | {
        "query": dict(received.query),
        "headers": dict(received.headers),
        "body": received.body,
    }


def _mboxes(body: Entry) -> set[Any]:
    # What was refused is here, too, so nothing is sure of its shape.
    parts = [body.get(part) for part in ("execute", "prefetch")]
    lists = [part.get("mboxes") for part in parts if isinstance(part, dict)]
    named = [mbox for mboxes in lists if isinstance(mboxes, list) for mbox in mboxes]
    notifications = body.get("notifications")
    if isinstance(notifications, list):
        named += [entry.get("mbox") for entry in notifications if isinstance(entry, dict)]
    return {mbox["name"] for mbox in named if isinstance(mbox, dict) and isinstance(mbox.get("name"), str)}
