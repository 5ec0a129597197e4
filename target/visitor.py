"""Visitor: the Experience Cloud identity of who a page is for, from the AMCV cookie to the state for the browser."""

from __future__ import annotations

import math
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

from target.customer_ids import AUTH_STATES, parse_customer_ids
from target.errors import OptionsError
from target.page import script_json

DEFAULT_CONSUMER_ID = "target-global-mbox"
COOKIE_NAME_PREFIX = "AMCV_"
ORGANIZATION_SUFFIX = "@AdobeOrg"

_NONE = "NONE"
_EXPIRING_KEY = re.compile(r"(.+)-([0-9]{1,15})s?")
_ID = re.compile(r"[!-~]{1,128}")
_BLOB = re.compile(r"[!-~]{1,1024}")
_HINT = re.compile(r"0*[1-9][0-9]{0,8}")
# What a cookie may hold without quoting; the separator is no part of a key or a value.
_COOKIE_TEXT = re.compile(r"[!#-+\--:<-\[\]-{}~]*")
_MOST_COOKIE_BYTES = 4096


class _Entry(NamedTuple):
    """One pair of the cookie: its name, the key as it was written (an expiry may follow the name) and the value."""

    name: str
    key: str
    value: str


class Visitor:
    """One visitor, for the time of one incoming page request. Safe to share between the calls of that request.

    Args:
        organization_id: Experience Cloud organization, with or without ``@AdobeOrg``.
        visitor_cookie: Value of the visitor's ``AMCV_`` cookie, plain or percent-encoded. Whatever it holds, nothing
            raises: what cannot be read is left out, and so is an entry whose time has passed.
    """

    def __init__(self, organization_id: str, visitor_cookie: str | None = None) -> None:
        if not isinstance(organization_id, str) or not organization_id:
            raise OptionsError("Organization Id is required: pass the id of the Experience Cloud organization")
        if visitor_cookie is not None and not isinstance(visitor_cookie, str):
            raise OptionsError(f"visitor_cookie must be a string, not {type(visitor_cookie).__name__}")
        self.organization_id = organization_id
        self._leading, self._entries = _parse_cookie(visitor_cookie or "", time.time())
        self._customer_ids: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._current = _Stitch()
        self._last = _Stitch()

    @classmethod
    def new(cls, organization_id: str, mint: Callable[[], str] | None = None) -> Self:
        """A visitor without a cookie.

        Only Adobe's ID service can issue an Experience Cloud id: one made up here would belong to no one, and would
        split the visitor's profile and Analytics visits as soon as the page asks the service for a real one. So by
        default the visitor has none, and Target knows it by its ``tntId`` alone.

        Args:
            organization_id: As for the class.
            mint: Returns an id that the ID service issued, for example through your own call to it.

        Raises:
            OptionsError: What ``mint`` returned cannot be an id.
        """
        visitor = cls(organization_id)
        if mint is not None:
            issued = mint()
            if not isinstance(issued, str) or not _ID.fullmatch(issued) or "|" in issued:
                raise OptionsError("mint must return an Experience Cloud id: 1 to 128 printable ASCII characters")
            visitor._entries["MCMID"] = _Entry("MCMID", "MCMID", issued)
        return visitor

    @property
    def marketing_cloud_visitor_id(self) -> str | None:
        """The Experience Cloud id (ECID)."""
        return self._read("MCMID", _ID)

    @property
    def audience_manager_location_hint(self) -> int | None:
        """The Audience Manager region of the visitor, 1 or more."""
        text = self._read("MCAAMLH", _HINT)
        return None if text is None else int(text)

    @property
    def audience_manager_blob(self) -> str | None:
        """Audience Manager's encrypted metadata, 1 to 1024 characters."""
        return self._read("MCAAMB", _BLOB)

    @property
    def opted_out(self) -> bool:
        """Whether the visitor opted out: then no ECID, no Audience Manager data and no customer id is sent."""
        entry = self._entries.get("MCOPTOUT")
        return entry is not None and entry.value != _NONE

    @property
    def customer_ids(self) -> list[dict[str, Any]]:
        """The customer ids set, in wire form."""
        return [dict(entry) for entry in self._customer_ids.values()]

    def set_customer_ids(self, customer_ids: Mapping[str, Any]) -> None:
        """Add ids of the visitor in your systems, one for each integration code; a later one replaces the earlier.

        Args:
            customer_ids: ``{integration code: {"id": ..., "authState": ...}}``; ``authState`` is 0 (unknown),
                1 (authenticated) or 2 (logged out), as int or string, or an AuthenticatedState. A bare string is the
                id, with state unknown.

        Raises:
            OptionsError: An entry has no id, or an unknown key or state.
        """
        if not isinstance(customer_ids, Mapping):
            raise OptionsError(f"customer_ids must be a dict by integration code, not {type(customer_ids).__name__}")
        for entry in parse_customer_ids(customer_ids):
            self._customer_ids[entry["integrationCode"]] = entry

    def supplemental_data_id(self, consumer_id: str = DEFAULT_CONSUMER_ID) -> str:
        """The id that stitches calls into one Analytics hit: 16 hex digits, a hyphen, 16 hex digits.

        Calls that name different consumers get the same id. A consumer that asks again starts a new one: its first
        answer has been used.
        """
        with self._lock:
            if not self._current.id or consumer_id in self._current.consumers:
                self._last, self._current = self._current, _Stitch(_new_supplemental_data_id())
            self._current.consumers.append(consumer_id)
            return self._current.id

    def state(self) -> dict[str, Any]:
        """What VisitorAPI in the browser takes over as ``serverState``, so that page and server share one visit."""
        state: dict[str, Any] = {}
        if self._customer_ids and not self.opted_out:
            state["customerIDs"] = {
                code: {"id": entry["id"], "authState": AUTH_STATES.index(entry["authenticatedState"])}
                for code, entry in self._customer_ids.items()
            }
        with self._lock:
            sdid = {**self._current.state("Current"), **self._last.state("Last")}
        if sdid:
            state["sdid"] = sdid
        return {with_suffix(self.organization_id): state}

    def state_json(self) -> str:
        """``state()`` as JSON that is safe inside a script element."""
        return script_json(self.state())

    def cookie_value(self) -> str:
        """The value of the AMCV cookie to set: what was read and has not expired. Empty when there is nothing."""
        value = ""
        for entry in self._entries.values():
            pair = f"|{entry.key}|{entry.value}"
            if _COOKIE_TEXT.fullmatch(entry.key + entry.value) and len(value) + len(pair) <= _MOST_COOKIE_BYTES:
                value += pair
        return self._leading + value if value else ""

    def __repr__(self) -> str:
        return f"Visitor(has_id={self.marketing_cloud_visitor_id is not None}, opted_out={self.opted_out})"

    def _read(self, name: str, allowed: re.Pattern[str]) -> str | None:
        entry = self._entries.get(name)
        return entry.value if entry is not None and entry.value != _NONE and allowed.fullmatch(entry.value) else None


