"""What this package touches of libraries that their documentation does not promise: the one list, for whoever upgrades.

Nothing imports it. A test holds the code against it, both ways, and each name against the installed library; `make
lowest`, `make test` and `make newest` try the versions of ``TRIED_ON``.
"""

from __future__ import annotations

from typing import NamedTuple


class Internal(NamedTuple):
    """One name of a library.

    Attributes:
        library: What has it.
        name: The class, or module, and its attribute.
        where: The modules that touch it: of this folder by their names in it, others by their whole names.
        why: What there is no documented way to.
    """

    library: str
    name: str
    where: tuple[str, ...]
    why: str


#: The lowest and the highest version of each that the tests have passed with.
TRIED_ON = {
    "email.message": ("CPython 3.11.7", "CPython 3.13.0"),
    "http.client": ("CPython 3.11.7", "CPython 3.13.0"),
    "logging": ("CPython 3.11.7", "CPython 3.13.0"),
    "opentelemetry": ("1.39.0", "1.45.1"),
    "queue": ("CPython 3.11.7", "CPython 3.13.0"),
    "urllib3": ("2.6.0", "2.8.0"),
    "aiohttp": ("3.11.0", "3.14.5"),
}

INTERNALS = (
    Internal(
        "urllib3",
        "connection.HTTPConnection._new_conn",
        ("connect",),
        "connecting within a deadline: urllib3 gives each address of a host all of its timeout, and each lookup more",
    ),
    Internal(
        "urllib3",
        "connection.HTTPConnection._dns_host",
        ("connect",),
        "the name to look up, with the dot at its end that the public one lacks",
    ),
    Internal(
        "urllib3",
        "response.HTTPResponse._fp",
        ("reading",),
        "what a body is read from: urllib3's own read takes several times as long, whether or not anything is packed",
    ),
    Internal(
        "urllib3",
        "response.HTTPResponse._error_catcher",
        ("reading",),
        "the errors that urllib3 makes of what such a read raises",
    ),
    Internal(
        "http.client",
        "HTTPResponse._read_status",
        ("reading",),
        "statuses of 102 to 199, which http.client takes for the answer itself",
    ),
    Internal(
        "http.client",
        "HTTPResponse._close_conn",
        ("reading",),
        "the moment in which all of an answer has been read, and whether more has come",
    ),
    Internal(
        "http.client",
        "HTTPConnection._output",
        ("exchange",),
        "headers that are written as one piece",
    ),
    Internal(
        "email.message",
        "Message._headers",
        ("heads",),
        "headers that are text as it came, given and handed on without asking a policy about each",
    ),
    Internal(
        "queue",
        "LifoQueue.__init__",
        ("pools",),
        "the queue of a caller's pool, made as at first in a forked child, in place: its locks may be held",
    ),
    Internal(
        "logging",
        "LoggerAdapter._log",
        ("target.loggers",),
        "what an adapter around an adapter calls, past the method that gives each line its fields",
    ),
    Internal(
        "opentelemetry",
        "context._SUPPRESS_HTTP_INSTRUMENTATION_KEY",
        ("target.integrations.opentelemetry._spans",),
        "the key by which instrumentations of HTTP libraries know that a request has a span already",
    ),
    Internal(
        "aiohttp",
        "client_proto.ResponseHandler",
        ("aio.connection",),
        "what stands between aiohttp and a socket: bytes that belong to no answer must not become one. Its methods "
        "set_response_params, set_exception, is_connected and should_close are overridden",
    ),
    Internal(
        "aiohttp",
        "client_proto.ResponseHandler._payload",
        ("aio.connection",),
        "whether the last chunk of an answer has been read",
    ),
    Internal(
        "aiohttp",
        "base_protocol.BaseProtocol._drain_waiter",
        ("aio.connection",),
        "an error that a cancelled writer never asks for, and that the event loop would complain of",
    ),
    Internal(
        "aiohttp",
        "connector.BaseConnector._factory",
        ("aio.connection",),
        "the class of connections, which there is no other way to name",
    ),
)
