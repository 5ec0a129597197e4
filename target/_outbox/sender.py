"""Serves one claimed session: what is due is sent as one call, and everybody concerned is told what came of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from target._background.flag import Flag
from target._background.runtime import chance
from target._http.failures import fields_of
from target._outbox.hosts import Hosts
from target._outbox.origins import Origins
from target._outbox.store import SteadyStore
from target.config import Runtime
from target.delivery.entries import build_call, notification_id, read_notification
from target.delivery.outgoing import Outcome, carries_telemetry, cut_batch, expire, settle
from target.delivery.reply import Reply, parse_reply
from target.delivery.request import Call
from target.errors import ApiError, ClientClosed, TargetError
from target.events import NOTIFICATION_ACKNOWLEDGED, NOTIFICATION_DEAD, Emit
from target.loggers import Log, fields
from target.protocols import Claim, LaneState, Moment, Settlement
from target.values import parse_cluster

COUNTERS = ("queued", "batches", "acknowledged", "retried", "dead", "dropped")
_RECORD_S = 0.25  # between two tries to record what came of a batch
_AGAIN_S = 0.25


class Sender:
    """Sends and settles. Safe to share between threads.

    Args:
        store: Where claims come from.
        send: Makes a call: its answer, whatever the status, or a TargetError.
        base_url_of: Scheme and host for an edge cluster, or for none.
        runtime: Time and ids.
        now: Both clocks.
        max_age_s: After how many seconds a notification is given up.
        most: How many calls to one host, at most, are in flight at once.
        logger: Where failures go; never with an id in them.
        emit: Gets the events.
        origins: Where notifications came from; None where no hook asks.
        offline: Whether nothing may be sent, ever.
    """

    def __init__(
        self,
        store: SteadyStore,
        send: Callable[[Call], Reply],
        base_url_of: Callable[[str | None], str],
        runtime: Runtime,
        now: Callable[[], Moment],
        max_age_s: float,
        most: int,
        logger: Log,
        emit: Emit,
        origins: Origins | None = None,
        offline: bool = False,
    ) -> None:
        self._store = store
        self._send = send
        self._base_url_of = base_url_of
        self._runtime = runtime
        self._now = now
        self._max_age_s = max_age_s
        self._most = most
        self._logger = logger
        self._emit = emit
        self._origins = origins
        self.offline = offline
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget counts and hosts: in the child of a fork."""
        self.hosts = Hosts(lambda: self._now().steady_s, self._most)
        self._counts = Counter(dict.fromkeys(COUNTERS, 0))
        self._counts_lock = threading.Lock()
        self._telling: set[str] = set()

    def counters(self) -> dict[str, int]:
        """What happened in this process so far."""
        with self._counts_lock:
            return dict(self._counts)

    def telling(self) -> frozenset[str]:
        """The claims that are being settled, or whose events are being told."""
        with self._counts_lock:
            return frozenset(self._telling)

    def count(self, **added: int) -> None:
        """Add to the counters."""
        with self._counts_lock:
            self._counts.update(added)

    def is_open(self, cluster: object) -> bool:
        """Whether something may be done now for what goes to ``cluster``, whose value nobody has checked."""
        base_url = self._base_url_of(parse_cluster(cluster))
        return not self.offline and (self.hosts.is_open(base_url) or self._is_lost(base_url))

    def begin(self, claim: Claim) -> bool:
        """Take a place among the calls to the claim's host: whether there is one. ``serve`` must follow."""
        return bool(claim.entries) and self.hosts.begin(self._base_url_of(parse_cluster(claim.entries[0].cluster)))

    def serve(self, claim: Claim, has_begun: bool, ended: Flag) -> bool:
        """Send the claim's next batch, if it has begun, and settle it. False when the client was closed meanwhile."""
        outcome = None
        if has_begun:
            outcome, settlement = self._send_batch(claim)
        else:
            settlement = self._put_off(claim)
        settlement = settlement._replace(dead=(*claim.unreadable, *settlement.dead))
        with self._counts_lock:
            self._telling.add(claim.token)
        try:
            if self._record(claim, settlement, ended):
                self._tell(settlement)
        finally:
            with self._counts_lock:
                self._telling.discard(claim.token)
        return outcome is None or not outcome.interrupted

    def _put_off(self, claim: Claim) -> Settlement:
        """What becomes of a session whose host cannot be called now."""
        state, now = claim.state, self._now()
        if not claim.entries:
            return Settlement(state._replace(due_s=now.steady_s))
        base_url = self._base_url_of(parse_cluster(claim.entries[0].cluster))
        lost = expire(claim.entries, state, now, self._max_age_s) if self._is_lost(base_url) else None
        again_s = max(now.steady_s + _AGAIN_S, self.hosts.rests_until_s(base_url))
        return lost or Settlement(state._replace(due_s=again_s))

    def _send_batch(self, claim: Claim) -> tuple[Outcome, Settlement]:
        state = claim.state
        base_url = self._base_url_of(parse_cluster(claim.entries[0].cluster))
        outcome = Outcome(None, interrupted=True)
        jitter = chance()
        try:
            batch = cut_batch(claim.entries, state)
            outcome = self._outcome_of(batch, state)
        finally:
            is_left_alone = self.hosts.end(base_url, outcome, jitter)
        if is_left_alone:
            self._logger.warning(
                "%s takes no queued notifications (%s): they wait, and are tried again less and less often",
                base_url,
                "no usable answer" if outcome.status is None else f"it answers {outcome.status}",
                extra=fields(method="outbox", host=base_url.partition("://")[2], status=outcome.status),
            )
        settlement = settle(batch, state, outcome, self._now(), jitter, self._max_age_s)
        settled = len(settlement.acknowledged) + len(settlement.dead)
        self.count(batches=1, retried=len(batch) - settled)
        return outcome, settlement

    def _is_lost(self, base_url: str) -> bool:
        """Whether the host has taken nothing for so long that what is too old need not be tried."""
        return self.hosts.has_failed_for_s(base_url) >= self._max_age_s

    def _outcome_of(self, batch: Any, state: LaneState) -> Outcome:
        try:
            call = build_call(batch, carries_telemetry(batch, state), self._runtime, self._base_url_of)
        except (ValueError, RecursionError):
            return Outcome(None, unsendable=True)
        if self._origins is not None:
            call = call._replace(causes=self._origins.of(batch))
        reply = None
        try:
            reply = self._send(call)
            response = parse_reply(reply, call)
        except ApiError as error:
            self._logger.debug(
                "Queued notifications were answered with %d", error.status, extra=fields_of(call, error.status)
            )
            return Outcome(error.status, message=error.message, retry_after_s=reply and reply.retry_after_s)
        except ClientClosed:
            return Outcome(None, interrupted=True)
        except TargetError as error:
            self._logger.debug(
                "Queued notifications got no usable answer (%s)", type(error).__name__, extra=fields_of(call)
            )
            return Outcome(None, message=str(error))
        except BaseException as error:  # noqa: BLE001  (a pool of the caller's may raise anything; sending goes on)
            # No traceback: the words of a foreign error may hold the URL, and with it the session.
            self._logger.error(
                "Sending queued notifications raised %s; they are tried again",
                type(error).__name__,
                extra=fields_of(call),
            )
            return Outcome(None, message=f"Sending raised {type(error).__name__}")
        listed = None if response is None else response.notifications
        return Outcome(reply.status, frozenset(item.id for item in listed or () if isinstance(item.id, str)))

    def _record(self, claim: Claim, settlement: Settlement, ended: Flag) -> bool:
        """Settle the claim, as soon as that can be recorded: else it would be sent again."""
        while (recorded := self._store.settle(claim, settlement)) is None:
            if ended.wait(_RECORD_S) or self._now().steady_s >= claim.ends_s:
                return False
        return recorded

    def _tell(self, settlement: Settlement) -> None:
        self.count(acknowledged=len(settlement.acknowledged), dead=len(settlement.dead))
        for entry in settlement.acknowledged:
            self._tell_one(NOTIFICATION_ACKNOWLEDGED, id=notification_id(entry), queued_at=entry.queued_at)
            if self._origins is not None:
                self._origins.settled(entry, "sent")
        for entry, reason, status, message in settlement.dead:
            self._logger.error(
                "A queued notification was given up: %s%s; client.outbox.dead_letters holds it",
                reason,
                "" if status is None else f" (last answer {status}: {message})",
                extra=fields(method="outbox", status=status),
            )
            self._tell_one(
                NOTIFICATION_DEAD,
                id=notification_id(entry),
                notification=read_notification(entry.notification),
                reason=reason,
                status=status,
                message=message,
                queued_at=entry.queued_at,
            )
            if self._origins is not None:
                self._origins.settled(entry, "dead")

    def _tell_one(self, name: str, /, **payload: Any) -> None:
        try:
            self._emit(name, **payload)
        except BaseException as error:  # noqa: BLE001  (a handler is foreign code; even SystemExit ends nothing)
            self._logger.error("The handler of event %s raised %s", name, type(error).__name__)
