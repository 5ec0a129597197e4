"""The notifications of a request: which are valid, and the impression id that makes a repeat harmless."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from target.loggers import Log
from target.notices import Notices

_TYPES = ("click", "display")
# What reads as a time since 1973 in seconds, and as one before 1973 in milliseconds.
_SURELY_SECONDS = range(10**8, 10**11)


def drop_invalid(notifications: list[Any], logger: Log, notices: Notices | None = None) -> list[dict[str, Any]]:
    """The notifications the API would take. One bad one voids its whole request, so each is logged and left out.

    Args:
        notifications: In wire form.
        logger: Where that is said.
        notices: Is told of times that are not in milliseconds; they are left as they are.
    """
    valid = []
    for position, notification in enumerate(notifications):
        reason = fault_of(notification)
        if reason:
            logger.error("Notification validation failed for: notifications[%d]: %s; it is not sent", position, reason)
        else:
            valid.append(notification)
            if notices is not None and notification["timestamp"] in _SURELY_SECONDS:
                notices.warn_once(
                    ("timestamp",),
                    "The timestamp of notifications[%d] lies before 1973: it is sent as it is, but milliseconds since "
                    "1970 are meant, int(time.time() * 1000), and this may be seconds",
                    position,
                )
    return valid


def add_impression_ids(notifications: list[dict[str, Any]], new_id: Callable[[], str]) -> list[dict[str, Any]]:
    """Each notification with an ``impressionId``: the API ignores a second one with the same, so a retry is safe."""
    return [item if item.get("impressionId") else {**item, "impressionId": new_id()} for item in notifications]


def fault_of(notification: Any) -> str | None:
    """Why the API would not take ``notification``; None where it would."""
    if not isinstance(notification, dict):
        return f"it is {type(notification).__name__}, not an object"
    if not isinstance(notification.get("id"), str) or not notification["id"]:
        return "its id is not a string"
    timestamp = notification.get("timestamp")
    if not isinstance(timestamp, int) or isinstance(timestamp, bool):
        return "its timestamp is not a whole number of milliseconds"
    if notification.get("type") not in _TYPES:
        return "its type is neither click nor display"
    return None
