"""What both clients are, besides the calls they make: names of cookies, the outbox, what is pending or was lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

from target._background.forks import begin_anew_if_forked
from target._background.workers import Workers
from target.calls import Calls
from target.client_lines import ClientLines
from target.config import ClientConfig
from target.delivery import identity
from target.errors import OptionsError
from target.foreign import is_function, kind_of
from target.option_help import OPTIONS
from target.services import Services
from target.status import ClientStatus

if TYPE_CHECKING:
    from target._outbox.handle import OutboxHandle
    from target.artifact_info import ArtifactInfo
    from target.hooks import ClientInfo


class Client:
    """The part of a client that is the same for both."""

    TARGET_COOKIE_NAME = identity.TARGET_COOKIE_NAME
    TARGET_LOCATION_HINT_COOKIE_NAME = identity.LOCATION_HINT_COOKIE_NAME

    _config: Any
    _calls: Calls
    _services: Services
    _transport: Any
    _lines: ClientLines
    _workers: Workers | None = None
    _known_as: ClientInfo | None = None

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
        """What the client is doing, for probes and metrics: what is pending, was lost or fails. Reads numbers only, and
        never blocks."""
        begin_anew_if_forked()
        services, on_device = self._services, self._services.on_device
        return ClientStatus(
            {
                "method": services.method,
                "offline": services.switches is not None and services.switches.offline,
                **services.status(),
                "outbox": None if services.outbox is None else services.outbox.status(),
                "outbox_store": None if services.outbox is None else services.outbox.store_status(),
                "senders": sum(each.senders for each in (services.outbox, on_device and on_device.background) if each),
                "callbacks": 0 if self._workers is None else self._workers.unfinished,
                "connections": self._transport.connections(),
            }
        )

    def _begin_lines(self, config: ClientConfig) -> None:
        """Tell the log that this client has started."""
        self._lines = ClientLines(config, self._transport.kind)
        self._lines.start()

    def _info(self) -> ClientInfo:
        """What hooks are told of it, always the same object, and may keep: it does not hold the client."""
        if self._known_as is None:
            from target.hooks import ClientInfo  # which few clients need

            known = ref(self)
            self._known_as = ClientInfo(
                self._services.client,
                self._services.method,
                lambda: None if (client := known()) is None else client.status(),
            )
        return self._known_as

    def watch_artifact(self, watcher: Callable[[ArtifactInfo], object]) -> Callable[[], None]:
        """Let ``watcher`` know what becomes of the rules, besides the handlers of ``events``: what is known by now at
        once, the rest on a thread of the client's. For what reports on a client that somebody else has made.

        Args:
            watcher: Called with an ArtifactInfo. What it raises is logged, and harms nothing. It is kept until it is
                ended, so it should not keep the client.

        Returns:
            What ends it; to call that twice is harmless.

        Raises:
            OptionsError: ``watcher`` cannot be called, or has to be awaited.
        """
        if not is_function(watcher):
            raise OptionsError(f"watcher must be a function that nobody has to await, not {kind_of(watcher)}")
        return self._services.events.watch(watcher)

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
