"""Builds one call: the request in wire form, the visitor it is for, and the host it goes to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from target.config import ClientConfig, RequestConfig, Runtime
from target.delivery import notifications
from target.delivery.identity import (
    build_base_url,
    build_experience_cloud,
    build_id,
    find_visitor,
    named_cluster,
    parse_identity,
)
from target.delivery.telemetry import add_telemetry
from target.delivery.wire_form import tidy_request, write_request
from target.errors import OptionsError
from target.foreign import exact_dict, is_a
from target.loggers import Log
from target.notices import Notices
from target_delivery_api import models

if TYPE_CHECKING:
    from target.amcv import AmcvVisitor
    from target.hooks import CallInfo

CHANNELS = ("mobile", "web")
MAX_NAME_LENGTH = 250
_write_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_NEEDS = {
    "execute": "Either pageLoad or mboxes is required in execute",
    "prefetch": "Either views, pageLoad or mboxes is required in prefetch",
}


class Call(NamedTuple):
    """Everything that sending needs, and what assembling the result needs to know of it.

    ``body`` is what its caller asks, ``content`` all that goes over the wire: telemetry entries of other calls may ride
    along (``riding``), which no result, event or message of this call may show. It is in ``written`` once it was
    needed: whoever puts another body in its place gives it a new list. ``cluster`` is where the call goes;
    ``names_cluster`` tells whether its caller named it, by cookie, id or hint. ``method`` is what the log and hooks are
    told as that of the client, ``override_token`` what the option of that name says.

    The last are for hooks: ``headers`` that they add; who they know the call as (``info``), or which calls led to one
    that is sent in the background (``causes``); and what is told of each attempt (``record``).
    """

    body: dict[str, Any]
    base_url: str
    session_id: str
    device_id: str | None
    cluster: str | None
    names_cluster: bool
    trace_id: str
    visitor: AmcvVisitor | None
    written: list[bytes]
    riding: tuple[Mapping[str, Any], ...] = ()
    method: str = "get_offers"
    override_token: str | None = None
    headers: Mapping[str, str] = {}
    info: CallInfo | None = None
    causes: tuple[CallInfo, ...] = ()
    record: Callable[[Attempted], object] | None = None

    @property
    def content(self) -> bytes:
        """What is sent; written when somebody asks, if it has not been."""
        if not self.written:
            self.written.append(write_body(self.body))
        return self.written[0]


class Attempted(NamedTuple):
    """How one attempt ended; times are those of ``monotonic_s``."""

    call: Call
    started_s: float
    ended_s: float
    status: int | None
    response_bytes: int
    error: str | None


def build_offers_call(
    config: ClientConfig,
    options: RequestConfig,
    runtime: Runtime,
    remembered_cluster: str | None,
    added_mboxes: Sequence[str] = (),
    method: str = "get_offers",
) -> Call:
    """The call of ``get_offers`` and ``get_attributes``. Raises OptionsError; the caller's objects are only read."""
    body = _parse_request(options.request, config.notices)
    _fill_parts(body, config.logger, added_mboxes)
    return _build_call(config, options, runtime, remembered_cluster, body, method)


def build_notifications_call(
    config: ClientConfig, options: RequestConfig, runtime: Runtime, remembered_cluster: str | None
) -> Call:
    """The call of ``send_notifications``. Raises OptionsError when no valid notification and no telemetry is in it."""
    body = _parse_request(options.request, config.notices)
    _fill_parts(body, config.logger)
    call = _build_call(config, options, runtime, remembered_cluster, body)
    if not call.body.get("notifications") and not call.body.get("telemetry"):
        raise OptionsError("Notifications list is required in request, with at least one that has id, type, timestamp")
    return call


def add_to_call(call: Call, entries: Sequence[Mapping[str, Any]]) -> Call:
    """``call`` with telemetry entries of other calls in what is sent."""
    body = add_telemetry(call.body, entries)
    riding = tuple(entries)
    if "telemetry" in call.body:
        return call._replace(written=[write_body(body)], riding=riding)
    # One object more at the end is cheaper than writing all of them again.
    added = b',"telemetry":' + write_body(body["telemetry"]) + b"}"
    return call._replace(written=[call.content[:-1] + added], riding=riding)


