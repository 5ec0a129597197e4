"""Reads what a visitor's HTTP headers say into the request's context: client hints, addresses, user agent.

``Context.from_headers`` and ``ClientHints.from_headers`` are these functions (see ``target.__init__``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from target.errors import OptionsError
from target.foreign import UNREADABLE, exact_text, is_text, items_of, kind_of
from target.values import parse_string
from target_delivery_api.models import Address, ClientHints, Context, Geo

#: A WSGI environ, the header list of an ASGI scope, or any mapping of names to values.
Headers = Mapping[str, Any] | Iterable[tuple[bytes | str, bytes | str]]

_LONGEST_TEXT = 4096
_MOST_HEADERS = 1_000_000
_LONGEST_HINT = 1024
_HINTS = ("", "-mobile", "-model", "-platform", "-platform-version", "-full-version-list", "-arch", "-bitness")
_NAMES = frozenset({"user-agent", "referer", "x-forwarded-for", *(f"sec-ch-ua{hint}" for hint in _HINTS)})
# Structured fields (RFC 8941): a string, and parameters such as ;v="120", which are optional.
_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_PARAMETERS = rf"(?:[ \t]*;[ \t]*[a-z*][a-z0-9_.*-]*(?:=(?:{_STRING}|[A-Za-z0-9*?:/.+-]+))?)*"
# Texts, which the first that is read compiles: that takes a millisecond, and most who name a Context read none.
_STRING_ITEM = rf"({_STRING}){_PARAMETERS}"
_BRAND_LIST = rf"{_STRING}{_PARAMETERS}(?:[ \t]*,[ \t]*{_STRING}{_PARAMETERS})*"
_TOKEN_ITEM = re.compile(r"[A-Za-z0-9!#$&'*+.^_`|~:/-]+")
_ENVIRON_NAME = re.compile(r"[A-Z][A-Z0-9_]*|[a-z_]+\.[A-Za-z_.]+")


def client_hints_from_headers(headers: Headers) -> ClientHints:
    """The ``Sec-CH-UA`` headers a browser sent. A header that is absent or malformed leaves its field unset.

    Args:
        headers: A WSGI environ, the header list of an ASGI scope, or any mapping; names in any case.

    Raises:
        OptionsError: ``headers`` is none of these.
    """
    named, _ = _read(headers)
    return _client_hints(named)


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
        client_address: IP address of the peer that connected to your server; a WSGI environ names it itself. Where it
            is not known, no address is, unless ``trusted_proxies`` is a count from 1 up.
        trusted_proxies: Your proxies in front of the server: how many there are, or their networks in CIDR notation.
            X-Forwarded-For is believed only as far as they wrote it. A count holds only where nothing can reach the
            server past the proxies; networks hold everywhere.

    Raises:
        OptionsError: An argument is of another type, or cannot be read.
    """
    from target.addresses import visitor_address  # needs ipaddress, which is slow to import

    named, peer = _read(headers)
    hints = _client_hints(named)
    page = _url_text(url)[:_LONGEST_TEXT]
    referrer = named.get("referer", "")[:_LONGEST_TEXT]
    given = None if client_address is None else parse_string("client_address", client_address)
    address = visitor_address(given or peer, named.get("x-forwarded-for"), trusted_proxies)
    return Context(
        channel="web",
        user_agent=named.get("user-agent", "")[:_LONGEST_TEXT] or None,
        client_hints=hints if hints.to_dict() else None,
        address=Address(url=page or None, referring_url=referrer or None) if page or referrer else None,
        geo=Geo(ip_address=address) if address else None,
    )


def _read(headers: Headers) -> tuple[dict[str, str], str | None]:
    """The headers that count, by lower-case name, and the peer's address where an environ names it.

    A header that came in several lines is one list. Raises OptionsError where they cannot be read.
    """
    try:
        return _read_plainly(headers)
    except OptionsError:
        raise
    except UNREADABLE as error:
        raised = type(error).__name__
    # Not in the except clause: the error would carry the other one, which may quote a header.
    raise OptionsError(f"headers cannot be read: they raised {raised}")


def _read_plainly(headers: Headers) -> tuple[dict[str, str], str | None]:
    pairs: Iterable[Any]
    peer = None
    if isinstance(headers, Mapping) and _is_environ(headers):
        pairs = [(name[5:].replace("_", "-"), value) for name, value in headers.items() if str(name)[:5] == "HTTP_"]
        peer = _text(headers.get("REMOTE_ADDR"))
    elif isinstance(headers, str | bytes) or not hasattr(headers, "__iter__"):
        raise OptionsError(f"headers must be a mapping or a list of pairs, not {kind_of(headers)}")
    else:
        pairs = headers.items() if hasattr(headers, "items") else headers
    lines: dict[str, list[str]] = {}
    for pair in items_of(pairs, _MOST_HEADERS, "headers"):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise OptionsError("headers must hold pairs of name and value")
        name, value = (_text(pair[0]) or "").lower(), _text(pair[1])
        if name in _NAMES and value is not None:
            lines.setdefault(name, []).append(value)
    return {name: ", ".join(values) for name, values in lines.items()}, peer


def _url_text(url: object) -> str:
    """A URL as text; frameworks have objects for one, which say what it is."""
    if url is None:
        return ""
    text: object = url
    if not is_text(url) and type(url).__module__ != "builtins":
        try:
            text = str(url) if "/" in str(url) else url
        except UNREADABLE:
            text = url  # which is refused by its class
    return parse_string("url", text)


def _is_environ(headers: Mapping[Any, Any]) -> bool:
    """Whether this is an environ. No client can make its own headers look like one, and so forge REMOTE_ADDR.

    What a header holds is text, so what is not text comes from a server. A plain dict without that counts only if
    every name could be an environ's: real headers have a Host, and a proxy adds names with hyphens.
    """
    names = [name for name in headers if isinstance(name, str)]
    if any(name[:5] == "wsgi." and _text(headers[name]) is None for name in names):
        return True
    return (
        type(headers) is dict
        and any(name[:5] == "HTTP_" or name == "REMOTE_ADDR" for name in names)
        and "HOST" not in headers
        and all(isinstance(name, str) and _ENVIRON_NAME.fullmatch(name) for name in headers)
    )


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return exact_text(value) if is_text(value) else None


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
    """The text of a structured field that holds one string; a bare token is taken as well."""
    text = _hint(value)
    quoted = re.fullmatch(_STRING_ITEM, text)
    if quoted:
        return re.sub(r'\\(["\\])', r"\1", quoted[1][1:-1]) or None
    return text if _TOKEN_ITEM.fullmatch(text) else None


def _brands(value: str | None) -> str | None:
    """A list of brands as it was sent, if it is one: the API takes the header's own form."""
    text = _hint(value)
    return text if re.fullmatch(_BRAND_LIST, text) else None


def _hint(value: str | None) -> str:
    text = (value or "").strip()
    return text if len(text) <= _LONGEST_HINT else ""
