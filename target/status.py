"""What a client says of itself: numbers and names that are JSON as they stand, and that nobody can change."""

from __future__ import annotations

from typing import Any, NoReturn


class _Frozen(dict[str, Any]):
    """A dict that stays as it is, each of whose keys is an attribute, too; dicts in it likewise."""

    __slots__ = ()

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__({key: _freeze(value) for key, value in values.items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}") from None

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is read-only: dict() makes a copy that can be changed")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


def _freeze(value: Any) -> Any:
    return _Frozen(value) if type(value) is dict else value


class BackgroundStatus(_Frozen):
    """Calls about what was decided on the device: display notifications that no outbox takes, and telemetry.

    Attributes:
        pending: Waiting or being sent.
        sent: Answered with success.
        failed: Given up after they were tried, or when the client was closed; each was an event, if it held a
            notification.
        dropped: Given up untried, for want of room: above ``background_queue``, or in the outbox. Each was an event,
            too.
    """

    __slots__ = ()
    pending: int
    sent: int
    failed: int
    dropped: int


class ArtifactStatus(_Frozen):
    """The rules that are decided from.

    Attributes:
        version: As they give it, e.g. ``"1.0.0"``; None while there are none.
        source_version: What their source knows them by, such as an ETag; None where it names nothing.
        source: Where they come from: a URL without its query, or what an ``artifact_source`` is called.
        age: Milliseconds since they were last fetched, or found to be still the same; None where they never were.
        last_error: Why a download failed, the last that did; None where none has.
        last_error_at: When that was, in milliseconds since 1970.
    """

    __slots__ = ()
    version: str | None
    source_version: str | None
    source: str
    age: int | None
    last_error: str | None
    last_error_at: int | None


class ClientStatus(_Frozen):
    """What a client is doing, in numbers: since its process began to use it. No id and no name of a visitor is in it.

    Its keys are attributes, too, and so are those of what it holds: ``status.background.pending`` is
    ``status["background"]["pending"]``. It is JSON as it stands, and does not change.

    Attributes:
        method: The client's ``decisioning_method``.
        offline: Whether it is, by its option.
        ready: Whether it can decide: a server-side or offline client always, any other once it has rules.
        artifact: The rules; None in a client that fetches none.
        breaker: Hosts that failed of late, by URL: ``state`` (``"closed"``, ``"open"`` or ``"half-open"``),
            ``failures`` in a row, and ``tried_in``, the milliseconds until a call may try it. Empty where
            ``breaker_failures`` is 0.
        background: Calls about what was decided on the device.
        outbox: ``client.outbox.counters``; with ``pending`` and ``dead_letters``, how many there are as far as is known
            without asking a file or store, other processes' included. None without an outbox.
        outbox_store: Where its notifications wait: ``name``, such as ``"memory"``; ``usable``, whether that could be
            used when it was last tried; ``volatile``, how many wait in memory alone. None without one.
        senders: How many threads are sending in the background: what the outbox holds, and calls about what was decided
            on the device.
        callbacks: Calls with a callback that have not ended.
        connections: ``idle``, those that are kept for the next call, and ``made``, how many there were by now; None
            with a ``pool`` of your own.
        last_success: When a call, or what is sent in the background, was last answered with success, in milliseconds
            since 1970; None where none was. A decision on the device is no call.
        last_failure: When one last failed, likewise.
    """

    __slots__ = ()
    method: str
    offline: bool
    ready: bool
    artifact: ArtifactStatus | None
    breaker: dict[str, Any]
    background: BackgroundStatus
    outbox: dict[str, int] | None
    outbox_store: dict[str, Any] | None
    senders: int
    callbacks: int
    connections: dict[str, int] | None
    last_success: int | None
    last_failure: int | None
