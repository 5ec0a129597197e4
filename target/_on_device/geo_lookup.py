"""Looks up where an IP address is, at the CDN's geo service, and remembers it for a while."""

from __future__ import annotations

import ipaddress
import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from target._background.breaker import Breaker
from target._background.clock import monotonic_s
from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._http.deadline import Deadline
from target._on_device.download import Downloads
from target.decisioning.geo import parse_geo
from target.errors import TargetError, TargetUnavailable, TransportError
from target.events import GEO_LOCATION_UPDATED, Emit
from target.loggers import Log
from target.reading import UnreadableJson, parse_json

MOST_ADDRESSES = 1000
KEPT_S = 3600.0
# A service that fails must not cost every call its deadline.
_FAILURES_IN_A_ROW = 3
_LEFT_ALONE_S = 10.0
_LONGEST_ADDRESS = 64
_MOST_BYTES = 65_536
_MOST_VALUES = 1000

Geo = dict[str, Any]


class _Lookup:
    """One lookup, for all who wait for it: ``found`` stays None where it brought nothing."""

    def __init__(self) -> None:
        self.done = Flag()
        self.found: Geo | None = None


class GeoLookup:
    """Finds places by address. Safe to share between threads; one lookup for each address at a time.

    Args:
        url: The service.
        downloads: What asks it.
        emit: Is told of each place that was looked up, on the thread of the call.
        logger: Where failures go, without the address.
    """

    def __init__(self, url: str, downloads: Downloads, emit: Emit, logger: Log) -> None:
        self._url = url
        self._downloads = downloads
        self._emit = emit
        self._logger = logger
        self._breaker = Breaker(_FAILURES_IN_A_ROW, _LEFT_ALONE_S)
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """Know no place; so in a forked child."""
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Geo]] = OrderedDict()
        self._running: dict[str, _Lookup] = {}

    def find(self, ip: str, timeout_s: float) -> Geo | None:
        """Where ``ip`` is, under the keys of a request; None where that is unknown or not found in time.

        Args:
            ip: What the request says; looked up only if it is an address.
            timeout_s: What is left of the call's time.
        """
        address = _parse(ip)
        if address is None:
            self._logger.warning("context.geo.ipAddress is not an IP address: the place is not looked up")
            return None
        own = _Lookup()
        with self._lock:
            known = self._known.get(address)
            if known is not None and monotonic_s() < known[0]:
                self._known.move_to_end(address)
                return dict(known[1])
            lookup = self._running.setdefault(address, own)
        if lookup is own:
            self._look_up(address, lookup, timeout_s)
        else:
            lookup.done.wait(max(0.0, timeout_s))
        return None if lookup.found is None else dict(lookup.found)

    def _look_up(self, address: str, lookup: _Lookup, timeout_s: float) -> None:
        found = None
        try:
            with self._breaker.watching(self._url):
                found = self._ask(address, timeout_s)
        except TargetError as error:
            level = logging.DEBUG if isinstance(error, TargetUnavailable) else logging.WARNING  # said three times
            self._logger.log(level, "The visitor's place is not known to this decision: %s", error)
        finally:
            self._end(address, found)
            lookup.found = found
            lookup.done.set()
        if found is not None:
            self._emit(GEO_LOCATION_UPDATED, geo_context={"ipAddress": address, **found})

    def _ask(self, address: str, timeout_s: float) -> Geo:
        if timeout_s <= 0:
            raise TransportError("No time was left to look it up")
        headers = {"x-forwarded-for": address, "Cache-Control": "no-cache, no-store"}
        answer = self._downloads.get(self._url, headers, Deadline(timeout_s), _MOST_BYTES)
        if answer.status != 200:
            raise TransportError(f"The geo service answered {answer.status}")
        if _is_from_cache(answer.headers):
            raise TransportError("The geo service was not asked: a cache on the way answered for another visitor")
        problem = ""
        body = None
        try:
            body = parse_json(answer.content, _MOST_VALUES) if answer.content else None
        except UnreadableJson as error:
            problem = str(error)
        if problem:
            raise TransportError(f"The answer of the geo service {problem}")
        return {**parse_geo(answer.headers), **parse_geo(body)}

    def _end(self, address: str, found: Geo | None) -> None:
        with self._lock:
            self._running.pop(address, None)
            if found is None:
                return
            self._known[address] = (monotonic_s() + KEPT_S, found)
            self._known.move_to_end(address)
            while len(self._known) > MOST_ADDRESSES:
                self._known.popitem(last=False)


def _is_from_cache(headers: Mapping[str, str]) -> bool:
    """Whether a cache answered without asking the service (RFC 9111, 5.1), not knowing that addresses differ."""
    age, varies = headers.get("age", "").strip(), headers.get("vary", "").lower()
    return age.isdecimal() and int(age[:9]) > 0 and "x-forwarded-for" not in varies


def _parse(ip: str) -> str | None:
    """An IP address as the service is told it: nothing else gets into a header."""
    text = ip.strip()
    if len(text) > _LONGEST_ADDRESS:
        return None
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return None
