"""What runs beside the calls of a client, the same for both clients: circuit breaker, outbox, events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from target._io.breaker import Breaker
from target.config import ClientConfig, Runtime
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.errors import OptionsError
from target.events import emit

if TYPE_CHECKING:
    from target._io.outbox.handle import OutboxHandle


class Services:
    """One client's. Nothing here holds the client, so that a forgotten one can be collected.

    Args:
        config: The client's options.
        runtime: Time and ids.
        send: Makes a call, blocking; what the outbox sends by.
    """

    def __init__(self, config: ClientConfig, runtime: Runtime, send: Callable[[Call], Reply]) -> None:
        def tell(name: str, /, **payload: Any) -> None:
            emit(config.events, name, config.logger, **payload)

        self.breaker = Breaker(config.breaker_failures, config.breaker_reset_s)
        self.outbox: OutboxHandle | None = None
        if config.outbox is not None:
            from target._io.outbox.handle import OutboxHandle  # sqlite3 and threads that few clients need

            self.outbox = OutboxHandle(config.outbox, config, runtime, send, tell)

    def queue(self, call: Call) -> list[str]:
        """Store the notifications of ``call`` in the outbox: their ids. Raises OptionsError without an outbox."""
        if self.outbox is None:
            raise OptionsError(
                "queue_notifications needs an outbox: create the client with outbox=Outbox.memory() or "
                "outbox=Outbox.sqlite(path), or use send_notifications"
            )
        return self.outbox.queue(call)

    def close(self, timeout_s: float) -> None:
        """Send what is pending for at most so many seconds, and end every thread."""
        if self.outbox is not None:
            self.outbox.close(timeout_s * 1000)
