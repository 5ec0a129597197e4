"""The table of faults: what a server does wrong, and what a caller then gets, however the call is made."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from target.errors import ApiError, TargetError, TargetTimeout, TransportError
from tests.faults.behaviours import (
    BAD_SUM,
    CHUNKS,
    CUT_GZIP,
    DRIPS_TLS,
    FORGED,
    HALF,
    HEAD,
    LATIN,
    NO_SUM,
    answer,
    bomb,
    bomb_in_bomb,
    close,
    drips,
    floods,
    hello_then,
    html,
    in_pieces,
    late,
    reads_slowly,
    redirects,
    reset_late,
    sends,
    wait,
)
from tests.kit.raw_servers import GOOD_ANSWER, GOOD_BODY, Behaviour, hang, reset


class Stage(Enum):
    """When the server begins to misbehave."""

    LISTENING = "Connecting"
    ACCEPTED = "TLS"
    SENDING = "Sending the request"
    HEAD = "Status and headers"
    BODY = "The body"
    STATUS = "A complete answer that says no, or makes no sense"


class Fault(NamedTuple):
    """One row.

    ``attempts`` are those that a client with ``retries`` 1 makes. ``kept`` is whether it uses the connection again,
    which is right after an answer that came to its end, and nowhere else; None where it may, and need not. ``error`` is
    None where the call succeeds. Times are seconds: ``rest_s`` between the call and the next, ``least_s`` what the call
    itself takes at least. ``timeout_ms`` is the client's deadline: with TargetTimeout a short one, which has to pass;
    with all else one that a machine which stalls for a moment does not reach. What keeps the client ``busy``, or is
    ``large``, is measured alone, in no other's way.
    """

    stage: Stage
    name: str
    does: Behaviour
    error: type[TargetError] | None
    status: int | None = None
    attempts: int = 1
    kept: bool | None = False
    secure: bool = False
    certificate: str = "good"
    large: bool = False
    busy: bool = False
    timeout_ms: int = 5000
    rest_s: float = 0.0
    least_s: float = 0.0


def at(stage: Stage, *faults: Fault) -> list[Fault]:
    """These rows, all of that stage."""
    return [fault._replace(stage=stage) for fault in faults]


def refuse(_: object) -> None:
    """Not to listen."""


def never_accept(_: object) -> None:
    """To listen with a full queue."""


def broken(name: str, does: Behaviour, attempts: int = 1, **more: object) -> Fault:
    """No usable answer; the connection goes."""
    return Fault(Stage.BODY, name, does, TransportError, attempts=attempts, **more)  # type: ignore[arg-type]


def slow(name: str, does: Behaviour, **more: object) -> Fault:
    """The deadline passes; the connection goes."""
    return Fault(Stage.BODY, name, does, TargetTimeout, timeout_ms=800, **more)  # type: ignore[arg-type]


def nonsense(name: str, does: Behaviour, kept: bool | None = True) -> Fault:
    """No usable answer, on a connection that is as good as before."""
    return Fault(Stage.BODY, name, does, TransportError, kept=kept)


def says_no(name: str, does: Behaviour, status: int, attempts: int = 1, **more: object) -> Fault:
    """An answer of the API, or of what stands before it."""
    return Fault(Stage.BODY, name, does, ApiError, status, attempts, kept=True, **more)  # type: ignore[arg-type]


def fine(name: str, does: Behaviour, kept: bool | None = True, rest_s: float = 0.0) -> Fault:
    """Odd, and no fault."""
    return Fault(Stage.BODY, name, does, None, kept=kept, rest_s=rest_s)


MANY = b"".join(b"X-Header-%d: 1\r\n" % number for number in range(200))
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

ROWS: list[Fault] = [
    *at(
        Stage.LISTENING,
        broken("refuses the connection", refuse, attempts=2),
        slow("never accepts", never_accept),
        broken("resets on accept", reset, attempts=2),
        broken("closes on accept", close, attempts=2),
    ),
    *at(
        Stage.ACCEPTED,
        slow("hangs in the handshake", hang, secure=True),
        slow("drips the handshake", DRIPS_TLS, secure=True),
        broken("resets in the handshake", hello_then(reset), attempts=2, secure=True),
        broken("closes in the handshake", hello_then(close), attempts=2, secure=True),
        broken("answers without TLS", hello_then(sends(GOOD_ANSWER, hang)), secure=True),
        broken("a certificate for another host", wait, secure=True, certificate="wrong host"),
        broken("a self-signed certificate", wait, secure=True, certificate="self-signed"),
        broken("an expired certificate", wait, secure=True, certificate="expired"),
        broken("a certificate of an unknown authority", wait, secure=True, certificate="unknown"),
    ),
    *at(
        Stage.SENDING,
        broken("resets while the request is sent", reset_late, attempts=2, large=True),
        slow("reads the request too slowly", reads_slowly, large=True),
    ),
    *at(
        Stage.HEAD,
        slow("hangs", wait),
        broken("resets without an answer", reset, attempts=2),
        broken("closes without an answer", close, attempts=2),
        broken("resets in the status line", sends(b"HTTP/1.1 2", reset_late)),
        broken("closes in the status line", sends(b"HTTP/1.1 2", close)),
        slow("hangs in the status line", sends(b"HTTP/1.1 2")),
        slow("drips the status line", drips(b"O" * 100, after=b"HTTP/1.1 200 ")),
        broken("resets in the headers", sends(HEAD, reset_late)),
        broken("closes in the headers", sends(HEAD, close)),
        slow("hangs in the headers", sends(HEAD)),
        slow("drips headers", drips(b"X-Slow: 1\r\n", after=HEAD)),
        broken("200 headers", answer(GOOD_BODY, MANY.decode())),
        fine("a header of 20 kB", answer(GOOD_BODY, "X-Long: " + "a" * 20_000), kept=None),
        broken("a header of 70 kB", answer(GOOD_BODY, "X-Long: " + "a" * 70_000)),
        broken("a header without end", sends(HEAD + b"X-Long: " + b"a" * 200_000)),
        broken("a status line without end", sends(b"HTTP/1.1 200 " + b"a" * 200_000)),
        broken("a header without a colon", answer(GOOD_BODY, "no colon")),
        broken("another protocol", sends(b"SSH-2.0-OpenSSH_9.0\r\n")),
        broken("a status that is no number", sends(b"HTTP/1.1 abc OK\r\n\r\n")),
        fine("an answer in three pieces", in_pieces(GOOD_ANSWER, 20, 45)),
        fine("100 Continue, then an answer", sends(CONTINUE, late(sends(GOOD_ANSWER))), kept=None),
        fine("100 Continue and an answer at once", sends(CONTINUE + GOOD_ANSWER), kept=None),
        fine("103 Early Hints, then an answer", sends(EARLY, late(sends(GOOD_ANSWER))), kept=None),
        fine("103 Early Hints and an answer at once", sends(EARLY + GOOD_ANSWER), kept=None),
        broken("100 Continue, then closes", sends(CONTINUE, close)),
        slow("100 Continue, then hangs", sends(CONTINUE)),
        slow("103 Early Hints, then hangs", sends(EARLY)),
        broken("101 Switching Protocols", sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: tls\r\n\r\n")),
        slow("drips 100 Continue", drips(CONTINUE)),
        slow("floods 100 Continue", floods(CONTINUE), busy=True),
    ),
    *at(
        Stage.BODY,
        broken("resets after the headers", sends(HEAD + b"Content-Length: 37\r\n\r\n", reset_late)),
        slow("hangs after the headers", sends(HEAD + b"Content-Length: 37\r\n\r\n")),
        broken("resets in the body", answer(HALF, length=len(GOOD_BODY), then=reset_late)),
        broken("closes in the body", answer(HALF, length=len(GOOD_BODY), then=close)),
        slow("hangs in the body", answer(HALF, length=len(GOOD_BODY))),
        slow("drips the body", drips(b" ", after=HEAD + b"Content-Length: 1000\r\n\r\n")),
        slow("drips a body without length", drips(b" ", after=HEAD + b"\r\n")),
        slow("drips chunks", drips(b"1\r\n \r\n", after=CHUNKS)),
        broken("resets in a chunk", sends(CHUNKS + b"ff\r\n{", reset_late)),
        broken("closes in a chunk", sends(CHUNKS + b"ff\r\n{", close)),
        broken("closes before the last chunk", sends(CHUNKS + b"2\r\n{}\r\n", close)),
        broken("a chunk size that is no number", sends(CHUNKS + b"zz\r\n{}\r\n0\r\n\r\n")),
        slow("says more bytes than it sends", answer(GOOD_BODY, length=len(GOOD_BODY) + 1)),
        broken("says more bytes than it sends, then closes", answer(GOOD_BODY, length=len(GOOD_BODY) + 1, then=close)),
        broken("says fewer bytes than it sends", answer(GOOD_BODY, length=len(GOOD_BODY) - 1)),
        broken("a length that is no number", sends(HEAD + b"Content-Length: many\r\n\r\n" + GOOD_BODY, close)),
        broken("a negative length", sends(HEAD + b"Content-Length: -1\r\n\r\n" + GOOD_BODY, close)),
        broken("two lengths", answer(GOOD_BODY, "Content-Length: 5")),
        broken("the same length twice", answer(GOOD_BODY, f"Content-Length: {len(GOOD_BODY)}")),
        broken("a length with a sign", sends(HEAD + b"Content-Length: +37\r\n\r\n" + GOOD_BODY, close)),
        broken("a length with an underscore", sends(HEAD + b"Content-Length: 3_7\r\n\r\n" + GOOD_BODY, close)),
        broken("a list of lengths", sends(HEAD + b"Content-Length: 37, 37\r\n\r\n" + GOOD_BODY, close)),
        broken("a length, and chunks", answer(b"2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked", length=2)),
        fine("a second answer nobody asked for", sends(GOOD_ANSWER + FORGED), kept=False),
        fine("the same, later", sends(GOOD_ANSWER, late(sends(FORGED))), kept=False, rest_s=0.1),
        broken("says 10 TB", answer(b"{", length=10**13)),
        broken("a body without end", sends(HEAD + b"\r\n", floods(b" " * 1000))),
        broken("chunks without end", sends(CHUNKS, floods(b"3e8\r\n%s\r\n" % (b" " * 1000)))),
        broken("a gzip bomb", bomb, kept=None),
        broken("a gzip bomb in a gzip bomb", bomb_in_bomb, kept=None),
        nonsense("no gzip, as it says", answer(GOOD_BODY, "Content-Encoding: gzip"), kept=None),
        nonsense("gzip cut short", answer(CUT_GZIP, "Content-Encoding: gzip"), kept=None),
        nonsense("gzip without its checksum", answer(NO_SUM, "Content-Encoding: gzip"), kept=None),
        nonsense("gzip with a wrong checksum", answer(BAD_SUM, "Content-Encoding: gzip"), kept=None),
    ),
    *at(
        Stage.STATUS,
        nonsense("another charset than UTF-8", answer(LATIN, kind="application/json; charset=iso-8859-1")),
        nonsense("nothing", answer(b"")),
        nonsense("half of the JSON", answer(HALF)),
        nonsense("a list", answer(b"[]")),
        nonsense("an HTML page with 200", html("200 OK")),
        says_no("an HTML page with 500", html("500 Internal Server Error"), 500),
        says_no("an HTML page with 502", html("502 Bad Gateway"), 502, attempts=2),
        says_no("an HTML page with 503", html("503 Service Unavailable"), 503, attempts=2),
        says_no("301", redirects("301 Moved Permanently"), 301),
        says_no("302", redirects("302 Found"), 302),
        says_no("303", redirects("303 See Other"), 303),
        says_no("307", redirects("307 Temporary Redirect"), 307),
        says_no("308", redirects("308 Permanent Redirect"), 308),
        says_no("400", answer(b'{"message":"no"}', status="400 Bad Request"), 400),
        says_no("420 with Retry-After: 0", html("420 Enhance Your Calm", "Retry-After: 0"), 420),
        says_no("429", html("429 Too Many Requests"), 429, attempts=2),
        says_no(
            "429 with Retry-After: 1, within the deadline",
            html("429 Too Many Requests", "Retry-After: 1"),
            429,
            attempts=2,
            least_s=1.0,
        ),
        says_no(
            "429 with Retry-After: 1, past the deadline", html("429 Slow Down", "Retry-After: 1"), 429, timeout_ms=900
        ),
        says_no("503 with Retry-After: 86400", html("503 Away", "Retry-After: 86400"), 503),
    ),
]
BY_NAME = {fault.name: fault for fault in ROWS}
