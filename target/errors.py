"""The error tree: everything this package raises on purpose is a TargetError.

TargetError
├── OptionsError (also ValueError)      what the caller passed cannot be sent
├── TransportError                      no usable answer: refused, DNS, TLS, reset, too large, not JSON
├── TargetTimeout (also TimeoutError)   the call's deadline passed
├── TargetUnavailable                   the circuit breaker is open: the host kept failing and is left alone
├── ArtifactNotReady                    on-device: there are no rules to decide from yet
├── ArtifactError                       on-device: the rules, or the packages that read them, cannot be used
├── CacheError                          log only: the file of artifact_cache cannot be used; decisions go on without it
├── ApiError                            the API answered with a status other than success
├── AttributeNotFound (also KeyError)   get_value() was asked for what the answer does not hold
├── BackgroundFull                      event only: more waited to be sent in the background than background_queue
├── OutboxFull                          queued notifications fill the outbox, and when_full is "raise"
└── ClientClosed                        the client was used after close()

Messages, ``args`` and the chain of causes never hold ids, cookies, tokens or parts of an answer; ``ApiError.body`` is
the answer as it came and may. A cause of another library is of its class, and without its words.
"""

from __future__ import annotations

import typing


class TargetError(Exception):
    """Base of every error of this package: ``except TargetError`` catches them all."""


class OptionsError(TargetError, ValueError):
    """An option, or the request in it, is missing, misspelt, of the wrong type or cannot be sent."""


class TransportError(TargetError):
    """No usable answer came back: refused, DNS, TLS, reset, too large, cut short, or not a JSON object."""


class TargetTimeout(TargetError, TimeoutError):
    """The deadline passed: ``timeout`` of the client, or the argument of ``AsyncResult.get``."""


class TargetUnavailable(TargetError):
    """The circuit breaker is open: the host failed ``breaker_failures`` times in a row and is left alone."""


class OutboxFull(TargetError):
    """The outbox has no room for what was queued; nothing of it is stored. See ``Outbox.max_pending``."""


class BackgroundFull(TargetError):
    """So much waits to be sent in the background that the oldest is given up: an event carries this, no call raises it.

    See ``background_queue``.
    """


class ArtifactNotReady(TargetError):
    """On-device decisioning has no rules yet: wait for them, or use the decisioning method hybrid meanwhile."""


class ArtifactError(TargetError):
    """The rules artifact cannot be used: it is no artifact, of a version that is not supported, or has too many values;
    or the extra ``on-device``, which reads it, is not installed.

    ``create`` raises it for the extra; in an event, ``artifact_download_failed``, it tells of a download.
    """


class CacheError(TargetError):
    """The file of ``artifact_cache`` holds nothing that can be used, or cannot be written: a log line quotes this."""


class ClientClosed(TargetError):
    """The client was closed; make a new one with ``TargetClient.create``."""


class ApiError(TargetError):
    """The API refused the request or failed.

    Attributes:
        status: HTTP status, e.g. 400, 413, 420, 503.
        message: What the API said about it, with the ids of this request taken out.
        request_id: ``requestId`` of the request, to name when asking Adobe's support.
        body: The answer's body as text, its first 64 KiB. It may repeat ids of the request: think before logging it.
    """

    def __init__(self, status: int, message: str, request_id: str | None = None, body: str = "") -> None:
        super().__init__(status, message)  # what a log or a debugger shows of any error
        self.status = status
        self.message = message
        self.request_id = request_id
        self.body = body

    def __str__(self) -> str:
        said = self.message if self.message.endswith((".", "!", "?")) else f"{self.message}."
        return f"Adobe Target answered {self.status}: {said} {_advice(self.status)}"

    def __repr__(self) -> str:
        return f"ApiError(status={self.status}, message={self.message!r})"

    def __reduce__(self) -> tuple[typing.Any, ...]:
        return type(self), (self.status, self.message, self.request_id, self.body), self.__dict__


class AttributeNotFound(TargetError, KeyError):
    """``AttributesProvider.get_value`` was asked for an mbox or a key that the answer does not hold."""

    def __init__(self, message: str) -> None:
        super().__init__(message)

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the quoted repr


_ADVICE = {
    400: "Mend the request as the message says; the same request will fail again.",
    401: "Check the client code, the organization id and the host.",
    403: "Check the client code, the organization id and the host.",
    404: "Check server_domain: this host does not serve the Delivery API.",
    413: "Send less in one request: fewer mboxes, parameters or notifications.",
    420: "Too many calls ran at once for one session; send one visitor's calls one after another.",
    429: "Slow down, then try again.",
}


def _advice(status: int) -> str:
    if status in _ADVICE:
        return _ADVICE[status]
    if 300 <= status < 400:
        return "Redirects are not followed; check server_domain and secure."
    if status >= 500:
        return "The service failed; try again later, with more retries or a fallback."
    return "The same request will fail again."
