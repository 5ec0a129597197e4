"""Which IP address a visitor has, behind proxies of which only some can be believed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from target.errors import OptionsError

_Address = IPv4Address | IPv6Address

_BRACKETED = re.compile(r"\[([^\]]*)\](?::[0-9]*)?")
_IPV4_WITH_PORT = re.compile(r"([0-9.]+):[0-9]*")
_MOST_HOPS = 64


def visitor_address(peer: str | None, forwarded_for: str | None, trusted_proxies: int | Sequence[str]) -> str | None:
    """The visitor's address: the nearest one to the server that no trusted proxy has.

    Whoever connects can write anything into X-Forwarded-For; a proxy adds, at the end, the address it was reached
    from. So the list is read from its end, and only as far as trusted proxies wrote it.

    Args:
        peer: Address of what connected to the server.
        forwarded_for: Value of X-Forwarded-For.
        trusted_proxies: How many proxies there are, or the networks they are in.

    Returns:
        The address as text, or None where it is unknown or malformed.

    Raises:
        OptionsError: ``trusted_proxies`` is no count and no list of networks.
    """
    is_trusted = _trust(trusted_proxies)
    hops = (forwarded_for or "").split(",")[-_MOST_HOPS:] if forwarded_for else []
    nearest = _parse(peer)
    if nearest is None:
        return None
    chain = [nearest, *map(_parse, reversed(hops))]
    for position, hop in enumerate(chain):
        if hop is None:
            return None
        if not is_trusted(position, hop):
            return str(hop)
    # Every hop is a proxy: by networks, the first is what there is. By count, one is missing, and so somebody
    # came past the proxies: the list is not theirs.
    return str(nearest if isinstance(trusted_proxies, int) else chain[-1])


def _trust(trusted_proxies: int | Sequence[str]) -> Callable[[int, _Address], bool]:
    if isinstance(trusted_proxies, int) and not isinstance(trusted_proxies, bool) and trusted_proxies >= 0:
        return lambda position, _: position < trusted_proxies
    if isinstance(trusted_proxies, str | int) or not isinstance(trusted_proxies, Sequence):
        raise OptionsError("trusted_proxies must be a count from 0 up, or a list of networks such as ['10.0.0.0/8']")
    try:
        networks = [ip_network(network, strict=False) for network in trusted_proxies]
    except ValueError as error:
        raise OptionsError(f"trusted_proxies must hold networks in CIDR notation: {error}") from error
    return lambda _, hop: any(hop.version == network.version and hop in network for network in networks)


def _parse(text: str | None) -> _Address | None:
    """An address as proxies write it: with a port or without, IPv6 in brackets or bare."""
    text = (text or "").strip()
    match = _BRACKETED.fullmatch(text) or _IPV4_WITH_PORT.fullmatch(text)
    try:
        address = ip_address((match[1] if match else text).partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
