"""Owns what a URL of a Redis may be, and what its keys may begin with."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import unquote

from target import OptionsError

_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_SHAPE = re.compile(r"(?P<scheme>[a-z+]+)://(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]*)(?P<rest>[/?][^#]*)?")
_SENTINEL_PORT, _PORT = 26379, 6379
_ADVICE = (
    "must be a URL such as redis://127.0.0.1:6379/0, rediss://USER:PASSWORD@HOST:6379, unix:///PATH, "
    "redis+sentinel://HOST:26379,HOST:26379/SERVICE/0 or redis+cluster://HOST:6379"
)


class Url(NamedTuple):
    """Where a Redis is."""

    kind: str  # "", "sentinel" or "cluster"
    is_tls: bool
    hosts: tuple[tuple[str, int], ...]
    service: str
    plain: str  # a URL as redis-py takes it
    shown: str  # without user and password


def parse_prefix(prefix: object) -> str:
    """What keys begin with. Raises OptionsError."""
    if not isinstance(prefix, str) or not re.fullmatch(r"[!-z|~]{1,100}", prefix):
        raise OptionsError("Option 'prefix' must be 1 to 100 printable characters of ASCII, without blanks, { and }")
    return prefix


def parse_url(url: object) -> Url:
    """A URL of a Redis, read. Raises OptionsError, which shows nothing of it."""
    found = _SHAPE.fullmatch(url) if isinstance(url, str) and url.isprintable() else None
    if found is None or found["scheme"] not in _SCHEMES:
        raise OptionsError(f"Option 'url' {_ADVICE}")
    scheme, _, kind = found["scheme"].partition("+")
    user, rest = found["user"], found["rest"] or ""
    path, _, query = rest.partition("?")
    secret = "" if user is None else f"{user}@"
    if scheme == "unix":
        return _checked(Url("", False, (), "", f"unix://{secret}{found['hosts']}{rest}", f"unix://{path}"))
    hosts = tuple(_host(text, _SENTINEL_PORT if kind == "sentinel" else _PORT) for text in found["hosts"].split(","))
    if len(hosts) > 1 and kind != "sentinel":
        raise OptionsError("Option 'url' may name several hosts only where it begins with redis+sentinel://")
    service, database = "", path.strip("/")
    if kind == "sentinel":
        service, _, database = database.partition("/")
        if not service:
            raise OptionsError(
                "Option 'url' must name the service that the Sentinels watch: redis+sentinel://HOST/SERVICE"
            )
    if not re.fullmatch(r"\d{0,4}", database):
        raise OptionsError("Option 'url' must end with the number of a database, such as /0")
    shown = ",".join(f"{host}:{port}" for host, port in hosts)
    place = "/".join(part for part in (shown, service, database) if part)
    host, port = hosts[0]
    named = f"[{host}]" if ":" in host else host
    plain = f"{scheme}://{secret}{named}:{port}/{database}{'?' + query if query else ''}"
    return _checked(Url(kind, scheme == "rediss", hosts, unquote(service), plain, f"{found['scheme']}://{place}"))


def _host(text: str, port: int) -> tuple[str, int]:
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*))(?::(\d{1,5}))?", text)
    if found is None or not 0 < int(found[3] or port) < 65536:
        raise OptionsError(f"Option 'url' {_ADVICE}")
    return found[1] or unquote(found[2]) or "localhost", int(found[3] or port)


def _checked(url: Url) -> Url:
    """What redis-py says of the rest of a URL, before anything is connected."""
    try:
        from redis import connection
    except ImportError:
        raise OptionsError("Redis needs a package: pip install 'target-delivery[redis]'") from None
    options_of: Any = connection.parse_url
    try:
        options_of(url.plain)
        return url
    except Exception as error:  # noqa: BLE001 - whatever it is, the URL is wrong; its words may hold a password
        why = type(error).__name__
    raise OptionsError(f"Option 'url' has parameters that redis-py does not take ({why})")
