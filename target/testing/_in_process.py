"""The Delivery API in this process: answers calls as the emulator does, and keeps what was asked. No socket, no thread.

Its offers are those of the emulator; the content of an mbox, view or page load may stand there by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Lock
from typing import Any
from uuid import uuid4

from target import ApiError, OptionsError, TargetError
from target._background.clock import monotonic_s
from target.delivery.reply import Reply
from target.delivery.request import Attempted, Call
from target.emulator.answers import answer, known_tokens
from target.emulator.entries import Received
from target.emulator.journal import Journal
from target.emulator.offers import Offers, OffersError, parse_offers
from target.emulator.validation import find_problem

Wire = dict[str, Any]
#: What a fake may be told to fail with: an error, its class, or a status of the API.
Failure = TargetError | type[TargetError] | int | None

_QUERY = {"imsOrgId": "fake@AdobeOrg"}  # of which the answer says nothing
_PLACED = ("mboxes", "views")


class DeliveryService:
    """What answers. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._fail_with: Failure = None
        self.journal = Journal()
        self.use_offers(None)

    def use_offers(self, offers: Offers | Mapping[str, Any] | None) -> None:
        """Answer with these from now on. Raises OptionsError."""
        checked = read_offers(offers)
        with self._lock:
            self._offers, self._known = checked, known_tokens(checked)

    @property
    def fail_with(self) -> Failure:
        """What every call fails with; None where it is answered."""
        return self._fail_with

    @fail_with.setter
    def fail_with(self, failure: Failure) -> None:
        is_status = type(failure) is int and 300 <= failure <= 599
        is_class = isinstance(failure, type) and issubclass(failure, TargetError)
        if not (failure is None or is_status or is_class or isinstance(failure, TargetError)):
            raise OptionsError(
                "fail_with must be an error of target, such as TargetTimeout, its class, or a status from 300 to 599"
            )
        self._fail_with = failure

    def send(self, call: Call) -> Reply:
        """The answer to a call. Raises what it was told to fail with."""
        began_s = monotonic_s()
        body = json.loads(call.content)
        query = {**_QUERY, "sessionId": call.session_id}
        received = Received(query, {}, body, path="/rest/v1/delivery")
        try:
            status, said = self._answer(query, body, call)
            received.status = status
        finally:
            self.journal.add(received)
        if status < 300:
            for notification in body.get("notifications") or ():
                tokens = notification.get("tokens") or ()
                known = bool(tokens) and self._known[notification["type"]].issuperset(tokens)
                self.journal.add_notification(notification, session_id=call.session_id, known=known)
        content = json.dumps(said).encode()
        if call.record is not None:  # hooks are told of it as of any attempt
            call.record(Attempted(call, began_s, monotonic_s(), status, len(content), None))
        return Reply(status, "", content)

    def _answer(self, query: Mapping[str, str], body: Wire, call: Call) -> tuple[int, Wire]:
        failure = self._fail_with
        if isinstance(failure, int):
            return failure, {"status": failure, "message": "The fake was told to fail"}
        if failure is not None:
            raise error_of(failure)
        problem = find_problem(query, body)
        if problem is not None:
            return 400, {"status": 400, "message": problem}
        if body["context"].get("beacon"):
            return 204, {}
        return 200, answer(body, self._offers, session_id=call.session_id, request_id=str(uuid4()))


def error_of(failure: TargetError | type[TargetError]) -> TargetError:
    """The error to raise."""
    if isinstance(failure, TargetError):
        return failure.with_traceback(None)  # of an earlier call
    message = f"The fake was told to fail with {failure.__name__}"
    return failure(503, message) if issubclass(failure, ApiError) else failure(message)


def read_offers(offers: Offers | Mapping[str, Any] | None) -> Offers:
    """Offers of the emulator, given as they are, or with contents in the place of options. Raises OptionsError."""
    if isinstance(offers, Offers):
        return offers
    if not isinstance(offers, Mapping | None):
        raise OptionsError(
            f"offers must be a dict, such as {{'mboxes': {{'home': '<h1>Sale</h1>'}}}}, not {type(offers).__name__}"
        )
    try:
        return parse_offers(with_options(offers or {}))
    except OffersError as error:
        raise OptionsError(str(error)) from error


def with_options(offers: Mapping[str, Any]) -> Wire:
    """The same where what stands for itself became a list with one option: text is HTML, None the default content, and
    a dict without the keys of a placement a JSON offer."""
    found = dict(offers)
    for key in _PLACED:
        if isinstance(found.get(key), Mapping):
            found[key] = {name: _placement(content) for name, content in found[key].items()}
    if "pageLoad" in found:
        found["pageLoad"] = _placement(found["pageLoad"])
    return found


def _placement(content: Any) -> Any:
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "html", "content": content}]
    if isinstance(content, Mapping) and not ({"options", "metrics"} & content.keys()):
        return [{"type": "json", "content": dict(content)}]
    return content


class InProcess:
    """Carries the calls of a client to a service in this process."""

    kind = "answered in this process"

    def __init__(self, service: DeliveryService) -> None:
        self.service = service

    def send(self, call: Call, *_: object) -> Reply:
        """The answer to a call."""
        return self.service.send(call)

    send_aside = send

    def connections(self) -> dict[str, int]:
        """None was made."""
        return {"idle": 0, "made": 0}

    def close(self) -> None:
        """Nothing is open."""


class InProcessOfLoop:
    """The same for an event loop."""

    kind = InProcess.kind

    def __init__(self, service: DeliveryService) -> None:
        self.service = service

    async def send(self, call: Call, *_: object) -> Reply:
        """The answer to a call."""
        return self.service.send(call)

    def connections(self) -> dict[str, int]:
        """None was made."""
        return {"idle": 0, "made": 0}

    async def close(self) -> None:
        """Nothing is open."""