def _fill_parts(body: dict[str, Any], logger: Log, added_mboxes: Sequence[str] = ()) -> None:
    """Make ``execute`` and ``prefetch`` of ``body`` what is sent: valid mboxes with indexes, nothing empty.

    An empty part is left out where the other one asks for something.
    """
    lists = {name: _fill_mboxes(body[name] or {}, name, logger) for name in _NEEDS if name in body}
    if added_mboxes and (added := add_mboxes(lists.get("execute", []), lists.get("prefetch", []), added_mboxes)):
        lists["execute"] = added
    unlike = {name: mboxes for name, mboxes in lists.items() if not mboxes or not _holds(body.get(name), mboxes)}
    if not unlike:  # as nearly always
        return
    parts = {name: body.get(name) or {} for name in lists}
    for name, mboxes in unlike.items():
        given = parts[name]
        part = {key: value for key, value in given.items() if key != "mboxes" and value is not None and value != []}
        if mboxes:
            part["mboxes"] = mboxes
        if asks(name, part):
            body[name] = part
        elif _is_empty(given) and (any(lists.values()) or not all(map(_is_empty, parts.values()))):
            del body[name]
        else:
            raise OptionsError(f"{_NEEDS[name]}; an mbox needs a name, and empty lists ask for nothing")


def _fill_mboxes(part: dict[str, Any], name: str, logger: Log) -> list[dict[str, Any]]:
    """The mboxes of ``part``, which is ``name``, as they are sent: its very list where each is complete."""
    mboxes = part.get("mboxes") or []
    return mboxes if all(map(_is_complete, mboxes)) else fill_indexes(valid_mboxes(mboxes, f"request.{name}", logger))


def _holds(part: dict[str, Any] | None, mboxes: list[dict[str, Any]]) -> bool:
    """Whether ``part`` has this very list, and nothing empty."""
    return (
        part is not None and part.get("mboxes") is mboxes and None not in part.values() and [] not in part.values()
    )


def _is_complete(mbox: Any) -> bool:
    """Whether ``mbox`` has an index and no fault. What is unusual is left to those who look closely."""
    return mbox.__class__ is dict and mbox.get("index") is not None and is_name(mbox.get("name"))


def is_name(name: Any) -> bool:
    """Whether ``name``, a plain string, can be that of an mbox."""
    return name.__class__ is str and 0 < len(name) <= MAX_NAME_LENGTH and not name.isspace()


def _build_call(
    config: ClientConfig,
    options: RequestConfig,
    runtime: Runtime,
    remembered_cluster: str | None,
    body: dict[str, Any],
    method: str = "get_offers",
) -> Call:
    identity = parse_identity(options, runtime.now_s(), config.logger, config.notices)
    impression_id, session_id = body.get("impressionId"), identity.session_id
    trace_id, *new = runtime.new_ids(1 + (not impression_id) + (not session_id))
    visitor = find_visitor(options, config, runtime)
    ids = build_id(body.get("id") or {}, identity.device_id, options, visitor)
    body["id"] = ids
    if not ids:
        del body["id"]
    device_id: str | None = ids.get("tntId")  # every id of a request is text by now
    body["requestId"] = body.get("requestId") or trace_id
    body["impressionId"] = impression_id or new.pop(0)
    body["context"] = _build_context(body.get("context") or {}, runtime, config.logger)
    body["experienceCloud"] = build_experience_cloud(body.get("experienceCloud") or {}, options, visitor)
    if config.environment_id is not None:
        body.setdefault("environmentId", config.environment_id)
    if config.property_token:
        _set_property(body, config.property_token, config.logger)
    if "notifications" in body:
        valid = notifications.drop_invalid(body.get("notifications") or [], config.logger, config.notices)
        body["notifications"] = notifications.add_impression_ids(valid, runtime.new_id)
        if not valid:
            del body["notifications"]
    named = named_cluster(identity, device_id, config.logger)
    cluster = named or remembered_cluster
    base_url = build_base_url(config, cluster)
    # To write it is not to send it: the deadline begins later. What rules decide is not sent.
    written = [write_body(body)] if config.on_device is None else []
    names_cluster, token = named is not None, options.override_token
    # In the order of its fields, which takes half as long as by their names.
    return Call(
        body,
        base_url,
        session_id or new.pop(),
        device_id,
        cluster,
        names_cluster,
        trace_id,
        visitor,
        written,
        (),
        method,
        token,
    )


