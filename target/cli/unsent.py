"""Owns what becomes of a call: it is shown as HTTP, or as a command of curl, in place of being sent."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import click
import urllib3

from target.cli.printing import print_json

_SHOWN = 4
#: Keys of what tells who somebody is, or lets somebody in.
_IDS = frozenset(
    {
        "authorizationToken",
        "blob",
        "eventToken",
        "id",
        "imsOrgId",
        "impressionId",
        "marketingCloudVisitorId",
        "requestId",
        "sessionId",
        "state",
        "supplementalDataId",
        "thirdPartyId",
        "tntId",
        "token",
        "tokens",
    }
)
_SHORTENED = frozenset({"x-request-id", "cookie", "authorization"})


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it would be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(eq=False)
class Unsent(urllib3.PoolManager):
    """A pool that keeps what it is to send, and answers that it was taken: no socket is opened.

    ``ca_certs`` and ``through`` (its proxy) are the options of a client that would send it.
    """

    requests: list[Request] = field(default_factory=list)
    ca_certs: str | None = None
    through: str | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = True, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """Keep the request."""
        del redirect
        body = options.get("body") or b""
        body = body if isinstance(body, bytes) else str(body).encode()
        self.requests.append(Request(method, url, dict(options.get("headers") or {}), body))
        return urllib3.HTTPResponse(io.BytesIO(b""), status=204, preload_content=False, request_method=method)


def show_request(request: Request) -> None:
    """Print a request; ids, organization and session only begin."""
    click.echo(f"{request.method} {_url(request)}")
    for name, value in request.headers.items():
        click.echo(f"{name}: {_header(name, value)}")
    click.echo("")
    print_json(_body(request))


def request_as_json(request: Request) -> dict[str, Any]:
    """The same for machines."""
    headers = {name: _header(name, value) for name, value in request.headers.items()}
    return {"method": request.method, "url": _url(request), "headers": headers, "body": _body(request)}


def show_curl(request: Request, pool: Unsent) -> None:
    """Print a command of curl that sends the request. It has all ids and tokens, and says so on standard error."""
    command = ["curl", "--request", request.method, request.url]
    for flag, value in (("--cacert", pool.ca_certs), ("--proxy", pool.through)):
        command += [flag, value] if value else []
    for name, value in request.headers.items():
        if name.lower() not in ("accept-encoding", "content-length"):
            command += ["--header", f"{name}: {value}"]
    command += ["--data-raw", request.body.decode()]
    click.echo(shlex.join(command))
    click.echo("This has the ids and tokens of the call in clear: mind where you paste it.", err=True)


def _url(request: Request) -> str:
    parts = urlsplit(request.url)
    query = urlencode([(name, _short(value) if name in _IDS else value) for name, value in parse_qsl(parts.query)])
    return urlunsplit(parts._replace(query=query))


def _header(name: str, value: str) -> str:
    return _short(value) if name.lower() in _SHORTENED else value


def _body(request: Request) -> Any:
    return _shortened(json.loads(request.body))


def _shortened(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _shortened(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item, key) for item in value]
    return _short(value) if key in _IDS and isinstance(value, str) else value


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."
