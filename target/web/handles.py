"""Handles: what a page may tell Target later, signed, so that a browser can name it and nobody can make one up."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from target.delivery.identity import DEVICE_ID, SESSION, parse_target_cookie
from target.errors import OptionsError

if TYPE_CHECKING:
    from itsdangerous import URLSafeTimedSerializer

_LONGEST_HANDLE = 8192
_LARGEST_BODY = 65_536
_ADVICE = "handles need the package itsdangerous: pip install itsdangerous"


class Unreadable(Exception):
    """A browser's request names no handles. ``status`` is what HTTP answers to it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def marks_of(target_cookie: str | None, now_s: float) -> list[str]:
    """What a visitor is known by in later requests, the most lasting first: the device id, then the session."""
    entries = parse_target_cookie(target_cookie, now_s)
    device_id = entries.get(DEVICE_ID, "").partition(".")[0]  # what follows is a cluster, and may change
    return [mark for mark in (device_id, entries.get(SESSION, "")) if mark]


class Handles:
    """Makes handles and reads them.

    Args:
        keys: Secrets; the last one signs.
        lifetime_s: Seconds for which a handle is taken.

    Raises:
        OptionsError: itsdangerous is not installed.
    """

    def __init__(self, keys: tuple[str, ...], lifetime_s: float) -> None:
        try:
            import itsdangerous  # which sites without handles need not have
        except ImportError:
            raise OptionsError(_ADVICE) from None
        self._library = itsdangerous
        self._keys = list(keys)
        self._lifetime_s = lifetime_s

    def sign(self, notifications: list[dict[str, Any]], mark: str) -> str:
        """A handle of these notifications, in wire form, for the visitor that ``mark`` stands for alone."""
        told = [{key: value for key, value in one.items() if key != "timestamp"} for one in notifications]
        handle = self._serializer(mark).dumps(told)
        return handle if isinstance(handle, str) else handle.decode("ascii")

    def read(self, handle: str, marks: Iterable[str]) -> list[dict[str, Any]]:
        """The notifications of a handle, without a time; none where it is another visitor's, too old, or no handle."""
        for mark in marks:
            try:
                told = self._serializer(mark).loads(handle, max_age=math.ceil(self._lifetime_s))
            except self._library.BadData:
                continue
            return told if isinstance(told, list) else []
        return []

    def _serializer(self, mark: str) -> URLSafeTimedSerializer:
        return self._library.URLSafeTimedSerializer(self._keys, salt=f"target.web.handles/{mark}")


def named_handles(body: bytes, most: int) -> list[str]:
    """The handles in the body of a browser's request: ``{"handles": [...]}``, each once.

    Raises:
        Unreadable: It is too large (413), names too many (413), or is something else (400).
    """
    if len(body) > _LARGEST_BODY:
        raise Unreadable(413)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable(400) from None
    handles = said.get("handles") if isinstance(said, Mapping) else None
    if not isinstance(handles, list) or not all(
        isinstance(one, str) and len(one) <= _LONGEST_HANDLE for one in handles
    ):
        raise Unreadable(400)
    if len(handles) > most:
        raise Unreadable(413)
    return list(dict.fromkeys(handles))
