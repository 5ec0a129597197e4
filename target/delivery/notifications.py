"""The notifications of a request: which are valid, and the impression id that makes a repeat harmless."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

_TYPES = ("click", "display")


def drop_invalid(notifications: list[Any], logger: logging.Logger) -> list[dict[str, Any]]:
    """The notifications the API would take. One bad one voids its whole request, so each is logged and left out."""
    valid = []
    for position, notification in enumerate(notifications):
        reason = fault_of(notification)
        if reason:
            logger.error("Notification validation failed for: notifications[%d]: %s; it is not sent", position, reason)
        else:
            valid.append(notification)
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
