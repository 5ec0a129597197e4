"""Makes the connections of urllib3 pools keep to a deadline while they are being made: name lookup, every address."""

from __future__ import annotations

import math
import socket
import sys
from collections.abc import Sequence
from typing import Any, cast

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from target._background.clock import monotonic_s
from target._http.deadline import SOONEST_S
from target._http.exchange import DeadlineConnection
from target._http.liveness import keep_alive
from target._http.race import connect_first
from target._http.resolve import AddressInfo, resolve


class _TimelyConnect(DeadlineConnection):
    """Mixed into urllib3's own connection classes: name lookup and every address share the deadline."""

    _handle: socket.socket | None = None

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as error:  # of the handshake
            if self._ends_at is None:
                raise
            raise self._too_late("No TLS in time") from error
        finally:
            self._unguard()

    def _new_conn(self) -> socket.socket:
        if self._ends_at is None or self.timeout is None:
            return super()._new_conn()
        try:
            host = self._dns_host.strip("[]")
            addresses = resolve(host, self.port, allowed_gai_family(), self._connect_s(), self._abort)
        except TimeoutError as error:
            raise self._too_late(f"No address for {self.host} in time") from error
        except OSError as error:
            raise NameResolutionError(self.host, self, cast("socket.gaierror", error)) from error
        try:
            sock = connect_first(addresses, self._open, self._connect_s(), self._watch, self.deadline.first)
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:  # else the kernel gave up before the call does
                raise self._too_late(f"Connection to {self.host} timed out") from error
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error
        try:
            sys.audit("http.client.connect", self, self.host, self.port)
            self._guard(sock)
            sock.settimeout(self._connect_s())  # the TLS handshake, if one follows, gets what is left
        except BaseException:
            sock.close()
            raise
        return sock

    def _connect_s(self) -> float:
        """Seconds left for connecting."""
        deadline = self.deadline
        return max(min(deadline.ends_at, deadline.connects_until) - monotonic_s(), SOONEST_S)

    def _too_late(self, why: str) -> HTTPError:
        """The error where time has passed: that of the call, or that of this connection alone."""
        is_over = self.deadline.remaining_s() <= 0 or self.deadline.connects_until == math.inf
        return ConnectTimeoutError(self, why) if is_over else NewConnectionError(self, why)

    def _open(self, address: AddressInfo) -> socket.socket:
        family, kind, protocol, _, _ = address
        sock = socket.socket(family, kind, protocol)
        try:
            keep_alive(sock)
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            if self.source_address:
                sock.bind(self.source_address)
        except BaseException:
            sock.close()
            raise
        return sock

    def _watch(self, sockets: Sequence[socket.socket]) -> None:
        """Let the call be ended while any of ``sockets`` connects."""
        if self._abort is not None:
            self._abort.watch_sockets(sockets)

    def _guard(self, sock: socket.socket) -> None:
        """Let the call be ended while TLS begins, by a second handle: the first may become part of a TLS socket."""
        if self._abort is not None:
            self._unguard()
            self._handle = sock.dup()
            self._abort.watch_socket(self._handle)

    def _unguard(self) -> None:
        if self._handle is not None:
            if self._abort is not None:
                self._abort.watch(None)
            self._handle.close()
            self._handle = None


#: By connection class, the same with deadlines. A pool whose class has the one, and which has the other, is ready.
DEADLINE_CLASSES: dict[type, type[DeadlineConnection]] = {}


def _deadline_class(plain: type[HTTPConnection]) -> type[DeadlineConnection]:
    made = DEADLINE_CLASSES.get(plain)
    if made is None:
        # A class that connects its own way (SOCKS) keeps doing so.
        mixin = _TimelyConnect if plain._new_conn is HTTPConnection._new_conn else DeadlineConnection
        made = DEADLINE_CLASSES[plain] = type(f"Deadline{plain.__name__}", (mixin, plain), {})
    return made


def use_deadlines(pool: Any) -> None:
    """Make new connections of a urllib3 connection pool keep to their deadlines.

    Asked before every call, since test tools replace ``ConnectionCls`` of the pool's class while they record. Their
    stand-ins, which answer by themselves, stay as they are; so does a class that its owner set on this one pool.
    """
    own = vars(pool).get("ConnectionCls")
    plain = type(pool).ConnectionCls
    if own is not None and not issubclass(own, DeadlineConnection):
        return
    if not issubclass(plain, HTTPConnection) or plain.getresponse is not HTTPConnection.getresponse:
        vars(pool).pop("ConnectionCls", None)
    elif own is not (wanted := _deadline_class(plain)):
        pool.ConnectionCls = wanted
