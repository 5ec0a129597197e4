"""Which IP address a visitor has, behind proxies of which only some can be believed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from target.errors import OptionsError
from target.foreign import exact_text, is_a, is_number, is_text, items_of, shown

_BRACKETED = re.compile(r"\[([^\]]*)\](?::[0-9]*)?")
_IPV4_WITH_PORT = re.compile(r"([0-9.]+):[0-9]*")
_MOST_HOPS = 64
_LONGEST_HOP = 128
_MOST_NETWORKS = 10_000


def visitor_address(peer: str | None, forwarded_for: str | None, trusted_proxies: int | Sequence[Any]) -> str | None:
    """The visitor's address: the nearest one to the server that no trusted proxy has.

    Whoever connects can write anything into X-Forwarded-For; a proxy adds, at the end, the address it was reached
    from. So the list is read from its end, and only as far as trusted proxies wrote it.

    Args:
        peer: Address of what connected to the server; None or not an address where it is unknown, as on a Unix socket.
        forwarded_for: Value of X-Forwarded-For.
        trusted_proxies: How many proxies there are, or the networks they are in.

    Returns:
        The address as text, or None where it is unknown or malformed.

    Raises:
        OptionsError: ``trusted_proxies`` is no count and no list of networks.
    """
    trusted = parse_trusted(trusted_proxies)
    hops = forwarded_for.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:] if forwarded_for else []
    chain = [peer, *reversed(hops)]
    address = _parse(_by_count(chain, trusted)) if isinstance(trusted, int) else _by_networks(chain, trusted)
    return None if address is None else str(address)


def _by_count(chain: list[str | None], count: int) -> str | None:
    # With fewer hops than proxies, somebody came past the proxies: the list is not theirs.
    return chain[count] if count < len(chain) else chain[0]


def _by_networks(
    chain: list[str | None], networks: list[IPv4Network | IPv6Network]
) -> IPv4Address | IPv6Address | None:
    address = None
    for hop in chain:
        address = _parse(hop)
        if address is None or not any(address in network for network in networks):
            break
    return address


def parse_trusted(trusted_proxies: int | Sequence[Any]) -> int | list[IPv4Network | IPv6Network]:
    """The count, or the networks, which may be given again. Raises OptionsError."""
    if is_number(trusted_proxies) and isinstance(trusted_proxies, int) and (count := int.__int__(trusted_proxies)) >= 0:
        return count
    if is_a(trusted_proxies, str | bytes | bytearray | memoryview) or not is_a(trusted_proxies, Sequence):
        raise OptionsError("trusted_proxies must be a count from 0 up, or a list of networks such as ['10.0.0.0/8']")
    return [_parse_network(network) for network in items_of(trusted_proxies, _MOST_NETWORKS, "trusted_proxies")]


def _parse_network(network: object) -> IPv4Network | IPv6Network:
    if is_a(network, IPv4Network | IPv6Network):
        return network  # type: ignore[return-value]
    try:
        return ip_network(exact_text(network) if is_text(network) else b"", strict=False)
    except ValueError:
        raise OptionsError(
            f"trusted_proxies must hold networks in CIDR notation, such as '10.0.0.0/8', not {shown(network)}"
        ) from None


def _parse(text: str | None) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: with a port or without, IPv6 in brackets or bare; its zone is left out."""
    text = (text or "").strip()
    if len(text) > _LONGEST_HOP:
        return None
    match = _BRACKETED.fullmatch(text) or _IPV4_WITH_PORT.fullmatch(text)
    try:
        address = ip_address((match[1] if match else text).partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
