"""What both clients are, besides the calls they make: names of cookies, the outbox, what is pending or was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from target._background.forks import begin_anew_if_forked
from target._background.workers import Workers
from target.calls import Calls
from target.delivery import identity
from target.errors import OptionsError
from target.option_help import OPTIONS
from target.services import Services

if TYPE_CHECKING:
    from target._outbox.handle import OutboxHandle


class BackgroundStatus(TypedDict):
    """Calls about what was decided on the device: display notifications that no outbox takes, and telemetry."""

    pending: int
    """Waiting or being sent."""
    sent: int
    """Answered with success."""
    failed: int
    """Given up after they were tried, or when the client was closed; each was an event, if it held a notification."""
    dropped: int
    """Given up untried, for want of room: above ``background_queue``, or in the outbox. Each was an event, too."""


class ClientStatus(TypedDict):
    """What a client does besides the calls that somebody waits for, in numbers: since its process began to use it."""

    background: BackgroundStatus
    outbox: dict[str, int] | None
    """``client.outbox.counters``; None without an outbox."""
    callbacks: int
    """Calls with a callback that have not ended."""


class Client:
    """The part of a client that is the same for both."""

    TARGET_COOKIE_NAME = identity.TARGET_COOKIE_NAME
    TARGET_LOCATION_HINT_COOKIE_NAME = identity.LOCATION_HINT_COOKIE_NAME

    _config: Any
    _calls: Calls
    _services: Services
    _workers: Workers | None = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name, said in OPTIONS.get(f"{cls.__module__}.{cls.__qualname__}", {}).items():
            _add_to_doc(getattr(cls, name), said)

    def __init__(self, *_: object, **__: object) -> None:
        raise OptionsError(f"Please use {type(self).__name__}.create static method instead")

    @property
    def outbox(self) -> OutboxHandle | None:
        """The outbox at work: ``pending``, ``dead_letters``, ``counters``, ``flush``; None without one.

        Its methods block: on an event loop await them through ``asyncio.to_thread``.
        """
        return self._services.outbox

    def status(self) -> ClientStatus:
        """What is pending, and what was sent, failed or was dropped. Reads numbers only, and never blocks."""
        begin_anew_if_forked()
        background = self._services.background
        return ClientStatus(
            background=BackgroundStatus(
                pending=background["pending"],
                sent=background["sent"],
                failed=background["failed"],
                dropped=background["dropped"],
            ),
            outbox=None if self._services.outbox is None else self._services.outbox.counters,
            callbacks=0 if self._workers is None else self._workers.unfinished,
        )

    @staticmethod
    def visitor_cookie_name(organization_id: str) -> str:
        """Name of the cookie with the visitor's Experience Cloud id: ``AMCV_`` and the organization id."""
        from target.visitor import visitor_cookie_name

        return visitor_cookie_name(organization_id)


def _add_to_doc(method: Any, options: str) -> None:
    """Let ``help`` of a method list the options that it takes as keywords."""
    method = getattr(method, "__func__", method)
    if method.__doc__ is not None:  # as it is under python -OO
        indent = method.__doc__.rpartition("\n")[2]
        method.__doc__ += ("\nOptions, as keywords or in a dict:\n" + options).replace("\n", "\n" + indent)
