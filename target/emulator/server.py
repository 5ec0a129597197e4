"""Owns running the emulator: the listening socket, the uvicorn server, in this thread or in one of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Unpack

from target.emulator.app import Settings, create_app
from target.emulator.entries import Filters, Received
from target.emulator.faults import CONNECTION, Faults
from target.emulator.journal import WAIT_MS, Journal
from target.emulator.offers import Offers
from target.emulator.stopping import Stopping
from target.emulator.tls import certificate

try:
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

_START_S = 10
_STOP_S = 10


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator: where it listens, what it received, and what is to go wrong."""

    host: str
    port: int
    _journal: Journal = field(default_factory=Journal, repr=False)
    _faults: Faults = field(default_factory=Faults, repr=False)
    #: A PEM file with the certificate to trust it by, None without TLS.
    ca_file: str | None = None

    @property
    def server_domain(self) -> str:
        """HOST:PORT, as a client's `server_domain` wants it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """http://HOST:PORT, or https with TLS, without a slash at the end."""
        return f"{'http' if self.ca_file is None else 'https'}://{self.server_domain}"

    @property
    def received(self) -> list[Received]:
        """The delivery calls in order of arrival, refused ones included."""
        return self._journal.received

    @property
    def notifications(self) -> list[dict[str, Any]]:
        """The accepted notifications, as GET /_/notifications lists them."""
        return self._journal.notifications

    def wait_for_requests(
        self, n: int = 1, *, timeout_ms: float = WAIT_MS, **filters: Unpack[Filters]
    ) -> list[Received]:
        """Wait until there are `n` delivery calls, or more, and return them; `filters` say which count.

        Raises TimeoutError where there are fewer after `timeout_ms` milliseconds.
        """
        return self._journal.wait_for_requests(n, timeout_ms, **filters)

    def wait_for_notifications(
        self, n: int = 1, *, timeout_ms: float = WAIT_MS, **filters: Unpack[Filters]
    ) -> list[dict[str, Any]]:
        """Wait until there are `n` notifications, or more, and return them; `filters` say which count.

        Raises TimeoutError where there are fewer after `timeout_ms` milliseconds.
        """
        return self._journal.wait_for_notifications(n, timeout_ms, **filters)

    def fail_next(
        self, n: int = 1, fault: str | int | None = None, *, latency_ms: float = 0, of: str = "delivery"
    ) -> None:
        """Let the next `n` calls fail, after those that were asked for before.

        Args:
            n: How many calls.
            fault: A status from 300 to 599, "reset" (the connection is reset instead of an answer), "drip" (a byte of
                the answer now and then) or "half" (half of it, then the connection ends); None for latency alone.
            latency_ms: How long each takes, in milliseconds.
            of: Which calls: "delivery", "rules" (the artifact) or "geo".

        Raises:
            ValueError: One of them cannot be; the message says what can.
        """
        self._faults.fail_next(n, fault, latency_ms=latency_ms, of=of)

    def fail_no_more(self) -> None:
        """Forget the faults that are still to come."""
        self._faults.clear()

    def reset(self) -> None:
        """Forget what was received, and the faults that are still to come."""
        self._faults.clear()
        self._journal.reset()


def serve(
    offers: Offers | None,
    host: str,
    port: int,
    announce: Callable[[Emulator], None],
    *,
    tls: bool = False,
    **settings: Unpack[Settings],
) -> None:
    """Serve until the process gets SIGINT or SIGTERM; `announce` is called once calls are accepted.

    Port 0 takes any free port. Raises OSError when `host` and `port` cannot be listened on, and what `create_app`
    raises.
    """
    with _serving(offers, host, port, tls, settings) as (server, listening, emulator):
        server.accepting = lambda: announce(emulator)
        server.run(sockets=[listening])


@contextmanager
def running(
    offers: Offers | dict[str, Any] | None = None,
    *,
    host: str = "127.0.0.1",
    tls: bool = False,
    **settings: Unpack[Settings],
) -> Iterator[Emulator]:
    """Serve from a thread on any free port of `host` while the `with` block lasts; for tests.

    With `tls`, over HTTPS, with a certificate that clients trust by the emulator's `ca_file`. `offers` and `settings`
    are those of `create_app`, which also says what is raised. Calls still being answered at the end of the block get
    a second to finish.
    """
    accepting = threading.Event()
    with _serving(offers, host, 0, tls, settings) as (server, listening, emulator):
        server.accepting = accepting.set
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name="target-emulator", daemon=True
        )
        thread.start()
        try:
            if not accepting.wait(_START_S):
                raise RuntimeError(f"the emulator did not start within {_START_S} s")
            yield emulator
        finally:
            server.should_exit = True
            thread.join(_STOP_S)


@contextmanager
def _serving(
    offers: Offers | dict[str, Any] | None, host: str, port: int, tls: bool, settings: Settings
) -> Iterator[tuple[_Server, socket.socket, Emulator]]:
    """A server that is ready to run, and where it will listen."""
    app = create_app(offers, **settings)
    with ExitStack() as held:
        listening = held.enter_context(_listen(host, port))
        shown = held.enter_context(certificate(host)) if tls else None
        port = listening.getsockname()[1]
        ca_file, server_file = (None, None) if shown is None else (shown.ca_file, shown.server_file)
        emulator = Emulator(host, port, app.state.journal, app.state.faults, ca_file)
        yield _Server(_config(app, server_file), app.state.stopping), listening, emulator


class _Server(uvicorn.Server):
    """A uvicorn server that says when it accepts calls, and when it stops."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping) -> None:
        super().__init__(config)
        self.accepting: Callable[[], object] = lambda: None
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """Tells the application on which connection a request came, so that it can break it off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        told = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[CONNECTION] = transport
            await told(scope, receive, send)

        self.app = app


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's algorithm only where the protocol is named; left on, it costs kept-alive calls 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere the option would let two emulators share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
    except OSError:
        listening.close()
        raise
    return listening


def _config(app: Any, server_file: str | None) -> uvicorn.Config:
    # Everything pinned that would otherwise depend on what else is installed; no log set-up, as that is global.
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ssl_certfile=server_file,
        ssl_keyfile=server_file,
    )
