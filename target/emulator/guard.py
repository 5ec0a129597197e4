"""Owns who may use the control API: programs, and pages of the emulator itself, but no other page in a browser.

A page from anywhere can make a browser send requests to this machine, and by a name that leads here (DNS rebinding)
even read the answers.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

try:
    from starlette.requests import Request
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing


def refusal(request: Request, hosts: Collection[str] = ()) -> str | None:
    """Why this request may not use the control API, None where it may.

    `hosts` are names that the emulator goes by, besides those of this machine to itself and the address that the
    request came to.
    """
    return host_refusal(request, hosts) or _origin_refusal(request)


def host_refusal(request: Request, hosts: Collection[str] = ()) -> str | None:
    """Why a request under this name is not for the emulator, None where it is; see `refusal`."""
    name = _name_of(f"//{request.headers.get('host', '')}")
    server = request.scope.get("server")
    own = {one.lower() for one in hosts} | ({str(server[0]).lower()} if server else set())
    if name and (name in own or is_loopback(name)):
        return None
    return (
        "The control API answers to the emulator's own names alone, and the Host header has another: use "
        "localhost, or start the emulator with --allow-host NAME"
    )


def is_followed_link(request: Request) -> bool:
    """Whether somebody has clicked a link on a page from elsewhere, which can neither read what comes nor frame it."""
    wanted = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    sent = {name: request.headers.get(name) for name in wanted}
    return request.method == "GET" and sent == wanted and "origin" not in request.headers


def _origin_refusal(request: Request) -> str | None:
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    is_own = origin is None or origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())
    if not is_own or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "The control API is not for pages of other origins: call it from a program"
    return None


def _name_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Whether a host is this machine to itself."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
