"""The ways to send a call from an event loop, behind one protocol."""

from __future__ import annotations

from typing import Protocol

from target._http.deadline import Deadline
from target._http.routes import Routes
from target.config import AsyncClientConfig
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.errors import OptionsError


class AsyncTransport(Protocol):
    """One client's way to the API. Bound to the event loop it was made on; ``kind`` is what the log calls it."""

    kind: str

    async def send(self, call: Call, deadline: Deadline) -> Reply:
        """The answer to ``call``, whatever its status; when cancelled, its connection is closed.

        The caller ends it at the deadline: in here the deadline decides on further attempts.

        Raises:
            TargetTimeout: The deadline passed.
            TransportError: No usable answer, and no attempt left.
        """
        ...

    def connections(self) -> dict[str, int] | None:
        """How many are ``idle``, and were ``made`` by now; None in a pool of the caller's. Any thread may ask."""
        ...

    async def close(self) -> None:
        """Close every connection and end every thread; to be called when no call is in progress any more."""
        ...


def open_transport(config: AsyncClientConfig, routes: Routes) -> AsyncTransport:
    """The transport that the option asks for. Raises OptionsError where it cannot be had."""
    wanted = config.transport
    if wanted == "aiohttp" or (wanted == "auto" and config.client.pool is None):
        try:
            from target._http.aio.aiohttp_transport import AiohttpTransport  # an extra, which may not be installed
        except ImportError as error:
            if wanted == "aiohttp":
                raise OptionsError(
                    "Option 'transport' is 'aiohttp', which is not installed: pip install target-delivery[aiohttp], "
                    "or set it to 'threads'"
                ) from error
        else:
            return AiohttpTransport(config.client, routes)
    from target._http.aio.threads import ThreadTransport  # not needed beside aiohttp

    return ThreadTransport(config.client, config.max_concurrency, routes)
