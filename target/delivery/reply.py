"""What the API's answer means: a DeliveryResponse, nothing (204), or the error it stands for; what the caller gets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from target.answer import Reading, Unread
from target.config import SERVER_SIDE
from target.delivery.identity import build_cookies, cluster_of_edge_host
from target.delivery.redaction import hide_riding, redact
from target.delivery.request import Asked, Call
from target.errors import ApiError, TransportError
from target.reading import SMALL_BYTES, Check, TooManyValues, UnreadableJson, parse_json
from target.response import Cookies, Meta, TargetDeliveryResponse
from target_delivery_api import models
from target_delivery_api.types import fits, take

if TYPE_CHECKING:
    from target_delivery_api.models import DeliveryResponse, MboxResponse, PrefetchMboxResponse

_MOST_MODELS = 100_000  # of which an answer to 50 mboxes has a few hundred
_MOST_ERROR_VALUES = 10_000
#: Bytes of an error answer that its ApiError holds.
MOST_BODY = 65_536


class Reply(NamedTuple):
    """An answer as it came.

    Attributes:
        status: HTTP status.
        reason: Its reason phrase.
        content: The unpacked body.
        retry_after_s: For how many seconds its Retry-After asked to be left alone.
        most_values: What the option ``max_response_values`` says of it.
        moved: Whether the account's host gave it, after or instead of the call's cluster.
    """

    status: int
    reason: str
    content: bytes
    retry_after_s: float | None = None
    most_values: int | None = None
    moved: bool = False


def parse_reply(reply: Reply, call: Call, check: Check | None = None) -> DeliveryResponse | None:
    """The answer's model, or None for 204; arguments and errors are those of ``read_reply``."""
    return read_reply(reply, call, check).response()


def read_reply(reply: Reply, call: Call, check: Check | None = None) -> Unread:
    """The answer, that of 204 with the response None. Of one that is not large no model is made before it is read.

    Args:
        reply: The answer.
        call: What it answers.
        check: Is called now and then while a large answer is read; what it raises ends that.

    Raises:
        ApiError: The status is not 2xx.
        TransportError: A success without the JSON object that it should carry.
    """
    if reply.status == 204:
        return _made(None)
    if not 200 <= reply.status < 300:
        raise _api_error(reply, call)
    data = _parse_object(reply, check)
    content = reply.content
    if len(content) <= SMALL_BYTES:
        if fits(models.DeliveryResponse, data, levels=content.count(b"{") + content.count(b"[")):
            if check is not None:
                check()
            return Unread(_TAKING, data)
    elif _count_models(data) > _MOST_MODELS:
        raise TransportError(
            f"The answer ({reply.status}) lists more than {_MOST_MODELS} mboxes, views, options and metrics: ask for "
            "less"
        )
    try:
        response = models.DeliveryResponse.from_dict(data)
    except (TypeError, ValueError) as error:
        problem = str(error)  # which never quotes the answer
    else:
        if check is not None:
            check()
        return _made(response)
    raise TransportError(f"The answer is not as the Delivery API documents it: {problem}")


def require_taken(reply: Reply, call: Call) -> None:
    """For what is sent in the background: raise what ``parse_reply`` raises where ``call`` was not taken; of an answer
    that nobody reads no model is made."""
    if reply.status == 204:
        return
    if not 200 <= reply.status < 300:
        raise _api_error(reply, call)
    _parse_object(reply, None)


def _parse_object(reply: Reply, check: Check | None) -> dict[str, Any]:
    advice = "check server_domain, or try again"
    try:
        data = parse_json(reply.content, reply.most_values, check)
    except UnreadableJson as error:
        problem = str(error)
        if isinstance(error, TooManyValues):
            advice = "raise max_response_values, or ask for less"
    else:
        if isinstance(data, dict):
            return data
        problem, advice = "is not a JSON object", "check that server_domain serves the Delivery API"
    raise TransportError(f"The answer ({reply.status}) {problem}: {advice}")


def _count_models(data: dict[str, Any]) -> int:
    """How many of the objects in lists would become models, which take longer to make than what is free to hold."""
    parts = [part for name in ("execute", "prefetch") if isinstance(part := data.get(name), dict)]
    lists = [part.get(name) for part in parts for name in ("mboxes", "views")]
    listed = [data.get("notifications"), *lists]
    if (count := sum(len(items) for items in listed if isinstance(items, list))) > _MOST_MODELS:
        return count
    places = [place for items in lists if isinstance(items, list) for place in items]
    for place in [*places, *(part.get("pageLoad") for part in parts)]:
        if isinstance(place, dict):
            count += sum(len(items) for name in ("options", "metrics") if isinstance(items := place.get(name), list))
    return count


