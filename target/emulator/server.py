"""Owns running the emulator: the listening socket, the uvicorn server, in this thread or in one of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Unpack

from target._background.clock import monotonic_s
from target.emulator.app import Settings, create_app
from target.emulator.desk import Desk, Offered, Ruled
from target.emulator.faults import CONNECTION
from target.emulator.handle import Emulator
from target.emulator.state import keeping
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
_TICK_S = 0.1
# So long is waited for answers to be finished, before uvicorn waits, and then cancels them.
_LOOK_S, _LOOKS = 0.002, 100


class Serving(Settings, total=False):
    """The keyword arguments of `running`, for those who pass them on."""

    tls: bool
    state: str | Path | None


def serve(
    offers: Offered | str | Path | None,
    rules: Ruled | str | Path | None,
    host: str,
    port: int,
    announce: Callable[[Emulator], None],
    **settings: Unpack[Serving],
) -> None:
    """Serve until the process gets SIGINT or SIGTERM; `announce` is called once calls are accepted.

    Port 0 takes any free port. Everything else is as for `running`. Raises OSError when `host` and `port` cannot be
    listened on, and what `running` raises.
    """
    with _serving(offers, rules, host, port, **settings) as (server, listening, emulator):
        server.accepting = lambda: announce(emulator)
        server.run_on(listening)


@contextmanager
def running(
    offers: Offered | str | Path | None = None,
    rules: Ruled | str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    **settings: Unpack[Serving],
) -> Iterator[Emulator]:
    """Serve from a thread on any free port of `host` while the `with` block lasts; for tests.

    Calls still being answered at the end of the block get a second to finish.

    Args:
        offers: A checked offers file, the same as a dict, or the path of a file, which is watched.
        rules: A rules artifact, likewise. Without both, the sample shop is served.
        host: What to listen on.
        settings: ``tls=True`` serves HTTPS, with a certificate that clients trust by the emulator's `ca_file`; `state`
            is a file for what the emulator remembers from one run to the next. The others are those of `create_app`,
            which also says what is raised.

    Raises:
        StateError: The file `state` is there and holds no state; it is left as it is.
    """
    accepting = threading.Event()
    with _serving(offers, rules, host, 0, **settings) as (server, listening, emulator):
        server.accepting = accepting.set
        thread = threading.Thread(target=server.run_on, args=(listening,), name="target-emulator", daemon=True)
        thread.start()
        try:
            if not accepting.wait(_START_S):
                raise RuntimeError(f"the emulator did not start within {_START_S} s")
            yield emulator
        finally:
            server.end()
            thread.join(_STOP_S)


@contextmanager
def _serving(
    offers: Offered | str | Path | None,
    rules: Ruled | str | Path | None,
    host: str,
    port: int,
    *,
    tls: bool = False,
    state: str | Path | None = None,
    **settings: Unpack[Settings],
) -> Iterator[tuple[_Server, socket.socket, Emulator]]:
    """A server that is ready to run, and where it will listen."""
    settings["allow_hosts"] = (host, *settings.get("allow_hosts", ()))
    app = create_app(offers, rules, **settings)
    desk: Desk = app.state.desk
    with ExitStack() as held:
        listening = held.enter_context(_listen(host, port))
        ca_file, server_file = held.enter_context(certificate(*settings["allow_hosts"])) if tls else (None, None)
        if state is not None:
            held.enter_context(keeping(state, desk.stage, desk.journal))
        held.enter_context(desk.watching())
        emulator = Emulator(host, listening.getsockname()[1], ca_file, desk)
        yield _Server(_config(app, server_file), desk.stopping), listening, emulator


class _Server(uvicorn.Server):
    """A uvicorn server that says when it accepts calls, and ends at once: tests start many.

    uvicorn looks every tenth of a second whether it is to end, and then sleeps another, whatever there is to wait for.
    """

    def __init__(self, config: uvicorn.Config, stopping: Stopping) -> None:
        super().__init__(config)
        self.accepting: Callable[[], object] = lambda: None
        self._stopping = stopping
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    def run_on(self, listening: socket.socket) -> None:
        """Serve until it is to end, on this thread."""
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(self.serve(sockets=[listening]))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.accepting()

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % 864_000
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), _TICK_S)

    def end(self) -> None:
        """End soon; from any thread."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._told.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(_LOOKS):
            if not (self.server_state.connections or self.server_state.tasks):
                return
            await asyncio.sleep(_LOOK_S)
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


def _new_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.time = monotonic_s  # type: ignore[method-assign]  # a test that stops the date stops no timer
    return loop


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
