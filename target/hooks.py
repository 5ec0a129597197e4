"""Hooks: code of an application's own that watches calls, or adds to them. What it may define, and what it is told.

A hook is any object with some of the methods of ``Hook``; clients take them as ``hooks=[...]``. What it is told holds
no id of a visitor or session, and no content: it may go into logs, traces and metrics as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from target.errors import OptionsError
from target.foreign import attribute_of, is_a, items_of, kind_of
from target.reasons import PartDecision

if TYPE_CHECKING:
    from target.status import ClientStatus

#: What becomes of a notification: it waits in the outbox; an answer took it; it was given up.
NotificationState = Literal["queued", "sent", "dead", "failed"]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ClientInfo:
    """A client. One object is one client, which keeps it: it may be the key of a ``WeakKeyDictionary``.

    Attributes:
        client: Its client code.
        decisioning_method: What decides its calls, unless they say otherwise.
        status: Gives what ``client.status()`` gives; a forgotten client's, None.
    """

    client: str
    decisioning_method: str
    status: Callable[[], ClientStatus | None] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class CallInfo:
    """A call on its way. One object is one call, from ``before_call`` to ``after_call``: it may be the key of a dict,
    also of a ``WeakKeyDictionary``, which forgets it when nothing that is to follow from it is left.

    Attributes:
        client: The client code.
        method: Of the client, such as ``"get_offers"``; ``"background"`` for what follows a decision made in process,
            ``"outbox"`` for what the outbox sends.
        kind: What it asks or tells: ``"execute"``, ``"prefetch"``, ``"notifications"``, ``"telemetry"``, with ``+``
            between where it is several; empty where overrides answer all of it.
        mboxes: Names of the mboxes that it asks for.
        views: Names of the views that it asks for.
        property_token: Of the property that it is in; None without one.
        host: Where it goes, with a port if there is one; None where it is decided in process.
        decisioning_method: What answers it: ``"server-side"`` or ``"on-device"``.
        causes: The calls, of this process, that led to what is sent in the background. Empty for all others.
        url: Where it is sent to, without the query, which names session and organization; None where it is decided in
            process.
        notifications: Of each notification that it tells, the type and the name of the mbox or view, None where it has
            none: ``("display", "home")``.
    """

    client: str
    method: str
    kind: str
    mboxes: tuple[str, ...]
    views: tuple[str, ...]
    property_token: str | None
    host: str | None
    decisioning_method: str
    causes: tuple[CallInfo, ...] = ()
    url: str | None = None
    notifications: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to get an answer.

    Attributes:
        host: Which host was asked.
        after_ms: Milliseconds from the begin of the call to that of the attempt.
        milliseconds: How long it took.
        status: Of the answer; None where there was none.
        response_bytes: Of the answer's body, as it was read.
        error: Name of the class of error that it ended with, or ``"cancelled"``, or ``"an answer to another request"``;
            None where there was an answer.
    """

    host: str
    after_ms: float
    milliseconds: float
    status: int | None = None
    response_bytes: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How a call ended.

    Attributes:
        milliseconds: How long it took, what hooks took included.
        status: HTTP's, of the last answer; None where there was none, and where it was decided in process.
        host: Which host answered, or was asked last; None where none was.
        attempts: Each attempt, in order.
        request_bytes: Of the body that was sent; 0 where it was decided in process.
        response_bytes: Of the last answer's body.
        decisioning_method: What answered: ``"server-side"`` or ``"on-device"``.
        decisions: What each mbox, view and page load shows, and why. Of an answer of the server: as far as its response
            tokens tell, with the reason ``"server"``.
        error: Name of the class of what it raised; None where it returned.
        rules_version: What the source of the rules knows those by that decided it, such as an ETag; None where rules
            did not, or have no such name.
    """

    milliseconds: float
    status: int | None = None
    host: str | None = None
    attempts: tuple[Attempt, ...] = ()
    request_bytes: int = 0
    response_bytes: int = 0
    decisioning_method: str = "server-side"
    decisions: tuple[PartDecision, ...] = ()
    error: str | None = None
    rules_version: str | None = None


@dataclass(frozen=True, slots=True)
class NotificationInfo:
    """A notification: that something was shown or clicked.

    Attributes:
        client: The client code.
        type: ``"display"`` or ``"click"``.
        mbox: Name of the mbox; None where it is of none.
        view: Name of the view; None where it is of none.
        state: ``"queued"`` (the outbox has it), ``"sent"`` (an answer took it), ``"dead"`` (the outbox gave it up),
            ``"failed"`` (its call failed).
        error: Name of the class of what it failed with; None where it did not.
        call: What told of it, or queued it; None where this process does not know.
    """

    client: str
    type: str
    mbox: str | None
    view: str | None
    state: NotificationState
    error: str | None = None
    call: CallInfo | None = None


class Additions(TypedDict, total=False):
    """What ``before_call`` may add. Of several hooks, the last to name something has it.

    Attributes:
        headers: HTTP headers; not those that this package or HTTP itself sets, which are left out with a line in the
            log.
        parameters: Parameters for every mbox, view and page load asked for; what the request itself says wins.
    """

    headers: Mapping[str, str]
    parameters: Mapping[str, str]


class Hook:
    """What a hook may define; a class need not inherit from it, nor have all of it.

    What a method raises is logged once, by class and place, and harms nothing. A client calls its hooks in the order
    given, and ``after_...`` in the opposite one. On ``AsyncTargetClient`` a method may be a coroutine function.
    """

    def on_start(self, client: ClientInfo) -> Awaitable[None] | None:
        """A client was created."""

    def on_close(self, client: ClientInfo) -> Awaitable[None] | None:
        """A client was closed."""

    def before_call(self, call: CallInfo) -> Awaitable[Additions | None] | Additions | None:
        """A call begins, on the thread and in the context that it is made in; what is returned is added to it."""

    def after_call(self, call: CallInfo, outcome: CallOutcome) -> Awaitable[None] | None:
        """A call ended, with an answer or an error; on the same thread, in the same context."""

    def before_decision(self, call: CallInfo) -> Awaitable[None] | None:
        """A call is about to be decided in process."""

    def after_decision(self, call: CallInfo, decisions: tuple[PartDecision, ...]) -> Awaitable[None] | None:
        """A call was decided in process."""

    def on_notification(self, notification: NotificationInfo) -> Awaitable[None] | None:
        """A notification was queued, taken or given up; on whatever thread knows of it first."""


#: What a hook may define.
HOOK_METHODS = tuple(name for name in vars(Hook) if not name.startswith("_"))
_MOST_HOOKS = 100


def parse_hooks(name: str, value: object) -> tuple[Any, ...]:
    """The hooks of a client. Raises OptionsError."""
    if not is_a(value, list | tuple):
        raise OptionsError(f"Option {name!r} must be a list of hooks, not {kind_of(value)}")
    hooks = items_of(value, _MOST_HOOKS, f"Option {name!r}")
    for position, hook in enumerate(hooks):
        if is_a(hook, type):
            raise OptionsError(f"Option {name!r} must hold objects: [{position}] is a class; call it to make one")
        if not any(callable(attribute_of(hook, method)) for method in HOOK_METHODS):
            raise OptionsError(
                f"Option {name!r} must hold objects with any of the methods {', '.join(HOOK_METHODS)}: "
                f"[{position}], of {kind_of(hook)}, has none"
            )
    return tuple(hooks)
