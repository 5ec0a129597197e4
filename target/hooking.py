"""Runs hooks around calls: one order of steps, driven on a thread, on an event loop, or in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, NamedTuple, TypeVar

from target._background.steps import HOLD_S, Steps, awaited_by, drive, drive_async, is_here
from target.config import ON_DEVICE, SERVER_SIDE, ClientConfig
from target.delivery.additions import add_headers, add_parameters, why_no_header, why_no_parameter
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.errors import OptionsError, TargetError
from target.foreign import attribute_of, is_a, kind_of
from target.hooks import (
    HOOK_METHODS,
    CallInfo,
    ClientInfo,
    NotificationInfo,
    NotificationState,
)
from target.response import TargetDeliveryResponse
from target.watched import Watched, decisions_of, host_of_call
from target.ways import Way

T = TypeVar("T")

_KINDS = ("execute", "prefetch", "notifications", "telemetry")
_MOST_ADDED = 100
_PATH = "/rest/v1/delivery"


class _Method(NamedTuple):
    """A method of a hook, as logs name it."""

    name: str
    call: Callable[..., Any]


class Hooks:
    """The hooks of one client. Safe to share between threads.

    Args:
        config: The client's options.
        loop: The event loop of a client that awaits; None for one that blocks.

    Raises:
        OptionsError: A hook has a coroutine function, which a client that blocks cannot await.
    """

    def __init__(self, config: ClientConfig, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._config = config
        self._loop = loop
        self._telling: set[asyncio.Future[None]] = set()
        self._methods: dict[str, list[_Method]] = {}
        for name in HOOK_METHODS:
            found = [
                _Method(f"{kind_of(hook)}.{name}", method)
                for hook in config.hooks or ()
                if callable(method := attribute_of(hook, name))
            ]
            for each in found if loop is None else ():
                if iscoroutinefunction(each.call):
                    raise OptionsError(
                        f"Option 'hooks': {each.name} is a coroutine function, which AsyncTargetClient awaits: make it "
                        "a plain function, or use that client"
                    )
            self._methods[name] = found[::-1] if name.startswith("after_") or name == "on_close" else found

    def run(self, steps: Steps[T]) -> T:
        """What ``steps`` come to, on this thread."""
        return drive(steps, partial(awaited_by, self._loop))

    async def run_async(self, steps: Steps[T]) -> T:
        """The same on the client's event loop."""
        return await drive_async(steps)

    def awaits(self, name: str) -> bool:
        """Whether a hook has a coroutine function of that name."""
        return any(iscoroutinefunction(each.call) for each in self._methods[name])

    def start(self, client: ClientInfo) -> Steps[None]:
        """The client was created."""
        yield from self._tell("on_start", client)

    def close(self, client: ClientInfo) -> Steps[None]:
        """The client was closed."""
        yield from self._tell("on_close", client)

    def begin(self, way: Way) -> Steps[Watched]:
        """A call begins: before_call, and before_decision where it is decided by rules."""
        method = SERVER_SIDE if way.decide is None else ON_DEVICE
        watched = yield from self._begin(way, str(way.method), method)
        if way.has_rules:
            yield from self._tell("before_decision", watched.info)
        return watched

    def end(self, watched: Watched, result: TargetDeliveryResponse | None, error: BaseException | None) -> Steps[None]:
        """It ended, with a result or an error."""
        way = watched.way
        decisions = () if result is None else decisions_of(result)
        if way.has_rules and result is not None:
            yield from self._tell("after_decision", watched.info, decisions)
        yield from self._tell("after_call", watched.info, watched.outcome(decisions, error))
        told = way.call.body.get("notifications") if way.decide is None else None
        for notification in told or ():
            yield from self.notified(watched.info, notification, "sent" if error is None else "failed", error)

    def around_background(self, send: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
        """``send`` for what follows decisions made in process, with before_call and after_call around it."""
        return partial(self._in_background, "background", send, self.tell_of)

    def around_outbox(self, send: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
        """The same for the outbox, which tells itself what becomes of each notification."""
        return partial(self._in_background, "outbox", send, None)

    def _in_background(
        self, method: str, send: Callable[[Call], Reply], tell: Callable[..., None] | None, call: Call
    ) -> Reply:
        watched = self.run(self._begin(Way(call, method), method, SERVER_SIDE))
        try:
            reply = send(watched.way.call)
        except BaseException as error:
            self.run(self._tell("after_call", watched.info, watched.outcome((), error)))
            raise
        self.run(self._tell("after_call", watched.info, watched.outcome((), None)))
        if tell is not None and reply.status < 400:
            for notification in call.body.get("notifications") or ():
                tell(watched.info, notification, "sent")
        return reply

    def notified(
        self,
        info: CallInfo | None,
        notification: Mapping[str, Any],
        state: NotificationState,
        error: BaseException | None = None,
    ) -> Steps[None]:
        """A notification, in wire form, was queued, taken or given up."""
        if self._methods["on_notification"]:
            why = None if error is None else type(error).__name__
            yield from self._tell(
                "on_notification",
                NotificationInfo(
                    self._config.client,
                    str(notification.get("type")),
                    _name_of(notification.get("mbox")),
                    _name_of(notification.get("view")),
                    state,
                    why,
                    info,
                ),
            )

    def tell_of(
        self,
        info: CallInfo | None,
        notification: Mapping[str, Any],
        state: NotificationState,
        error: BaseException | None = None,
    ) -> None:
        """The same at once, on this thread; on the event loop, which must not wait for itself, what is to be awaited
        is so a moment later."""
        steps = self.notified(info, notification, state, error)
        if not (self.awaits("on_notification") and is_here(self._loop)):
            self.run(steps)
            return
        task = asyncio.ensure_future(self.run_async(steps))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def settle(self) -> None:
        """Wait until what is to be told has been."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=HOLD_S)

    def known(self, call: Call, method: str) -> Call:
        """``call`` as hooks know it, for what is only queued."""
        return call if call.info or call.causes else call._replace(info=self._info(call, method, SERVER_SIDE))

    def _begin(self, way: Way, method: str, decisioning_method: str) -> Steps[Watched]:
        watched = Watched(self._info(way.call, method, decisioning_method))
        call = way.call._replace(info=watched.info, record=watched.attempted.append)
        for each in self._methods["before_call"]:
            added = yield from self._tell_one(each, watched.info)
            if added is not None:
                call = self._with_additions(call, added, each)
        watched.way = way._replace(asked=call)
        return watched

    def _info(self, call: Call, method: str, decisioning_method: str) -> CallInfo:
        body, is_sent = call.body, decisioning_method == SERVER_SIDE
        asked = [body[part] for part in ("execute", "prefetch") if part in body]
        names = {
            key: tuple(name for part in asked for each in part.get(key) or () if (name := each.get("name")) is not None)
            for key in ("mboxes", "views")
        }
        return CallInfo(
            client=self._config.client,
            method=method,
            kind="+".join(kind for kind in _KINDS if kind in body),
            mboxes=names["mboxes"],
            views=names["views"],
            property_token=(body.get("property") or {}).get("token"),
            host=host_of_call(call) if is_sent else None,
            decisioning_method=decisioning_method,
            causes=call.causes,
            url=f"{call.base_url}{_PATH}" if is_sent else None,
            notifications=tuple(
                (str(each.get("type")), _name_of(each.get("mbox")) or _name_of(each.get("view")))
                for each in body.get("notifications") or ()
            ),
        )

    def _with_additions(self, call: Call, added: Any, method: _Method) -> Call:
        """``call`` with what a hook adds to it; what cannot be added is left out, and logged once."""
        for kind, why_not, add in (
            ("headers", why_no_header, add_headers),
            ("parameters", why_no_parameter, add_parameters),
        ):
            given = added.get(kind) if is_a(added, Mapping) else added
            if given is None:
                continue
            problems = {"it returned neither None nor a dict of headers and parameters"}
            if is_a(given, Mapping) and len(given) <= _MOST_ADDED:
                pairs = [(name, value, why_not(name, value)) for name, value in given.items()]
                problems = {why for *_, why in pairs if why is not None}
                good = {name: value for name, value, why in pairs if why is None}
                if good:
                    with suppress(TargetError):
                        call = add(call, good)
            for why in problems:
                self._config.notices.error_once(("hook", method.name, why), "Hook %s: %s", method.name, why)
        return call

    def _tell(self, name: str, *arguments: Any) -> Steps[None]:
        for method in self._methods[name]:
            yield from self._tell_one(method, *arguments)

    def _tell_one(self, method: _Method, *arguments: Any) -> Steps[Any]:
        """What the method of a hook returns; None where it raises, which is logged once."""
        try:
            return (yield partial(method.call, *arguments))
        except Exception as error:  # noqa: BLE001  (a hook is foreign code; whatever it raises must not reach a call)
            self._config.notices.error_once(
                ("hook", method.name, type(error).__name__),
                "Hook %s raised %s at %s; that is logged once",
                method.name,
                type(error).__name__,
                _place_of(error),
            )
            return None


def _name_of(part: Any) -> str | None:
    name = part.get("name") if isinstance(part, Mapping) else None
    return name if isinstance(name, str) else None


def _place_of(error: BaseException) -> str:
    """File and line that raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "?" if traceback is None else f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
