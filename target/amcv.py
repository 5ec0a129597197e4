"""What the AMCV cookie says of a visitor, and which calls are stitched into one Analytics hit; no clock, no chance."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from target.config import ORGANIZATION_SUFFIX
from target.customer_ids import AUTH_STATES, parse_customer_ids
from target.errors import OptionsError
from target.foreign import exact_text, is_a, is_text, kind_of
from target.values import parse_string

DEFAULT_CONSUMER_ID = "target-global-mbox"
COOKIE_NAME_PREFIX = "AMCV_"

_NONE = "NONE"
# The entries that decide what is sent, the opt-out first.
_NAMES = ("MCOPTOUT", "MCMID", "MCAAMLH", "MCAAMB")
_KNOWN_KEY = re.compile(r"(?:MC[A-Z]{2,20}|vVersion)(?:-[0-9]{1,15}s?)?")
_LEADING = re.compile(r"-?[0-9]{1,20}")
_EXPIRING_KEY = re.compile(r"(.+)-([0-9]{1,15})s?")
_ID = re.compile(r"[!-~]{1,128}")
_BLOB = re.compile(r"[!-~]{1,1024}")
_HINT = re.compile(r"0{0,9}[1-9][0-9]{0,8}")
# What neither RFC 6265 nor http.cookies puts into quotes.
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~:]*")
_MOST_COOKIE_BYTES = 4096


class _Pair(NamedTuple):
    """One pair of the cookie: its name, the key as it was written (an expiry may follow the name) and the value."""

    name: str
    key: str
    value: str


class AmcvVisitor:
    """One visitor, for one thread. Users make a ``target.visitor.Visitor``, which has a clock, a lock and random ids.

    Args:
        organization_id: Experience Cloud organization, with or without ``@AdobeOrg``.
        visitor_cookie: Value of the visitor's ``AMCV_`` cookie; see Visitor.
        now_s: By this time entries of the cookie count, or have expired: seconds since the epoch.
        new_id: Makes an id that no other is like.
    """

    #: Whether the cookie holds something, and nothing in it is an entry of such a cookie, expired or not.
    is_cookie_unreadable = False

    _lock: AbstractContextManager[Any] = contextlib.nullcontext()

    def __init__(
        self, organization_id: str, visitor_cookie: str | None, now_s: float, new_id: Callable[[], str]
    ) -> None:
        cookie = "" if visitor_cookie is None else parse_string("visitor_cookie", visitor_cookie)
        self.organization_id = _parse_organization(organization_id)
        self._leading, self._entries = _parse_cookie(cookie, now_s)
        if "MCMID" not in self._entries:  # as nearly none that can be read
            self.is_cookie_unreadable = not _holds_anything(cookie)
        self._new_id = new_id
        self._customer_ids: dict[str, dict[str, Any]] = {}
        self._current = _Stitch()
        self._last = _Stitch()

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
        if not is_a(customer_ids, Mapping):
            raise OptionsError(f"customer_ids must be a dict by integration code, not {kind_of(customer_ids)}")
        parsed = {entry["integrationCode"]: entry for entry in parse_customer_ids(customer_ids)}
        with self._lock:
            self._customer_ids = {**self._customer_ids, **parsed}  # a new dict: nobody reads one that changes

    def supplemental_data_id(self, consumer_id: str = DEFAULT_CONSUMER_ID) -> str:
        """The id that stitches calls into one Analytics hit: 16 hex digits, a hyphen, 16 hex digits.

        Calls that name different consumers get the same id. A consumer that asks again starts a new one: its first
        answer has been used.

        Raises:
            OptionsError: ``consumer_id`` is no string.
        """
        consumer_id = parse_string("consumer_id", consumer_id)
        with self._lock:
            if not self._current.id or consumer_id in self._current.consumers:
                digits = hashlib.sha256(self._new_id().encode()).hexdigest().upper()
                self._last, self._current = self._current, _Stitch(f"{digits[:16]}-{digits[16:32]}")
            self._current.consumers.append(consumer_id)
            return self._current.id

    def state(self) -> dict[str, Any]:
        """What VisitorAPI in the browser takes over as ``serverState``, so that page and server share one visit."""
        state: dict[str, Any] = {}
        customer_ids = self._customer_ids
        if customer_ids and not self.opted_out:
            state["customerIDs"] = {
                code: {"id": entry["id"], "authState": AUTH_STATES.index(entry["authenticatedState"])}
                for code, entry in customer_ids.items()
            }
        with self._lock:
            sdid = {**self._current.state("Current"), **self._last.state("Last")}
        if sdid:
            state["sdid"] = sdid
        return {with_suffix(self.organization_id): state}

    def state_json(self) -> str:
        """``state()`` as JSON that is safe inside a script element."""
        from target.page import script_json  # which a page without a Visitor never needs

        return script_json(self.state())

    def cookie_value(self) -> str:
        """The value of the AMCV cookie to set: what was read and has not expired. Empty when there is nothing.

        It needs no quotes and has at most 4096 characters: percent-encoded where a character calls for that, and
        without the entries that nothing here reads where all would be too long.
        """
        value = self._write(self._entries.values())
        if len(value) > _MOST_COOKIE_BYTES:
            value = self._write(self._entries[name] for name in _NAMES if name in self._entries)
        return value if len(value) <= _MOST_COOKIE_BYTES else ""

    def __repr__(self) -> str:
        return f"Visitor(has_id={self.marketing_cloud_visitor_id is not None}, opted_out={self.opted_out})"

    def _take_id(self, minted: object) -> None:
        issued = exact_text(minted) if is_text(minted) else ""
        if not _ID.fullmatch(issued) or "|" in issued or issued == _NONE:
            raise OptionsError("mint must return an Experience Cloud id: 1 to 128 printable ASCII characters")
        self._entries["MCMID"] = _Pair("MCMID", "MCMID", issued)

    def _write(self, entries: Iterable[_Pair]) -> str:
        pairs = [f"|{entry.key}|{entry.value}" for entry in entries]
        value = self._leading + "".join(pairs) if pairs else ""
        return value if _NEEDS_NO_QUOTES.fullmatch(value) else quote(value, safe="", errors="replace")

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


def _parse_organization(organization_id: object) -> str:
    text = exact_text(organization_id) if is_text(organization_id) else ""
    if not text:
        raise OptionsError("Organization Id is required: pass the organization_id of the Experience Cloud, a string")
    return text


def with_suffix(organization_id: str) -> str:
    """The organization id with its ``@AdobeOrg``."""
    return organization_id if "@" in organization_id else organization_id + ORGANIZATION_SUFFIX


def visitor_cookie_name(organization_id: str) -> str:
    """Name of the cookie that holds the visitor's Experience Cloud id; some frameworks show its ``@`` as ``%40``."""
    return COOKIE_NAME_PREFIX + with_suffix(_parse_organization(organization_id))