class _Stitch:
    """A supplemental data id and who used it."""

    def __init__(self, supplemental_data_id: str = "") -> None:
        self.id = supplemental_data_id
        self.consumers: list[str] = []

    def state(self, which: str) -> dict[str, Any]:
        if not self.id:
            return {}
        key = f"supplementalDataID{which}"
        return {key: self.id, f"{key}Consumed": {f"payload:{consumer}": True for consumer in self.consumers}}


def with_suffix(organization_id: str) -> str:
    """The organization id with its ``@AdobeOrg``."""
    return organization_id if "@" in organization_id else organization_id + ORGANIZATION_SUFFIX


def visitor_cookie_name(organization_id: str) -> str:
    """Name of the cookie that holds the visitor's Experience Cloud id; some frameworks show its ``@`` as ``%40``."""
    return COOKIE_NAME_PREFIX + with_suffix(organization_id)


def _new_supplemental_data_id() -> str:
    digits = secrets.token_hex(16).upper()
    return f"{digits[:16]}-{digits[16:]}"


def _parse_cookie(value: str, now_s: float) -> tuple[str, dict[str, _Entry]]:
    """The leading number and the entries that have not expired, by name; of two with one name the last counts."""
    value = value.strip('" ')
    if "|" not in value:
        value = unquote(value)
    tokens = value.split("|")
    leading = "1"
    if not tokens[0][:1].isalpha():
        number = tokens.pop(0)
        leading = number if re.fullmatch(r"-?[0-9]{1,20}", number) else leading
    return leading, {entry.name: entry for entry in _entries(tokens, math.ceil(now_s))}


def _entries(tokens: list[str], now_s: int) -> Iterator[_Entry]:
    for key, value in zip(tokens[::2], tokens[1::2], strict=False):
        expiring = _EXPIRING_KEY.fullmatch(key)
        if expiring is None:
            yield _Entry(key, key, value)
        elif now_s <= int(expiring[2]):
            yield _Entry(expiring[1], key, value)
