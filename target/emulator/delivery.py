"""Owns POST /rest/v1/delivery: how a call is read, which status it gets, and what the journal says of it."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any
from uuid import uuid4

from target.emulator.answers import Wire
from target.emulator.desk import Desk
from target.emulator.entries import Received
from target.emulator.faults import FailingShare, Fault, suffer
from target.emulator.geo import address_of
from target.emulator.replies import error, failed, json_answer, read_body, status_of
from target.emulator.validation import find_problem, parse_body

try:
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing


class Delivery:
    """The endpoint. All of it runs in one event loop, so nothing here needs a lock."""

    def __init__(
        self,
        desk: Desk,
        *,
        latency_s: float,
        failure: FailingShare | None,
        random: Random,
        max_body_bytes: int,
        max_concurrent: int,
    ) -> None:
        self._desk = desk
        self._latency_s = latency_s
        self._failure = failure
        self._random = random
        self._max_body_bytes = max_body_bytes
        self._max_concurrent = max_concurrent
        self._in_flight: Counter[str] = Counter()

    async def answer(self, request: Request) -> Response:
        """Answer a call."""
        session_id = request.query_params.get("sessionId", "")
        # Counted when the head of a call arrives: bodies arrive in any order.
        crowded = self._in_flight[session_id] >= self._max_concurrent
        self._in_flight[session_id] += 1
        try:
            raw = await read_body(request, self._max_body_bytes)
            fault = self._desk.faults.take("delivery")
            response = self._reply(request, raw, session_id, crowded, fault)
            # The work is done before the wait, as in a slow network: who gives up waiting was still counted.
            await self._desk.stopping.sleep(request, self._latency_s)
            return await suffer(request, response, fault, self._desk.stopping)
        except ClientDisconnect:
            return Response(status_code=400)
        finally:
            self._in_flight[session_id] -= 1
            if not self._in_flight[session_id]:
                del self._in_flight[session_id]

    def _reply(
        self, request: Request, raw: bytes | None, session_id: str, crowded: bool, fault: Fault | None
    ) -> Response:
        body: Any = None
        malformed = None
        try:
            body = None if raw is None else parse_body(raw)
        except ValueError as cause:
            malformed = f"Invalid request: body is not JSON ({cause})"
        query = dict(request.query_params)
        received = Received(query, dict(request.headers), body, path=request.scope["path"])
        told: list[tuple[Wire, Wire]] = []
        try:
            if fault is not None and fault.stops_early:
                response = failed(fault.status)
            elif self._failure is not None and self._random.random() < self._failure.rate:
                response = failed(self._failure.status)
            elif raw is None:
                response = error(413, "Request Entity Too Large")
            elif crowded:
                response = error(420, "Too many requests with same session ID")
            elif problem := malformed or find_problem(query, body):
                response = error(400, problem)
            else:
                response, told = self._served(request, body, session_id)
            received.status = status_of(response, fault)
            received.fault = None if fault is None else fault.name
        finally:
            self._desk.journal.add(received)
        for notification, said in told:
            self._desk.journal.add_notification(notification, session_id=session_id, **said)
        return response

    def _served(self, request: Request, body: Wire, session_id: str) -> tuple[Response, list[tuple[Wire, Wire]]]:
        """The answer, and what each notification turned out to be."""
        stage = self._desk.stage
        told = [
            (each, stage.notified(each, session_id=session_id, body=body)) for each in body.get("notifications") or []
        ]
        answer = stage.answer(body, session_id=session_id, request_id=str(uuid4()), address=address_of(request))
        if body["context"].get("beacon"):
            return Response(status_code=204), told
        return json_answer(200, answer), told