def _parse_cookie(value: str, now_s: float) -> tuple[str, dict[str, _Pair]]:
    """The leading number and the entries that have not expired, by name; of two with one name the last counts."""
    value = value.strip('" ')
    if "|" not in value:
        value = unquote(value)
    tokens = value.split("|")
    leading = "1"
    # What stands before the pairs is a number, but may be missing or garbage: it is no word, or a key comes next.
    if not tokens[0][:1].isalpha() or (len(tokens) > 1 and _KNOWN_KEY.fullmatch(tokens[1])):
        number = tokens.pop(0)
        leading = number if _LEADING.fullmatch(number) else leading
    return leading, {entry.name: entry for entry in _entries(tokens, math.ceil(now_s))}


_LONGEST_LOOK = 4096  # in which every cookie of a browser begins with an entry


def _holds_anything(cookie: str) -> bool:
    """Whether there is an entry in it, or nothing at all; a number that no entry follows is as good as that."""
    tokens = unquote(cookie[:_LONGEST_LOOK].strip('" ')).split("|")
    return any(map(_KNOWN_KEY.fullmatch, tokens)) or (not any(tokens[1:]) and not tokens[0].strip("-0123456789"))


def _entries(tokens: list[str], now_s: int) -> Iterator[_Pair]:
    if len(tokens) % 2 and tokens[-1].startswith("MCOPTOUT"):
        tokens = [*tokens, ""]  # cut off before its value, an opt-out counts all the same
    for key, value in zip(tokens[::2], tokens[1::2], strict=False):
        expiring = _EXPIRING_KEY.fullmatch(key)
        if not key:
            continue
        if expiring is None:
            yield _Pair(key, key, value)
        elif now_s <= int(expiring[2]):
            yield _Pair(expiring[1], key, value)
