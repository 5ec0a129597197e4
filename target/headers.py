"""Reads what a visitor's HTTP headers say into the request's context: client hints, addresses, user agent.

``Context.from_headers`` and ``ClientHints.from_headers`` are these functions (see ``target.__init__``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from target.errors import OptionsError
from target_delivery_api.models import Address, ClientHints, Context, Geo

#: A WSGI environ, the header list of an ASGI scope, or any mapping of names to values.
Headers = Mapping[str, Any] | Iterable[tuple[bytes | str, bytes | str]]

_MAX_URL = 4096
_STRING_ITEM = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_TOKEN_ITEM = re.compile(r"[A-Za-z0-9!#$&'*+.^_`|~:/-]+")
# A list of brands: each a string with parameters, e.g. "Chromium";v="120", "Not_A Brand";v="8"
_BRAND = r'"(?:[^"\\]|\\["\\])*"(?:\s*;\s*[a-z*][a-z0-9_.*-]*=(?:"(?:[^"\\]|\\["\\])*"|[A-Za-z0-9.]+))*'
_BRAND_LIST = re.compile(rf"\s*{_BRAND}(?:\s*,\s*{_BRAND})*\s*")
_MAX_HINT = 1024


def client_hints_from_headers(headers: Headers) -> ClientHints:
    """The ``Sec-CH-UA`` headers a browser sent. A header that is absent or malformed leaves its field unset.

    Args:
        headers: A WSGI environ, the header list of an ASGI scope, or any mapping; names in any case.

    Raises:
        OptionsError: ``headers`` is none of these.
    """
    return _client_hints(_normalize(headers))


def context_from_headers(
    headers: Headers,
    url: str | None = None,
    client_address: str | None = None,
    trusted_proxies: int | Sequence[str] = 0,
) -> Context:
    """The context of a request for a web page: user agent, client hints, address and referrer, and the visitor's IP.

    Args:
        headers: A WSGI environ, the header list of an ASGI scope, or any mapping; names in any case.
        url: URL of the page.
        client_address: IP address of the peer that connected to your server; a WSGI environ names it itself.
        trusted_proxies: Your proxies in front of the server: how many there are, or their networks in CIDR notation.
            X-Forwarded-For is believed only as far as they wrote it. A count holds only where nothing can reach the
            server past the proxies; networks hold everywhere.

    Raises:
        OptionsError: ``headers`` or ``trusted_proxies`` cannot be read.
    """
    from target.addresses import visitor_address  # needs ipaddress, which is slow to import

    named = _normalize(headers)
    hints = _client_hints(named)
    referrer = named.get("referer")
    address = visitor_address(client_address or named.get(_PEER), named.get("x-forwarded-for"), trusted_proxies)
    return Context(
        channel="web",
        user_agent=named.get("user-agent") or None,
        client_hints=hints if hints.to_dict() else None,
        address=Address(url=url and url[:_MAX_URL], referring_url=referrer and referrer[:_MAX_URL])
        if url or referrer
        else None,
        geo=Geo(ip_address=address) if address else None,
    )


_PEER = ":peer"  # no header name can hold a colon


def _normalize(headers: Headers) -> dict[str, str]:
    """Headers as text by lower-case name; a header that came in several lines is one list."""
    if isinstance(headers, Mapping):
        pairs: Iterable[Any] = headers.items()
        if any(isinstance(name, str) and name.startswith("HTTP_") for name in headers) or "wsgi.version" in headers:
            return _from_environ(headers)
    elif isinstance(headers, str | bytes) or not hasattr(headers, "__iter__"):
        raise OptionsError(f"headers must be a mapping or a list of pairs, not {type(headers).__name__}")
    else:
        pairs = headers
    named: dict[str, str] = {}
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise OptionsError("headers must hold pairs of name and value")
        name, value = _text(pair[0]).lower(), _text(pair[1])
        named[name] = f"{named[name]}, {value}" if name in named else value
    return named


def _from_environ(environ: Mapping[str, Any]) -> dict[str, str]:
    named = {
        name[5:].replace("_", "-").lower(): _text(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    if isinstance(environ.get("REMOTE_ADDR"), str):
        named[_PEER] = environ["REMOTE_ADDR"]
    return named


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _client_hints(named: Mapping[str, str]) -> ClientHints:
    mobile = named.get("sec-ch-ua-mobile", "").strip()
    return ClientHints(
        mobile={"?1": True, "?0": False}.get(mobile),
        model=_item(named.get("sec-ch-ua-model")),
        platform=_item(named.get("sec-ch-ua-platform")),
        platform_version=_item(named.get("sec-ch-ua-platform-version")),
        browser_ua_with_major_version=_brands(named.get("sec-ch-ua")),
        browser_ua_with_full_version=_brands(named.get("sec-ch-ua-full-version-list")),
        architecture=_item(named.get("sec-ch-ua-arch")),
        bitness=_item(named.get("sec-ch-ua-bitness")),
    )


def _item(value: str | None) -> str | None:
    """The text of a structured field that holds one string (RFC 8941); a bare token is taken as well."""
    text = (value or "").strip()[:_MAX_HINT]
    quoted = _STRING_ITEM.fullmatch(text)
    if quoted:
        return re.sub(r'\\(["\\])', r"\1", quoted[1]) or None
    return text if _TOKEN_ITEM.fullmatch(text) else None


def _brands(value: str | None) -> str | None:
    """A list of brands as it was sent, if it is one: the API takes the header's own form."""
    text = (value or "").strip()
    return text if 0 < len(text) <= _MAX_HINT and _BRAND_LIST.fullmatch(text) else None
