"""Options of a Site, as callers write them and as the code reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

from target.addresses import parse_trusted
from target.config import ALL_CLIENT_OPTIONS
from target.errors import OptionsError
from target.foreign import exact_dict, is_a, kind_of
from target.option_rows import option, read_rows, rows_of
from target.values import (
    parse_at_least,
    parse_callback,
    parse_flag,
    parse_keys,
    parse_milliseconds,
    parse_string,
    reject_unknown,
)

_SAME_SITE = ("Lax", "Strict", "None")
_PATH = re.compile(r"/[!-:<-~]{0,255}")  # no space, no semicolon
_COOKIE_DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,20}")


class SiteOptions(TypedDict, total=False):
    """How a site meets its visitors: options of ``Site`` and of the integrations, beside those of the client."""

    trusted_proxies: int | Sequence[str]
    """Your proxies in front of the server: how many there are, or their networks in CIDR notation. X-Forwarded-For is
    believed only as far as they wrote it. Default 0: the address is the peer's."""
    experience_cloud: bool
    """Whether the site uses Adobe's ID service: the visitor's ``AMCV_`` cookie is read, and the calls of one request
    share an Analytics hit. Default False."""
    qa_mode: bool
    """Whether preview links are followed, and kept in a cookie while the tester navigates. Default True."""
    consent: Callable[[Any], bool] | None
    """Called with the framework's request, once for each that asks for anything. False: no cookie is read or set, no id
    and no IP address is sent, and the session ends with the request. Default None: everybody consents."""
    cookie_domain: str | None
    """Domain of the cookies, such as ``"example.com"``, so that all its hosts share a visitor. Default: the host's."""
    cookie_path: str
    """Path of the cookies. Default ``"/"``."""
    cookie_same_site: Literal["Lax", "Strict", "None"]
    """SameSite of the cookies. Default ``"Lax"``."""
    cookie_secure: bool | None
    """Whether the cookies are Secure. Default None: where the request came over HTTPS."""
    handle_key: str | Sequence[str] | None
    """A secret of at least 16 characters that signs the handles by which a browser tells what it showed, the same in
    every process; of several, the last one signs, and the others are still read. Default None: there are no handles."""
    handle_lifetime: float
    """Milliseconds for which a handle is taken. Default 86400000, a day."""
    most_handles: int
    """Handles that one request of a browser may name. Default 50."""


def _parse_trusted(_: str, value: Any) -> int | Sequence[Any]:
    return parse_trusted(value)


def _parse_cookie_domain(name: str, value: object) -> str | None:
    text = parse_string(name, value).removeprefix(".")
    if text and not _COOKIE_DOMAIN.fullmatch(text):
        raise OptionsError(f"Option {name!r} must be a domain such as 'example.com', without scheme, port and path")
    return text or None


def _parse_path(name: str, value: object) -> str:
    path = parse_string(name, value)
    if not _PATH.fullmatch(path):
        raise OptionsError(f"Option {name!r} must be a path such as '/', without spaces and semicolons")
    return path


def _parse_same_site(name: str, value: object) -> str:
    if value not in _SAME_SITE:
        raise OptionsError(f"Option {name!r} must be one of {', '.join(map(repr, _SAME_SITE))}")
    return str(value)


class SiteConfig(NamedTuple):
    """Options of one site, validated; each row is one option of ``SiteOptions``."""

    trusted_proxies: int | Sequence[Any] = option(_parse_trusted, 0)  # type: ignore[assignment]
    experience_cloud: bool = option(parse_flag, False)
    qa_mode: bool = option(parse_flag, True)
    consent: Callable[[Any], object] | None = option(parse_callback, None)
    cookie_domain: str | None = option(_parse_cookie_domain, None)
    cookie_path: str = option(_parse_path, "/")
    cookie_same_site: str = option(_parse_same_site, "Lax")
    cookie_secure: bool | None = option(parse_flag, None)
    handle_key: tuple[str, ...] | None = option(parse_keys, None)
    handle_lifetime_s: float = option(parse_milliseconds, 86_400_000)
    most_handles: int = option(parse_at_least(1, 1000), 50)


_ROWS = rows_of(SiteConfig)


def parse_site_options(options: Mapping[str, Any]) -> SiteConfig:
    """Validate what a Site was given. Raises OptionsError."""
    if not is_a(options, Mapping):
        raise OptionsError(f"Options of a site must be a dict, not {kind_of(options)}")
    options = exact_dict(options, "Options")
    reject_unknown(options, _ROWS)
    values = read_rows(options, _ROWS)
    return SiteConfig(**values | {"handle_lifetime_s": values.pop("handle_lifetime") / 1000})


def split_options(options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What of ``options`` is the client's, and what is the site's.

    Raises:
        OptionsError: One is neither; the nearest one is named.
    """
    if not is_a(options, Mapping):
        raise OptionsError(f"Options must be a dict, not {kind_of(options)}")
    options = exact_dict(options, "Options")
    reject_unknown(options, ALL_CLIENT_OPTIONS | _ROWS)
    ours = {name: value for name, value in options.items() if name in _ROWS}
    return {name: value for name, value in options.items() if name not in _ROWS}, ours
