"""Who a call is for, and where it goes: session, device id and edge cluster, from Target's own cookies and back; and
what the Experience Cloud knows of its visitor: ECID, customer ids, Audience Manager, Analytics."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

from target.config import ClientConfig, RequestConfig, Runtime
from target.customer_ids import merge_customer_ids
from target.errors import OptionsError
from target.foreign import is_a
from target.loggers import Log
from target.notices import Notices
from target.response import Cookies, TargetCookie
from target.values import is_session_id, parse_cluster

if TYPE_CHECKING:
    from target.amcv import AmcvVisitor

TARGET_COOKIE_NAME = "mbox"
LOCATION_HINT_COOKIE_NAME = "mboxEdgeCluster"
SESSION = "session"
DEVICE_ID = "PC"
SESSION_MAX_AGE_S = 1860
DEVICE_ID_MAX_AGE_S = 63_244_800
LOCATION_HINT_MAX_AGE_S = 1860

_PLAIN = re.compile(r"[A-Za-z0-9_.!~*'()-]*")
_EPOCH_S = re.compile(r"[0-9]{1,15}")
_EDGE_HOST = re.compile(r"mboxedge([0-9]{1,4})(?:\.[A-Za-z0-9-]{1,63}){3}")
_MAX_ID_LENGTH = 128
_NO_ID = (None, "")


class Identity(NamedTuple):
    """What the cookies and options of one call say about its visitor."""

    session_id: str | None
    device_id: str | None
    location_hint: str | None


_NOBODY = Identity(None, None, None)


def parse_identity(options: RequestConfig, now_s: float, logger: Log, notices: Notices) -> Identity:
    """Read the visitor's cookies. What breaks the API's rules is left out with a warning, never sent, never raised."""
    cookie, given_hint = options.target_cookie, options.target_location_hint
    if not cookie and not given_hint:
        return Identity(options.session_id, None, None) if options.session_id else _NOBODY
    if cookie and ("=" in cookie or "%3" in cookie) and (in_header := find_in_header(cookie)) is not None:
        notices.warn_once(
            ("header",),
            "The target_cookie of a call is a header: its cookie mbox is read, but pass the value of that alone",
        )
        cookie = in_header
    entries = parse_target_cookie(cookie, now_s)
    session_id = entries.get(SESSION) or None
    if session_id and not is_session_id(session_id):
        logger.warning("The session id in the mbox cookie breaks the API's rules and is replaced")
        session_id = None
    device_id = entries.get(DEVICE_ID) or None
    if device_id and not (len(device_id) <= _MAX_ID_LENGTH and device_id.isascii() and device_id.isprintable()):
        logger.warning("The device id in the mbox cookie breaks the API's rules and is ignored")
        device_id = None
    location_hint = parse_cluster(given_hint) if given_hint else None
    if given_hint and location_hint is None:
        logger.warning("The target_location_hint of a call is not an edge cluster of 1 to 4 digits and is ignored")
    return Identity(session_id or options.session_id, device_id, location_hint)


def named_cluster(identity: Identity, sent_device_id: str | None, logger: Log) -> str | None:
    """The cluster this call names: by its device id, the cookie's first, else by its location hint."""
    device_id = identity.device_id or sent_device_id
    if not device_id or "." not in device_id:
        return identity.location_hint
    cluster = cluster_of_device_id(device_id)
    if cluster is None:
        logger.warning("The device id of a call names no edge cluster of 1 to 4 digits; its suffix is ignored")
    return cluster or identity.location_hint


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


def parse_target_cookie(value: str | None, now_s: float) -> dict[str, str]:
    """The entries of an ``mbox`` cookie that have not expired, by name. Anything malformed is left out.

    An entry is ``name#value#expires``, name and value percent-encoded, ``expires`` in epoch seconds; entries are
    joined with ``|``. A value that some layer has percent-encoded once more, or quoted, is understood too.
    """
    if not value:
        return {}
    value = _unpacked(value)
    entries: dict[str, str] = {}
    oldest = math.ceil(now_s)
    for entry in value.split("|"):
        parts = entry.split("#", 3)
        if len(parts) >= 3 and _EPOCH_S.fullmatch(parts[2]) and oldest <= int(parts[2]):
            entries[_decode(parts[0])] = _decode(parts[1])
    return entries


def _decode(text: str) -> str:
    # As for _encode: ids are nearly always plain.
    return unquote(text) if "%" in text else text


def find_in_header(value: str) -> str | None:
    """The value of the cookie ``mbox`` in a Cookie or Set-Cookie header, or a part of one; None in anything else.

    The value of an mbox cookie is none: there is no ``=`` in it before the first ``#``.
    """
    value = _unpacked(value)
    if "=" not in value.partition("#")[0]:
        return None
    for part in value.split(";"):
        name, is_pair, text = part.partition("=")
        if is_pair and name.rpartition(":")[2].strip() == TARGET_COOKIE_NAME:
            return text
    return None


def _unpacked(value: str) -> str:
    value = value.strip('" ')
    return unquote(value) if "#" not in value and "%23" in value else value


def build_cookies(session_id: str, device_id: str | None, cluster: str | None, now_s: float) -> Cookies:
    """Both cookies to set."""
    return build_target_cookie(session_id, device_id, now_s), build_location_hint_cookie(cluster)