def _api_error(reply: Reply, call: Call) -> ApiError:
    try:
        data = parse_json(reply.content, _MOST_ERROR_VALUES)
    except UnreadableJson:
        data = None
    said = data.get("message") if isinstance(data, dict) else None
    message = redact(said if isinstance(said, str) and said else reply.reason or "no reason given", call)
    body = hide_riding(reply.content[:MOST_BODY].decode(errors="replace"), len(reply.content) > MOST_BODY, call)
    return ApiError(reply.status, message, str(call.body.get("requestId")), body)


def assemble(
    call: Call, response: DeliveryResponse | None, now_s: float, meta: Meta | None = None
) -> TargetDeliveryResponse:
    """What the caller of ``call`` gets; ``response`` is None after a 204, ``meta`` None when the server decided."""
    return assemble_answer(call, _made(response), now_s, meta)


def assemble_answer(call: Call, answer: Unread, now_s: float, meta: Meta | None = None) -> TargetDeliveryResponse:
    """The same of an answer that ``read_reply`` gives."""
    cluster = call.cluster or cluster_of_edge_host(answer.value("edgeHost", "edge_host"))
    return _result(call, answer, _device_id(call, answer), cluster, now_s, meta)


def assemble_decision(asked: Asked, data: dict[str, Any], now_s: float, meta: Meta) -> TargetDeliveryResponse:
    """The same of a decision in wire form, which is only read, and copied before a caller sees it."""
    answer = Unread(_COPYING, data)
    cookies = partial(_cookies, asked, _device_id(asked, answer), now_s)
    state = None if asked.visitor is None else asked.visitor.state()
    return TargetDeliveryResponse._unread(asked, answer, cookies, meta, state)


def _cookies(asked: Asked, device_id: str | None, now_s: float) -> Cookies:
    return build_cookies(asked.session_id, device_id, asked.cluster, now_s)


def _result(
    call: Call, answer: Unread, device_id: str | None, cluster: str | None, now_s: float, meta: Meta | None
) -> TargetDeliveryResponse:
    return TargetDeliveryResponse._unread(
        call.body,
        answer,
        partial(build_cookies, call.session_id, device_id, cluster, now_s),
        Meta(SERVER_SIDE, [], []) if meta is None else meta,
        None if call.visitor is None else call.visitor.state(),
    )


def _made(response: DeliveryResponse | None) -> Unread:
    return Unread.made(response, _gather(response))


def _take(data: dict[str, Any]) -> DeliveryResponse:
    return take(models.DeliveryResponse, data)


def _take_mbox(mode: str, data: dict[str, Any]) -> MboxResponse | PrefetchMboxResponse:
    return take(models.MboxResponse, data) if mode == "execute" else take(models.PrefetchMboxResponse, data)


def _copy(data: dict[str, Any]) -> DeliveryResponse:
    return models.DeliveryResponse.from_dict(data)


def _copy_mbox(mode: str, data: dict[str, Any]) -> MboxResponse | PrefetchMboxResponse:
    return models.MboxResponse.from_dict(data) if mode == "execute" else models.PrefetchMboxResponse.from_dict(data)


def _gather(response: DeliveryResponse | None) -> tuple[Any, ...]:
    """What a result holds of an answer beside it: see Reading."""
    analytics, traces, tokens = [], [], []
    for part in () if response is None else _parts(response):
        if part.analytics is not None:
            analytics.append(part.analytics)
        if part.trace is not None:
            traces.append(part.trace)
        tokens += [option.response_tokens for option in part.options or () if option.response_tokens is not None]
    return analytics or None, traces or None, tokens or None


#: Of an answer that nobody else holds.
_TAKING = Reading(_take, _take_mbox, _gather)
#: Of one that others hold, too.
_COPYING = Reading(_copy, _copy_mbox, _gather)


def with_answer(result: TargetDeliveryResponse, response: DeliveryResponse, meta: Meta) -> TargetDeliveryResponse:
    """``result`` with another answer, which comes of the same call."""
    return result._replaced(response=response, response_tokens=_gather(response)[2], meta=meta)


def _device_id(call: Asked, answer: Unread) -> str | None:
    """The answer's tntId; where it names none, the one sent, so that a 204 does not make the visitor a new one."""
    if (data := answer.data) is not None:
        answered = (data.get("id") or {}).get("tntId")
    else:
        response = answer.response()
        answered = None if response is None or response.id is None else response.id.tnt_id
    return answered if isinstance(answered, str) and answered else call.device_id


def _parts(response: DeliveryResponse) -> Iterator[Any]:
    """Every part of an answer that carries options: page load and mboxes of execute, then all of prefetch."""
    execute, prefetch = response.execute, response.prefetch
    if execute is not None:
        if execute.page_load is not None:
            yield execute.page_load
        yield from execute.mboxes or ()
    if prefetch is not None:
        if prefetch.page_load is not None:
            yield prefetch.page_load
        yield from prefetch.views or ()
        yield from prefetch.mboxes or ()
