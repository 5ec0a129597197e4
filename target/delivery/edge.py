"""Which host a call goes to: edge clusters and where they are named."""

from __future__ import annotations

import re

from target.config import ClientConfig
from target.values import parse_cluster

_EDGE_HOST = re.compile(r"mboxedge([0-9]{1,4})(?:\.[A-Za-z0-9-]{1,63}){3}")


def cluster_of_device_id(device_id: str | None) -> str | None:
    """The cluster in a device id: ``"8d2f.38_0"`` -> ``"38"``. An id of any other shape names none."""
    if not device_id:
        return None
    parts = device_id.split(".")
    if len(parts) != 2 or "_" not in parts[1]:
        return None
    return parse_cluster(parts[1].split("_", 1)[0])


def cluster_of_edge_host(edge_host: object) -> str | None:
    """The cluster in an answer's ``edgeHost``: ``"mboxedge38.tt.omtrdc.net"`` -> ``"38"``."""
    match = _EDGE_HOST.fullmatch(edge_host) if isinstance(edge_host, str) else None
    return match[1] if match else None


def build_base_url(config: ClientConfig, cluster: str | None) -> str:
    """Scheme and host of a call. A known cluster beats ``server_domain``, unless edge routing is off."""
    if cluster and config.edge_routing:
        host = f"mboxedge{cluster}.tt.omtrdc.net"
    else:
        host = config.server_domain or f"{config.client}.tt.omtrdc.net"
    return f"{'https' if config.secure else 'http'}://{host}"
