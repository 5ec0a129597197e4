"""Owns running the emulator: the listening socket, the uvicorn server, in this thread or in one of its own."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Unpack

from target.emulator.app import Settings, create_app
from target.emulator.journal import Journal, Received
from target.emulator.offers import Offers

try:
    import uvicorn
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

_START_S = 10
_STOP_S = 10


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator: where it listens and what it received."""

    host: str
    port: int
    _journal: Journal = field(default_factory=Journal, repr=False)

    @property
    def server_domain(self) -> str:
        """HOST:PORT, as a client's `server_domain` wants it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """http://HOST:PORT, without a slash at the end."""
        return f"http://{self.server_domain}"

    @property
    def received(self) -> list[Received]:
        """The delivery calls in order of arrival, refused ones included."""
        return self._journal.received

    @property
    def notifications(self) -> list[dict[str, Any]]:
        """The accepted notifications, as GET /_/notifications lists them."""
        return self._journal.notifications

    def reset(self) -> None:
        """Forget what was received."""
        self._journal.clear()


def serve(
    offers: Offers | None, host: str, port: int, announce: Callable[[Emulator], None], **settings: Unpack[Settings]
) -> None:
    """Serve until the process gets SIGINT or SIGTERM; `announce` is called once calls are accepted.

    Port 0 takes any free port. Raises OSError when `host` and `port` cannot be listened on, and what `create_app`
    raises.
    """
    journal = Journal()
    app = create_app(offers, journal=journal, **settings)
    with _listen(host, port) as listening:
        emulator = Emulator(host, listening.getsockname()[1], journal)
        _Server(_config(app), lambda: announce(emulator)).run(sockets=[listening])


@contextmanager
def running(
    offers: Offers | dict[str, Any] | None = None, *, host: str = "127.0.0.1", **settings: Unpack[Settings]
) -> Iterator[Emulator]:
    """Serve from a thread on any free port of `host` while the `with` block lasts; for tests.

    `offers` and `settings` are those of `create_app`, which also says what is raised. Calls still being answered at
    the end of the block get a second to finish.
    """
    journal = Journal()
    app = create_app(offers, journal=journal, **settings)
    accepting = threading.Event()
    with _listen(host, 0) as listening:
        server = _Server(_config(app), accepting.set)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name="target-emulator", daemon=True
        )
        thread.start()
        try:
            if not accepting.wait(_START_S):
                raise RuntimeError(f"the emulator did not start within {_START_S} s")
            yield Emulator(host, listening.getsockname()[1], journal)
        finally:
            server.should_exit = True
            thread.join(_STOP_S)


class _Server(uvicorn.Server):
    """A uvicorn server that says when it accepts calls."""

    def __init__(self, config: uvicorn.Config, accepting: Callable[[], object]) -> None:
        super().__init__(config)
        self._accepting = accepting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._accepting()


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


def _config(app: Any) -> uvicorn.Config:
    # Everything pinned that would otherwise depend on what else is installed; no log set-up, as that is global.
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
