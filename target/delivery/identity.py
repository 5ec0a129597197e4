"""Who a call is for, as Target's own cookies and options say: session, device id and cluster."""

from __future__ import annotations

import logging
from typing import NamedTuple

from target.config import RequestConfig
from target.delivery import cookies
from target.delivery.edge import cluster_of_device_id
from target.values import is_session_id, parse_cluster

_MAX_ID_LENGTH = 128


class Identity(NamedTuple):
    """What the cookies and options of one call say about its visitor."""

    session_id: str | None
    device_id: str | None
    location_hint: str | None


def parse_identity(options: RequestConfig, now_s: float, logger: logging.Logger) -> Identity:
    """Read the visitor's cookies. What breaks the API's rules is left out with a warning, never sent, never raised."""
    entries = cookies.parse_target_cookie(options.target_cookie, now_s)
    session_id = entries.get(cookies.SESSION) or None
    if session_id and not is_session_id(session_id):
        logger.warning("The session id in the mbox cookie breaks the API's rules and is replaced")
        session_id = None
    device_id = entries.get(cookies.DEVICE_ID) or None
    if device_id and not (len(device_id) <= _MAX_ID_LENGTH and device_id.isascii() and device_id.isprintable()):
        logger.warning("The device id in the mbox cookie breaks the API's rules and is ignored")
        device_id = None
    location_hint = parse_cluster(options.target_location_hint)
    if options.target_location_hint and location_hint is None:
        logger.warning("The target_location_hint of a call is not an edge cluster of 1 to 4 digits and is ignored")
    return Identity(session_id or options.session_id, device_id, location_hint)


def named_cluster(identity: Identity, sent_device_id: str | None, logger: logging.Logger) -> str | None:
    """The cluster this call names: by its device id, the cookie's first, else by its location hint."""
    device_id = identity.device_id or sent_device_id
    cluster = cluster_of_device_id(device_id)
    if cluster is None and device_id and "." in device_id:
        logger.warning("The device id of a call names no edge cluster of 1 to 4 digits; its suffix is ignored")
    return cluster or identity.location_hint