def _parse_request(request: Any, notices: Notices) -> dict[str, Any]:
    if type(request) is not dict and type(request) is not models.DeliveryRequest:
        if is_a(request, Mapping):
            request = exact_dict(request, "The request")
        elif not is_a(request, models.DeliveryRequest):
            request = {}
    if type(request) is dict and not request:
        raise OptionsError(
            "Request object of type DeliveryRequest is required: pass the option 'request', as a "
            "DeliveryRequest or as a dict in wire form"
        )
    body = write_request(request, notices)
    tidy_request(body)
    return body


def write_body(body: dict[str, Any]) -> bytes:
    """The request as it is sent. Raises OptionsError for what JSON cannot hold."""
    try:
        return _write_json(body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise OptionsError(f"The request cannot be written as JSON: {error}") from error


def _is_empty(part: dict[str, Any]) -> bool:
    return all(value in (None, []) for value in part.values())


def asks(name: str, part: dict[str, Any]) -> bool:
    """Whether ``part``, the ``execute`` or ``prefetch`` of a request, asks for anything."""
    return "pageLoad" in part or bool(part.get("mboxes")) or (name == "prefetch" and bool(part.get("views")))


def _build_context(context: dict[str, Any], runtime: Runtime, logger: Log) -> dict[str, Any]:
    if not context:
        return {"channel": "web", "timeOffsetInMinutes": runtime.utc_offset_minutes()}
    context = {key: value for key, value in context.items() if value is not None}
    channel = context.get("channel")
    if channel not in CHANNELS:
        if channel is not None:
            logger.warning("context.channel is neither mobile nor web; the call is sent as web")
        context["channel"] = "web"
    context.setdefault("timeOffsetInMinutes", runtime.utc_offset_minutes())
    return context


def _set_property(body: dict[str, Any], token: str, logger: Log) -> None:
    own = (body.get("property") or {}).get("token")
    if own is None:
        body["property"] = {"token": token}
    elif own != token:
        logger.debug("The property token in the request differs from the client's; the request's is used")


def valid_mboxes(mboxes: list[Any], where: str, logger: Log) -> list[dict[str, Any]]:
    """The mboxes that have a name. One line is logged for each other, with its place and why; never the object."""
    if not any(map(_fault, mboxes)):
        return mboxes
    valid = []
    for position, mbox in enumerate(mboxes):
        reason = _fault(mbox)
        if reason:
            logger.error("Mbox validation failed for: %s.mboxes[%d]: %s; it is not sent", where, position, reason)
        else:
            valid.append(mbox)
    return valid


def fill_indexes(mboxes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every mbox with an index: missing ones count up from the highest given, or from 0 when none is given."""
    if None not in [mbox.get("index") for mbox in mboxes]:
        return mboxes
    following = count(next_index(mboxes, 0))
    return [{**mbox, "index": next(following)} if mbox.get("index") is None else mbox for mbox in mboxes]


def next_index(mboxes: Iterable[dict[str, Any]], first: int) -> int:
    """The highest index in ``mboxes`` plus one, or ``first`` where none has an index."""
    given = [mbox["index"] for mbox in mboxes if isinstance(mbox.get("index"), int)]
    return max(given) + 1 if given else first


def add_mboxes(execute: list[dict[str, Any]], prefetch: list[dict[str, Any]], names: Iterable[str]) -> list[Any]:
    """``execute`` with an mbox for each name that neither list holds; indexes go on from the highest in ``execute``."""
    known = {mbox["name"] for mbox in (*execute, *prefetch)}
    added = [name for name in dict.fromkeys(names) if name not in known]
    if not added:
        return execute
    following = next_index(execute, 1)
    return execute + [{"index": following + offset, "name": name} for offset, name in enumerate(added)]


def _fault(mbox: Any) -> str | None:
    if not isinstance(mbox, dict):
        return f"it is {type(mbox).__name__}, not an object"
    name = mbox.get("name")
    if not isinstance(name, str) or not name.strip():
        return "it has no name"
    if len(name) > MAX_NAME_LENGTH:
        return f"its name is longer than {MAX_NAME_LENGTH} characters"
    return None
