"""Serves one claimed session: what is due is sent as one call, and everybody concerned is told what came of it."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from target._io.outbox.hosts import Hosts
from target._io.outbox.store import Claim, Store
from target.config import Runtime
from target.delivery.outgoing import (
    Outcome,
    Settlement,
    build_call,
    cut_batch,
    expire,
    is_service_failure,
    notification_id,
    settle,
)
from target.delivery.reply import Reply, parse_reply
from target.delivery.request import Call
from target.errors import ApiError, ClientClosed, TargetError
from target.events import NOTIFICATION_ACKNOWLEDGED, NOTIFICATION_DEAD

COUNTERS = ("queued", "batches", "acknowledged", "retried", "dead", "dropped")


class Emit(Protocol):
    """Tells the owner of the client about an event."""

    def __call__(self, name: str, /, **payload: Any) -> object: ...


class Sender:
    """Sends and settles. Safe to share between threads.

    Args:
        store: Where claims come from.
        send: Makes a call: its answer, whatever the status, or a TargetError.
        base_url_of: Scheme and host for an edge cluster, or for none.
        runtime: Time and ids.
        max_age_s: After how many seconds a notification is given up.
        logger: Where failures go; never with an id in them.
        emit: Gets the events.
    """

    def __init__(
        self,
        store: Store,
        send: Callable[[Call], Reply],
        base_url_of: Callable[[str | None], str],
        runtime: Runtime,
        max_age_s: float,
        logger: logging.Logger,
        emit: Emit,
    ) -> None:
        self._store = store
        self._send = send
        self._base_url_of = base_url_of
        self._runtime = runtime
        self._max_age_s = max_age_s
        self._logger = logger
        self._emit = emit
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget counts and hosts: in the child of a fork."""
        self.hosts = Hosts()
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

    def serve(self, claim: Claim) -> bool:
        """Send the claim's next batch and settle it. False when the client was closed meanwhile."""
        outcome, settlement = self._decide(claim)
        with self._counts_lock:
            self._telling.add(claim.token)
        try:
            if self._store.settle(claim, settlement):
                self._tell(settlement)
        finally:
            with self._counts_lock:
                self._telling.discard(claim.token)
        return outcome is None or not outcome.interrupted

    def _decide(self, claim: Claim) -> tuple[Outcome | None, Settlement]:
        now_s, lane = self._runtime.now_s(), claim.lane
        expired = expire(claim.entries, lane, now_s, self._max_age_s)
        if expired is not None:
            return None, expired
        batch = cut_batch(claim.entries, lane)
        call = build_call(batch, lane, self._runtime, self._base_url_of)
        rests_until_s = self.hosts.rests_until_s(call.base_url, now_s)
        if rests_until_s is not None:
            return None, Settlement(lane._replace(due_s=rests_until_s))
        outcome = self._outcome_of(call)
        now_s, jitter = self._runtime.now_s(), random.random()
        failed = is_service_failure(outcome)
        if not outcome.interrupted and self.hosts.record(call.base_url, failed, now_s, jitter):
            self._logger.warning(
                "%s takes no queued notifications (%s): they wait, and are tried again less and less often",
                call.base_url,
                "no usable answer" if outcome.status is None else f"it answers {outcome.status}",
            )
        settlement = settle(batch, lane, outcome, now_s, jitter)
        settled = len(settlement.acknowledged) + len(settlement.dead)
        self.count(batches=1, retried=len(batch) - settled)
        return outcome, settlement

    def _outcome_of(self, call: Call) -> Outcome:
        try:
            reply = self._send(call)
            response = parse_reply(reply, call)
        except ApiError as error:
            self._logger.debug("Queued notifications were answered with %d", error.status)
            return Outcome(error.status)
        except ClientClosed:
            return Outcome(None, interrupted=True)
        except TargetError as error:
            self._logger.debug("Queued notifications got no usable answer (%s)", type(error).__name__)
            return Outcome(None)
        except BaseException as error:  # noqa: BLE001  (a pool of the caller's may raise anything; sending goes on)
            # No traceback: the words of a foreign error may hold the URL, and with it the session.
            self._logger.error("Sending queued notifications raised %s; they are tried again", type(error).__name__)
            return Outcome(None)
        listed = None if response is None else response.notifications
        return Outcome(reply.status, frozenset(item.id for item in listed or () if isinstance(item.id, str)))

    def _tell(self, settlement: Settlement) -> None:
        self.count(acknowledged=len(settlement.acknowledged), dead=len(settlement.dead))
        for entry in settlement.acknowledged:
            self._tell_one(NOTIFICATION_ACKNOWLEDGED, id=notification_id(entry), queued_at=entry.queued_at)
        for entry, reason, status in settlement.dead:
            self._logger.error(
                "A queued notification was given up: %s%s; client.outbox.dead_letters holds it",
                reason,
                "" if status is None else f" (last answer {status})",
            )
            self._tell_one(
                NOTIFICATION_DEAD,
                id=notification_id(entry),
                notification=json.loads(entry.notification),
                reason=reason,
                status=status,
                queued_at=entry.queued_at,
            )

    def _tell_one(self, name: str, /, **payload: Any) -> None:
        try:
            self._emit(name, **payload)
        except BaseException as error:  # noqa: BLE001  (a handler is foreign code; even SystemExit ends nothing)
            self._logger.error("The handler of event %s raised %s", name, type(error).__name__)