def build_target_cookie(session_id: str | None, device_id: str | None, now_s: float) -> TargetCookie:
    """The ``mbox`` cookie to set: this session, and the device id where one is known."""
    entries = []
    if session_id is not None:
        entries.append(f"{SESSION}#{_encode(session_id)}#{math.ceil(now_s + SESSION_MAX_AGE_S)}")
    if device_id:
        entries.append(f"{DEVICE_ID}#{_encode(device_id)}#{math.ceil(now_s + DEVICE_ID_MAX_AGE_S)}")
    max_age = DEVICE_ID_MAX_AGE_S if device_id else SESSION_MAX_AGE_S
    return TargetCookie(TARGET_COOKIE_NAME, "|".join(entries), max_age)


def build_location_hint_cookie(cluster: str | None) -> TargetCookie | None:
    """The ``mboxEdgeCluster`` cookie to set, where a cluster is known."""
    return TargetCookie(LOCATION_HINT_COOKIE_NAME, cluster, LOCATION_HINT_MAX_AGE_S) if cluster else None


def _encode(text: str) -> str:
    # Ids are nearly always plain, and looking costs a tenth of quoting.
    return text if _PLAIN.fullmatch(text) else quote(text, safe="!~*'()", errors="replace")


def find_visitor(options: RequestConfig, config: ClientConfig, runtime: Runtime) -> AmcvVisitor | None:
    """The call's Visitor: the one given, else one from its cookie. A cookie that is empty makes one without ids, as a
    new visitor has none yet, and so does a ``consumer_id`` alone.

    One made here knows the call's ``customer_ids``, so that its state hands them to the page; one given is only read.
    """
    if options.visitor is None and options.visitor_cookie is None and not options.consumer_id:
        return None
    from target.amcv import AmcvVisitor  # most calls have none

    if options.visitor is not None:
        if not is_a(options.visitor, AmcvVisitor):
            raise OptionsError(f"Option 'visitor' must be a Visitor, not {type(options.visitor).__name__}")
        if options.visitor.is_cookie_unreadable:
            _tell_unreadable(config.notices)
        return options.visitor  # type: ignore[no-any-return]
    visitor = AmcvVisitor(config.organization_id, options.visitor_cookie, runtime.now_s(), runtime.new_id)
    if visitor.is_cookie_unreadable:
        _tell_unreadable(config.notices)
    visitor.set_customer_ids({entry["integrationCode"]: entry for entry in options.customer_ids or ()})
    return visitor


def _tell_unreadable(notices: Notices) -> None:
    notices.warn_once(
        ("AMCV",),
        "The AMCV cookie of a call cannot be read, so that its visitor has no Experience Cloud id: pass the "
        "value of the cookie that client.visitor_cookie_name(organization_id) names",
    )


def build_id(
    own: dict[str, Any], device_id: str | None, options: RequestConfig, visitor: AmcvVisitor | None
) -> dict[str, Any]:
    """``id`` of the request: what it says itself, then what the call's options say, then the Visitor.

    Customer ids of Visitor and options stand before the request's own. A visitor who opted out sends neither an
    ECID nor a customer id, whoever named it.
    """
    ids = {key: value for key, value in own.items() if value not in _NO_ID}
    if device_id:
        ids.setdefault("tntId", device_id)
    given = options.customer_ids or []
    if visitor is None and not given:
        return ids
    if visitor is not None and visitor.opted_out:
        ids.pop("marketingCloudVisitorId", None)
        ids.pop("customerIds", None)
        return ids
    if visitor is not None:
        if visitor.marketing_cloud_visitor_id:
            ids.setdefault("marketingCloudVisitorId", visitor.marketing_cloud_visitor_id)
        codes = {entry["integrationCode"] for entry in given}
        given = [entry for entry in visitor.customer_ids if entry["integrationCode"] not in codes] + given
    if given:
        ids["customerIds"] = merge_customer_ids(given, ids.get("customerIds") or [])
    return ids


def build_experience_cloud(own: dict[str, Any], options: RequestConfig, visitor: AmcvVisitor | None) -> dict[str, Any]:
    """``experienceCloud`` of the request; logging is server_side unless it says otherwise.

    Only a call that has a Visitor gets a supplementalDataId, since the page must know the same one.
    """
    if not own and visitor is None:
        return build_plain_experience_cloud()
    experience_cloud = {key: value for key, value in own.items() if value is not None}
    analytics = {key: value for key, value in (own.get("analytics") or {}).items() if value is not None}
    analytics.setdefault("logging", "server_side")
    if visitor is not None:
        if "supplementalDataId" not in analytics:
            consumer_id = (options.consumer_id,) if options.consumer_id else ()
            analytics["supplementalDataId"] = visitor.supplemental_data_id(*consumer_id)
        audience_manager = _audience_manager(own.get("audienceManager") or {}, visitor)
        experience_cloud.pop("audienceManager", None)
        if audience_manager:
            experience_cloud["audienceManager"] = audience_manager
    experience_cloud["analytics"] = analytics
    return experience_cloud


def build_plain_experience_cloud() -> dict[str, Any]:
    """The same of a call that says nothing of it."""
    return {"analytics": {"logging": "server_side"}}


def _audience_manager(own: dict[str, Any], visitor: AmcvVisitor) -> dict[str, Any]:
    if visitor.opted_out:
        return {}
    known = {"locationHint": visitor.audience_manager_location_hint, "blob": visitor.audience_manager_blob}
    known |= {key: value for key, value in own.items() if value is not None}
    return {key: value for key, value in known.items() if value is not None}
