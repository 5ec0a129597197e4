"""What runs beside the calls of a client, the same for both clients: breaker, outbox, on-device decisioning."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from target._background.breaker import Breaker
from target._background.census import Counted
from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target._background.later import do_later
from target._background.moments import Moments
from target._background.uwsgi import warn_of_missing_flags
from target._http.routes import Routes
from target.calls import Beside, Sending
from target.config import SERVER_SIDE, ClientConfig, Runtime
from target.delivery.reply import Reply
from target.delivery.request import Asked, Call
from target.delivery.telemetry import TelemetryBuffer
from target.errors import ArtifactNotReady, OptionsError
from target.events import CLIENT_READY, Events
from target.status import ArtifactStatus, BackgroundStatus
from target.ways import Decide, Way

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from target._outbox.handle import OutboxHandle
    from target._overrides.desk import Overrides
    from target.hooking import Hooks
    from target.on_device import OnDevice
    from target.response import TargetDeliveryResponse
    from target.switches import Switches

# So that `client = TargetClient.create(...)` has been assigned when the handler of client_ready runs.
_READY_DELAY_S = 0.1


class Services:
    """One client's. Nothing here holds the client, so that a forgotten one can be collected.

    Args:
        config: The client's options.
        runtime: Time and ids.
        routes: Which hosts work.
        send: Makes a call, blocking; what the outbox and on-device decisioning send by.
        may_wait: Whether a decision may wait for a moment until what was shown is stored: no event loop may.
        loop: The event loop of a client that awaits, on which hooks may be coroutines.

    Raises:
        OptionsError: What the options ask for cannot be.
    """

    def __init__(
        self,
        config: ClientConfig,
        runtime: Runtime,
        routes: Routes,
        send: Callable[[Call], Reply],
        may_wait: bool = True,
        loop: AbstractEventLoop | None = None,
    ) -> None:
        tell = self.events = Events(config.events, config.logger)
        self._moments = Moments()
        send = aside = self._moments.around(send)
        self.hooks: Hooks | None = None
        notified: Callable[..., None] | None = None
        if config.hooks:
            from target.hooking import Hooks  # which few clients have

            self.hooks = hooks = Hooks(config, loop)
            send, aside = hooks.around_outbox(send), hooks.around_background(send)
            notified = hooks.tell_of
        self.breaker = Breaker(config.breaker_failures, config.breaker_reset_s)
        self.outbox: OutboxHandle | None = None
        if config.outbox is not None:
            from target._outbox.handle import OutboxHandle  # sqlite3 and threads that few clients need

            self.outbox = OutboxHandle(config.outbox, config, runtime, send, tell, notified)
        self._runtime = runtime
        self.switches: Switches | None = None
        if config.offline or config.exclude_bots:
            from target.switches import Switches  # which few turn

            self.switches = Switches(config, runtime.now_s)
        self._telemetry: TelemetryBuffer | None = None
        if config.telemetry_enabled and not config.offline:
            renew_in_children(buffer := TelemetryBuffer())
            self._telemetry = buffer
        self._beside = Beside(routes, self.breaker, self._moments, self._telemetry, runtime.now_s)
        self.on_device: OnDevice | None = None
        self.client, self.method = config.client, config.decisioning_method
        self._tell_ready = partial(tell, CLIENT_READY) if CLIENT_READY in config.events else None
        self._call_off: Callable[[], object] | None = None
        if config.on_device is not None:
            from target.on_device import OnDevice  # what decides takes a while to import

            outbox = self.outbox
            queue = None if outbox is None else outbox.queue if may_wait else outbox.queue_later
            self.on_device = OnDevice(
                config, config.on_device, runtime, aside, tell, self._telemetry, routes, self.breaker, queue, notified
            )
        self.overrides: Overrides | None = None
        if config.allow_overrides:
            from target._overrides.desk import Overrides  # which production never needs

            self.overrides = Overrides(config, runtime, None if self.on_device is None else self.on_device.rules)
        warn_of_missing_flags(config.logger)
        self._counted = Counted(config.client)
        self._counted.warn_if_too_many(config.notices)

    def start(self) -> None:
        """Begin what runs beside the calls; ``create`` returns next. Waits for the first rules, on a device."""
        if self.switches is not None:
            self.switches.load()
        if self.on_device is not None:
            self.on_device.start()
        elif self._tell_ready is not None:
            self._call_off = do_later(_READY_DELAY_S, self._tell_ready)

    def way(self, asked: Asked, method: str, decisioning_method: str | None) -> Way:
        """How what is asked for offers is answered, of this method of the client.

        Raises:
            OptionsError: The decisioning method needs rules, and the client fetches none.
        """
        if self.overrides is not None and (overridden := self.overrides.of(asked.call)) is not None:
            return self.overrides.around(self._way(overridden.call, method, decisioning_method), overridden)
        return self._way(asked, method, decisioning_method)

    def _way(self, asked: Asked, method: str, decisioning_method: str | None) -> Way:
        decide = self.decider(asked, decisioning_method)
        if asked.method != method:
            asked = _of_method(asked.call, method)
        if self.switches is not None and (nothing := self.switches.nothing(asked.call, decide is not None)):
            return Way(asked, method, nothing)
        version = None
        if decide is not None and self.hooks is not None and self.on_device is not None:
            version = self.on_device.artifact_status()["source_version"]
        return Way(asked, method, decide, decide is not None, None, version)

    def way_to_tell(self, call: Call, method: str) -> Way:
        """How a call with notifications is answered: by the server, whatever the decisioning method; or by nobody."""
        if self.overrides is not None and (overridden := self.overrides.of(call)) is not None:
            return self.overrides.around(self._way_to_tell(overridden.call, method), overridden)
        return self._way_to_tell(call, method)

    def _way_to_tell(self, call: Call, method: str) -> Way:
        nothing = None if self.switches is None else self.switches.nothing(call)
        return Way(_of_method(call, method), method, nothing)

    def decider(self, asked: Asked, method: str | None) -> Decide | None:
        """What decides by rules what is asked, or raises ArtifactNotReady; None where the server has to.

        Raises:
            OptionsError: The decisioning method needs rules, and the client fetches none.
        """
        method = method or self.method
        if self.on_device is None:
            if method != SERVER_SIDE:
                raise OptionsError(
                    f"Decisioning method {method!r} needs rules, which a server-side client does not fetch: create the "
                    f"client with decisioning_method={method!r}"
                )
            return None
        try:
            artifact = self.on_device.artifact_for(asked.body, method)
        except ArtifactNotReady as error:
            return partial(_refuse, error)  # which a call with a callback hears of by that
        return None if artifact is None else partial(self.on_device.decide, artifact)

    def needs_reading(self, asked: Asked) -> bool:
        """Whether there are rules to read first, before it is known what decides, and that takes a while."""
        return self.on_device is not None and self.on_device.needs_reading(asked.body)

    def may_block(self, way: Way) -> bool:
        """Whether answering in process may take a while: for the network, or for rules to read first."""
        return way.has_rules and self.on_device is not None and self.on_device.may_block(way.asked.body)

    def sending(self, call: Call) -> Sending:
        """Around sending ``call``."""
        return Sending(self._beside, call)

    def wait_until_ready(self, timeout_s: float | None) -> bool:
        """Whether there is something to decide from, after waiting so many seconds for it."""
        return True if self.on_device is None else self.on_device.wait_until_ready(timeout_s)

    def queue(self, call: Call, method: str) -> list[str]:
        """Store the notifications of ``call``, of this method of the client, in the outbox, unless they are a bot's:
        their ids. Raises OptionsError without an outbox."""
        outbox = self.require_outbox()
        if self.switches is not None and self.switches.is_bot(call.body["context"]):
            return outbox.ids_of(call)
        return outbox.queue(call if self.hooks is None else self.hooks.known(call, method))

    def require_outbox(self) -> OutboxHandle:
        """The outbox. Raises OptionsError where there is none."""
        if self.outbox is None:
            raise OptionsError(
                "queue_notifications needs an outbox: create the client with outbox=Outbox.memory() or "
                "outbox=Outbox.sqlite(path), or use send_notifications"
            )
        return self.outbox

    @property
    def background(self) -> dict[str, int]:
        """How many calls about what was decided in process are ``pending``, were ``sent``, ``failed``, ``dropped``."""
        if self.on_device is None:
            return dict.fromkeys(("pending", "sent", "failed", "dropped"), 0)
        return self.on_device.background.status

    def status(self) -> dict[str, Any]:
        """What ClientStatus says of all this."""
        now_s, now_ms = monotonic_s(), self._runtime.now_s() * 1000
        at = {f"last_{name}": getattr(self._moments, f"{name}_s") for name in ("success", "failure")}
        return {
            "ready": self.on_device is None or self.on_device.is_ready,
            "artifact": None if self.on_device is None else ArtifactStatus(self.on_device.artifact_status()),
            "breaker": self.breaker.status(),
            "background": BackgroundStatus(self.background),
            **{name: None if at_s is None else round(now_ms - (now_s - at_s) * 1000) for name, at_s in at.items()},
        }

    @property
    def may_wait(self) -> bool:
        """Whether ``wait_until_ready``, ``flush`` and ``close`` may have something to wait for."""
        return self.outbox is not None or self.on_device is not None

    def hurry(self) -> None:
        """Send at once what waits, and do not wait for that."""
        if self.on_device is not None:
            self.on_device.hurry()
        if self.outbox is not None:
            self.outbox.flush(0)

    def flush(self, timeout_s: float) -> int:
        """Send what is pending: how much was not sent after so many seconds at most, or was given up meanwhile."""
        ends_at_s = monotonic_s() + timeout_s
        given_up_before = self._given_up()
        self.hurry()
        left = 0
        if self.outbox is not None and not self.outbox.flush(timeout_s * 1000):
            left = self.outbox.pending
        if self.on_device is not None:
            left += self.on_device.flush(max(ends_at_s - monotonic_s(), 0.0))
        return left + self._given_up() - given_up_before

    def _given_up(self) -> int:
        return self.background["failed"] + self.background["dropped"]

    def close(self, timeout_s: float) -> None:
        """Send what is pending for at most so many seconds, and end every thread."""
        ends_at_s = monotonic_s() + timeout_s
        self._counted.leave()
        if self._call_off is not None:
            self._call_off()
        if self.outbox is not None:
            self.outbox.close(timeout_s * 1000)
        if self.on_device is not None:
            self.on_device.close(max(ends_at_s - monotonic_s(), 0.0))


def _of_method(call: Call, method: str) -> Call:
    """``call``, as the log knows it."""
    return call if call.method == method else call._replace(method=method)


def _refuse(error: ArtifactNotReady, *_: object) -> TargetDeliveryResponse:
    raise error
