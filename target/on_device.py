"""Decides calls in process: the artifact, the visitor's place, the decision, and what Target is told of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from target._background.breaker import Breaker
from target._background.clock import monotonic_s
from target._background.forks import import_before_threads, renew_in_children
from target._http.deadline import Deadline
from target._http.routes import Routes
from target._on_device.artifact_keeper import ArtifactKeeper
from target._on_device.artifact_rotation import DownloadTimes
from target._on_device.background import Background
from target._on_device.delivery import Delivery
from target._on_device.download import Downloads
from target._on_device.geo_lookup import GeoLookup
from target.config import HYBRID, ON_DEVICE, SERVER_SIDE, ClientConfig, Runtime
from target.decisioning.artifact import Artifact, require_packages
from target.decisioning.decide import Decision, decide, needs_geo
from target.decisioning.remote import needs_reading, needs_remote
from target.delivery.follow_up import Decided, build_follow_up
from target.delivery.reply import Reply, assemble_decision
from target.delivery.request import Asked, Call
from target.delivery.telemetry import (
    LOCAL,
    Measured,
    TelemetryBuffer,
    build_download_entry,
    build_request_times,
    count_asked,
)
from target.errors import ApiError, ArtifactNotReady, TargetError
from target.events import SEND_NOTIFICATION_FAILED, Emit
from target.foreign import copied
from target.on_device_config import OnDeviceConfig
from target.response import Meta, TargetDeliveryResponse

if TYPE_CHECKING:
    from target.decisioning.explanation import Explanation


class OnDevice:
    """On-device decisioning of one client. Nothing here holds the client.

    Args:
        config: The client's options.
        settings: Those of on-device decisioning.
        runtime: Time and ids.
        send: Makes a call, blocking; for what is sent in the background.
        tell: Emits an event.
        telemetry: Where entries wait; None when telemetry is off.
        routes: Which clusters work.
        breaker: Which hosts are left alone.
        queue: Takes what was shown, to be sent until it is acknowledged; None where there is no outbox.
        notified: Tells hooks of a notification that was given up; None where there are none.

    Raises:
        OptionsError, ArtifactError: The extra ``on-device`` is not installed.
    """

    def __init__(
        self,
        config: ClientConfig,
        settings: OnDeviceConfig,
        runtime: Runtime,
        send: Callable[[Call], Reply],
        tell: Emit,
        telemetry: TelemetryBuffer | None,
        routes: Routes,
        breaker: Breaker,
        queue: Callable[[Call], object] | None,
        notified: Callable[..., object] | None = None,
    ) -> None:
        require_packages()
        import_before_threads()
        self._config = config
        self._settings = settings
        self._runtime = runtime
        self._telemetry = telemetry
        self._downloads = Downloads(config)
        # Whose session telemetry without notifications is sent in. Gone once it is sent: it is a visitor's.
        self._latest = latest = deque[Decided](maxlen=1)

        def record(times: DownloadTimes) -> None:
            if telemetry is not None:
                request = build_request_times(times.first_byte_ms, times.body_ms, times.size)
                telemetry.add(build_download_entry(runtime.now_s(), times.execution_ms, times.parsing_ms, request))

        def failed(call: Call, error: BaseException) -> None:
            # What was answered with an error may be the cause of it, and must not ride on what comes next.
            if telemetry is not None and not isinstance(error, ApiError):
                telemetry.put_back(call.riding)
            if call.body.get("notifications"):
                # A copy, since its context is that of the result which the visitor's own caller has.
                status, message = None, str(error)
                if isinstance(error, ApiError):
                    status, message = error.status, error.message
                request = copied(call.body)
                tell(SEND_NOTIFICATION_FAILED, request=request, error=error, status=status, message=message)
                if notified is not None:
                    for notification in call.body["notifications"]:
                        notified(next(iter(call.causes), None), notification, "failed", error)

        def compose() -> Call | None:
            if telemetry is None or not latest:
                return None
            decided = latest.pop()  # before the entries, of which those of this call are one
            entries = telemetry.take_all()
            return build_follow_up(config, runtime, decided, (), entries) if entries else None

        self._keeper = ArtifactKeeper(settings, config, self._downloads, tell, record)
        self._geo = GeoLookup(settings.geo_url, self._downloads, tell, config.logger)
        self._queue = queue
        self._storing_may_take_long = config.outbox is not None and config.outbox.outlives_process
        self.background = Background(
            Delivery(send, breaker, routes, config.timeout_s),
            failed,
            config.logger,
            most_pending=config.background_queue,
            most_at_once=config.background_concurrency,
            compose=compose,
        )
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child: what the parent decided last is not this process's to tell of."""
        self._latest.clear()

    def start(self) -> None:
        """Begin to fetch the artifact, and wait for the first one as long as the options say."""
        self._keeper.start()
        self._keeper.wait_until_ready(self._settings.maximum_wait_ready_s)
        self._keeper.announce()

    def wait_until_ready(self, timeout_s: float | None) -> bool:
        """Wait so many seconds (None: as long as it takes) for rules: whether there are some; offline, True at once."""
        return self._config.offline or self._keeper.wait_until_ready(timeout_s)

    def artifact_for(self, body: Mapping[str, Any], method: str) -> Artifact | None:
        """What to decide a request from; None where the server has to, or, offline, nothing can.

        Raises:
            ArtifactNotReady: The method is on-device, and there is no artifact yet.
        """
        artifact = self._keeper.current
        if self._config.offline:
            return None if method == SERVER_SIDE else artifact
        if method == ON_DEVICE:
            if "qaMode" in body or "preview" in body:
                self._config.notices.warn_once(
                    ("preview",),
                    "qaMode and preview show nothing in a call that is decided on the device, whose rules hold live "
                    "activities alone: use the decisioning method hybrid, which asks the server for them",
                )
            if artifact is None:
                raise ArtifactNotReady(
                    "Unable to fulfill request; decisioning engine not ready. Call wait_until_ready(), or use the "
                    "decisioning method hybrid, which asks the server until then"
                )
            return artifact
        if method == HYBRID and artifact is not None and not needs_remote(body, artifact):
            return artifact
        return None

    def rules(self) -> Artifact | None:
        """What there is to decide from, without waiting for it; None while there is nothing."""
        return self._keeper.current

    @property
    def is_ready(self) -> bool:
        """Whether there is something to decide from, without waiting for it."""
        return self._config.offline or self._keeper.current is not None

    def artifact_status(self) -> dict[str, Any]:
        """What ArtifactStatus says."""
        return self._keeper.status()

    def needs_reading(self, body: Mapping[str, Any]) -> bool:
        """Whether ``artifact_for`` and ``decide`` have to read many rules, which nobody has needed yet."""
        return (artifact := self._keeper.current) is not None and needs_reading(body, artifact)

    def may_block(self, body: Mapping[str, Any]) -> bool:
        """Whether ``decide`` may have to look up a place, to read many rules, or to write to a file."""
        artifact = self._keeper.current
        if artifact is None:
            return False
        stores = self._storing_may_take_long and ("execute" in body or "notifications" in body)
        return stores or self._to_look_up(body, artifact) is not None or self.needs_reading(body)

    def decide(self, artifact: Artifact, asked: Asked, deadline: Deadline) -> TargetDeliveryResponse:
        """The result of ``asked``. Blocks only to look up a place, until ``deadline`` at most; never fails for it."""
        started, body = monotonic_s(), asked.body
        geo = self._place_of(body, artifact, deadline)
        now_s = self._runtime.now_s()
        is_traced = body.get("trace") is not None
        decision = decide(
            body,
            artifact,
            client=self._config.client,
            now_s=now_s,
            new_id=self._runtime.new_id,
            session_id=asked.session_id if is_traced else None,
            location_hint=asked.cluster,
            geo=geo,
            retrieval=self._keeper.retrieval() if is_traced else None,
        )
        decided = monotonic_s()
        meta = Meta(ON_DEVICE, decision.remote_mboxes, decision.remote_views, decision.outcomes())
        result = assemble_decision(asked, decision.response, now_s, meta)
        self._follow_up(asked, decision, started, decided)
        return result

    def explain(self, call: Call, deadline: Deadline) -> Explanation:
        """Why the rules decide ``call`` as they do. Blocks only to look up a place, until ``deadline`` at most.

        Raises:
            ArtifactNotReady: There are no rules yet.
        """
        from target.decisioning.explain import explain  # which a service that only asks never needs

        artifact = self._keeper.current
        if artifact is None:
            raise ArtifactNotReady("There are no rules yet that could explain anything: call wait_until_ready() first")
        return explain(
            call.body,
            artifact,
            client=self._config.client,
            now_s=self._runtime.now_s(),
            new_id=self._runtime.new_id,
            location_hint=call.cluster,
            geo=self._place_of(call.body, artifact, deadline),
        )

    def hurry(self) -> None:
        """Send at once what waits to be told of what was decided."""
        self.background.hurry()

    def flush(self, timeout_s: float) -> int:
        """Send what waits to be told of what was decided: how many calls are left after so many seconds at most."""
        return self.background.flush(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Send what is pending for at most so many seconds, and end every thread."""
        ends_at_s = monotonic_s() + timeout_s
        self.background.close(timeout_s)
        self._keeper.close(max(ends_at_s - monotonic_s(), 0.1))
        self._downloads.close()

    def _follow_up(self, asked: Asked, decision: Decision, started: float, decided: float) -> None:
        """Tell Target, in the background, what was shown and how long it took."""
        notifications, telemetry = decision.notifications, self._telemetry
        if reported := asked.body.get("notifications"):
            notifications = [*reported, *notifications]
        if not notifications and telemetry is None:
            return
        if telemetry is not None:
            ended, now_s, body = monotonic_s(), self._runtime.now_s(), asked.body
            took_ms, parsing_ms = (ended - started) * 1000, (ended - decided) * 1000
            counts = count_asked(body)
            telemetry.add(Measured(body["requestId"], now_s, took_ms, parsing_ms, LOCAL, ON_DEVICE, counts))
        if notifications:
            entries = [] if telemetry is None else telemetry.take_all()
            followed = Decided(asked, decision.response["id"])
            self._tell(build_follow_up(self._config, self._runtime, followed, notifications, entries))
        else:
            self._latest.append(Decided(asked, decision.response["id"]))
            self.background.send_soon()

    def _to_look_up(self, body: Mapping[str, Any], artifact: Artifact) -> str | None:
        """The address of which a decision needs to know where it is."""
        return None if self._config.offline else needs_geo(body, artifact)

    def _place_of(self, body: Mapping[str, Any], artifact: Artifact, deadline: Deadline) -> dict[str, Any] | None:
        address = self._to_look_up(body, artifact)
        return self._geo.find(address, deadline.remaining_s()) if address else None

    def _tell(self, call: Call) -> None:
        if self._queue is None:
            if not self._config.offline:
                self.background.submit(call)
            return
        try:
            self._queue(call)
        except TargetError as error:  # no room, or closed meanwhile: a decision does not fail for it
            self.background.drop(call, error)
