"""Builds one call: the request in wire form, the visitor it is for, and the host it goes to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from target.config import ClientConfig, RequestConfig, Runtime
from target.delivery import notifications
from target.delivery.identity import (
    build_base_url,
    build_experience_cloud,
    build_id,
    build_plain_experience_cloud,
    find_visitor,
    named_cluster,
    parse_identity,
)
from target.delivery.mboxes import fill_parts
from target.delivery.telemetry import Entry, Measured, add_telemetry, as_entry
from target.delivery.wire_form import parse_request
from target.errors import OptionsError
from target.loggers import Log

if TYPE_CHECKING:
    from target.amcv import AmcvVisitor
    from target.hooks import CallInfo

CHANNEL = "web"  # unless a request names another
CHANNELS = ("mobile", CHANNEL)
T = TypeVar("T")
_write_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


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
    riding: tuple[Entry, ...] = ()
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

    @property
    def call(self) -> Call:
        """Itself: of what is Asked, this is all there is."""
        return self


class Draft(NamedTuple):
    """A call for offers as far as rules need it. The rest is made when somebody first wants the ``call``: what rules
    decide is hardly ever sent, and seldom looked at as a whole.

    ``body`` is what its caller asks, but for what every call has, whatever its caller says. ``known_session_id`` is
    that of the cookie or of the options. What has the names of a Call's is the same.
    """

    body: dict[str, Any]
    method: str
    known_session_id: str | None
    device_id: str | None
    cluster: str | None
    names_cluster: bool
    visitor: AmcvVisitor | None
    override_token: str | None
    trace_id: str
    config: ClientConfig
    runtime: Runtime
    calls: list[Call]
    session_ids: list[str]

    @property
    def call(self) -> Call:
        """The call: the same each time, and for all threads."""
        return _first(self.calls, _complete, self)

    @property
    def session_id(self) -> str:
        """The session of the call, for whoever needs nothing else of it."""
        return self.known_session_id or _first(self.session_ids, _new_session_id, self)


#: What somebody asks.
Asked = Call | Draft


def _first(made: list[T], make: Callable[[Draft], T], draft: Draft) -> T:
    """The first that any thread has made: each that finds none makes one, and all take the first."""
    if not made:
        made.append(make(draft))
    return made[0]


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
    draft = draft_offers_call(config, options, runtime, remembered_cluster, added_mboxes, method, is_sent=True)
    return _completed(draft, draft.body)


def draft_offers_call(
    config: ClientConfig,
    options: RequestConfig,
    runtime: Runtime,
    remembered_cluster: str | None,
    added_mboxes: Sequence[str] = (),
    method: str = "get_offers",
    *,
    is_sent: bool = False,
) -> Draft:
    """The same, as far as rules need it; ``is_sent`` where the rest is sure to follow."""
    body = parse_request(options.request, config.notices)
    fill_parts(body, config.logger, added_mboxes)
    return _draft(config, options, runtime, remembered_cluster, body, method, is_sent)


def build_notifications_call(
    config: ClientConfig, options: RequestConfig, runtime: Runtime, remembered_cluster: str | None
) -> Call:
    """The call of ``send_notifications``. Raises OptionsError when no valid notification and no telemetry is in it."""
    body = parse_request(options.request, config.notices)
    fill_parts(body, config.logger)
    draft = _draft(config, options, runtime, remembered_cluster, body, "get_offers", True)
    call = _completed(draft, draft.body)
    if not call.body.get("notifications") and not call.body.get("telemetry"):
        raise OptionsError("Notifications list is required in request, with at least one that has id, type, timestamp")
    return call


def add_to_call(call: Call, entries: Sequence[Entry]) -> Call:
    """``call`` with telemetry entries of other calls in what is sent."""
    if "telemetry" in call.body:
        written = write_body(add_telemetry(call.body, entries))
    else:  # one object more at the end is cheaper than writing all of them again
        written = call.content[:-1] + b',"telemetry":{"entries":[' + b",".join(map(_write_entry, entries)) + b"]}}"
    return call._replace(written=[written], riding=tuple(entries))


def _write_entry(entry: Entry) -> bytes:
    text = entry.to_json() if isinstance(entry, Measured) else None
    return write_body(as_entry(entry)) if text is None else text.encode()


def _draft(
    config: ClientConfig,
    options: RequestConfig,
    runtime: Runtime,
    remembered_cluster: str | None,
    body: dict[str, Any],
    method: str,
    is_sent: bool,
) -> Draft:
    """All of a call that takes a look at what its caller gave."""
    identity = parse_identity(options, runtime.now_s(), config.logger, config.notices)
    lacks_impression = is_sent and not body.get("impressionId")
    # All at once, that of the session where it is sent, or goes into a cookie that most who ask for offers will set.
    lacks_session = not identity.session_id and (is_sent or method == "get_offers")
    trace_id, *new_ids = runtime.new_ids(1 + lacks_impression + lacks_session)
    if lacks_impression:
        body["impressionId"] = new_ids.pop(0)
    visitor = find_visitor(options, config, runtime)
    ids = build_id(body.get("id") or {}, identity.device_id, options, visitor)
    body["id"] = ids
    if not ids:
        del body["id"]
    device_id: str | None = ids.get("tntId")  # every id of a request is text by now
    body["requestId"] = body.get("requestId") or trace_id
    if context := body.get("context"):
        body["context"] = _build_context(context, config.logger)
    if visitor is not None or body.get("experienceCloud"):
        body["experienceCloud"] = build_experience_cloud(body.get("experienceCloud") or {}, options, visitor)
    if config.property_token:
        _set_property(body, config.property_token, config.logger)
    if "notifications" in body:
        valid = notifications.drop_invalid(body.get("notifications") or [], config.logger, config.notices)
        body["notifications"] = notifications.add_impression_ids(valid, runtime.new_id)
        if not valid:
            del body["notifications"]
    named = named_cluster(identity, device_id, config.logger)
    cluster, is_named, token = named or remembered_cluster, named is not None, options.override_token
    # In the order of its fields, which takes half as long as by their names; so of a Call.
    known_id = identity.session_id
    return Draft(
        body, method, known_id, device_id, cluster, is_named, visitor, token, trace_id, config, runtime, [], new_ids
    )


def _complete(draft: Draft) -> Call:
    return _completed(draft, draft.body.copy())  # since rules may be reading it


def _completed(draft: Draft, body: dict[str, Any]) -> Call:
    """The call itself, with all that is the same whatever its caller gave; put into ``body``."""
    config, runtime = draft.config, draft.runtime
    if not body.get("impressionId"):
        body["impressionId"] = runtime.new_id()
    context = body.get("context") or {"channel": CHANNEL}
    if "timeOffsetInMinutes" not in context:
        body["context"] = {**context, "timeOffsetInMinutes": runtime.utc_offset_minutes()}
    if not body.get("experienceCloud"):
        body["experienceCloud"] = build_plain_experience_cloud()
    if config.environment_id is not None:
        body.setdefault("environmentId", config.environment_id)
    # To write it is not to send it: the deadline begins later. What rules decide is not sent.
    written = [write_body(body)] if config.on_device is None else []
    return Call(
        body,
        build_base_url(config, draft.cluster),
        draft.session_id,
        draft.device_id,
        draft.cluster,
        draft.names_cluster,
        draft.trace_id,
        draft.visitor,
        written,
        (),
        draft.method,
        draft.override_token,
    )


def _new_session_id(draft: Draft) -> str:
    return draft.runtime.new_id()


def write_body(body: Mapping[str, Any]) -> bytes:
    """The request as it is sent. Raises OptionsError for what JSON cannot hold."""
    try:
        return _write_json(body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise OptionsError(f"The request cannot be written as JSON: {error}") from error


def _build_context(context: dict[str, Any], logger: Log) -> dict[str, Any]:
    context = {key: value for key, value in context.items() if value is not None}
    channel = context.get("channel")
    if channel not in CHANNELS:
        if channel is not None:
            logger.warning("context.channel is neither mobile nor web; the call is sent as web")
        context["channel"] = CHANNEL
    return context


def _set_property(body: dict[str, Any], token: str, logger: Log) -> None:
    own = (body.get("property") or {}).get("token")
    if own is None:
        body["property"] = {"token": token}
    elif own != token:
        logger.debug("The property token in the request differs from the client's; the request's is used")
