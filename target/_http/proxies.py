"""Which proxy leads to a host: the one of the options, or one that the environment names as for other programs."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from target.config import ClientConfig
from target.errors import OptionsError

_PORTS = {"http": 80, "https": 443}
# Compiled when they are first needed: where something is to be asked without a proxy.
_WITH_PORT = r"(?:\[([^]]*)\]|([0-9./]+))(?::([0-9]{1,5}))?"
_NAME = r"\*?\.*([^:*]+?)\.*(?::([0-9]{1,5}))?"
_EXAMPLE = "a URL such as http://proxy.example:3128 (percent-encode : / @ in a password)"

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxy(NamedTuple):
    """An HTTP proxy: its URL without credentials, and these as the header that carries them."""

    url: str
    headers: dict[str, str]


class Proxies:
    """The proxies of one client, as options and environment have them now.

    Raises:
        OptionsError: The URL of one cannot be used.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._by_scheme: dict[str, Proxy] = {}
        self._exceptions = Exceptions("")
        if config.proxy is not None:
            proxy = parse_proxy(config.proxy, "Option 'proxy'")
            self._by_scheme = dict.fromkeys(_PORTS, proxy)
        elif config.trust_env and config.pool is None:
            self._read_environment()

    def of(self, base_url: str) -> Proxy | None:
        """The proxy that leads to ``base_url``, which is scheme, host and perhaps port; None where none is needed."""
        if not self._by_scheme:
            return None
        parts = urlsplit(base_url)
        proxy = self._by_scheme.get(parts.scheme)
        if proxy is None or self._exceptions.hold(parts.hostname or "", parts.port or _PORTS[parts.scheme]):
            return None
        return proxy

    def _read_environment(self) -> None:
        if not any(name.lower().endswith("_proxy") for name in os.environ):
            return
        from urllib.request import getproxies_environment  # slow to import

        # It prefers lower case, and leaves HTTP_PROXY alone where a request's Proxy header may have set it (CGI).
        found = getproxies_environment()
        for scheme in _PORTS:
            for key in (scheme, "all"):
                if found.get(key):
                    self._by_scheme[scheme] = parse_proxy(found[key], _variable(f"{key}_proxy", found[key]), "http")
                    break
        self._exceptions = Exceptions(found.get("no", ""))


class Exceptions:
    """The hosts that NO_PROXY lists: names with all names below them, addresses, networks, each perhaps with a port.

    Args:
        listed: The variable's value; commas or blanks separate, ``*`` stands for every host.
    """

    def __init__(self, listed: str) -> None:
        self._all = False
        self._names: list[tuple[str, int | None]] = []
        self._networks: list[tuple[_Network, int | None]] = []
        for entry in re.split(r"[,\s]+", listed.lower()):
            if entry == "*":
                self._all = True
            elif (network := _parse_network(entry)) is not None:
                self._networks.append(network)
            elif found := re.fullmatch(_NAME, entry):
                self._names.append((found[1], int(found[2]) if found[2] else None))

    def hold(self, host: str, port: int) -> bool:
        """Whether ``host``, a name or an address without brackets, is reached directly at ``port``."""
        if self._all:
            return True
        address = _parse_address(host)
        if address is not None:
            return any(address in network and wanted in (None, port) for network, wanted in self._networks)
        name = f".{host.lower().rstrip('.')}"
        return any(name.endswith(f".{listed}") and wanted in (None, port) for listed, wanted in self._names)


def parse_proxy(text: str, name: str, default_scheme: str = "") -> Proxy:
    """The proxy at a URL.

    Args:
        text: The URL; it may hold credentials.
        name: What holds it, for the error.
        default_scheme: What a URL without a scheme means; by default it is refused.

    Raises:
        OptionsError: It is no URL of an HTTP proxy. The words show nothing of it, as an @ too many or too few makes a
            password of anything.
    """
    text = text.strip()
    if default_scheme and "://" not in text:
        text = f"{default_scheme}://{text}"
    headers = {}
    with contextlib.suppress(ValueError):  # whose words show what is wrong, and that may be the password
        parts = urlsplit(text)
        where = parts.netloc.rpartition("@")[2]
        is_whole = parts.hostname and parts.port != 0 and not re.search(r"[\s\\]", text)
        # An @ behind the host belongs to a password.
        if parts.scheme in _PORTS and is_whole and "@" not in parts.path + parts.query + parts.fragment:
            if parts.username is not None:
                credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
                headers = {"proxy-authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
            return Proxy(f"{parts.scheme}://{where}", headers)
    raise OptionsError(f"{name} must be {_EXAMPLE}")


def _variable(name: str, value: str) -> str:
    """The variable of the environment that holds ``value``, as an error names it."""
    spelt = next((key for key, held in os.environ.items() if key.lower() == name and held == value), name.upper())
    return f"{spelt} in the environment (or trust_env=False, which ignores it)"


def _parse_network(entry: str) -> tuple[_Network, int | None] | None:
    """The addresses and the port of ``10.0.0.0/8``, ``10.1.2.3:8080``, ``::1`` or ``[::1]:8080``; None for a name."""
    found = re.fullmatch(_WITH_PORT, entry)
    text, port = (found[1] or found[2], int(found[3]) if found[3] else None) if found else (entry, None)
    with contextlib.suppress(ValueError):
        return ipaddress.ip_network(text, strict=False), port
    return None


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
