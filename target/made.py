"""Results made of plain data, for tests: see ``TargetDeliveryResponse.from_data``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from target.config import default_runtime
from target.delivery.overridden import options_of
from target.delivery.reply import assemble
from target.delivery.request import Call
from target.errors import OptionsError
from target.foreign import copied, kind_of
from target.reasons import PartDecision
from target.response import Meta, TargetCookie, TargetDeliveryResponse
from target_delivery_api import models
from target_delivery_api.schemas import SCHEMAS

# Of a result that nobody asked for. The same each time, so that what is made of the same data is equal.
_SESSION = "session-of-a-result-made-of-data"
_ANSWER = tuple(SCHEMAS["DeliveryResponse"]["properties"])
_RESULT = tuple(TargetDeliveryResponse._keys)
_SHORT = ("mboxes",)


def make_result(data: Any) -> TargetDeliveryResponse:
    """The result; see ``TargetDeliveryResponse.from_data``. Raises OptionsError."""
    if not isinstance(data, Mapping):
        raise OptionsError(f"A result is made of a dict, not {kind_of(data)}")
    data = copied(dict(data))
    if "response" in data or "target_cookie" in data:
        _check(data, _RESULT)
        return _whole(data)
    _check(data, (*_ANSWER, *_SHORT))
    if "mboxes" in data:
        data["execute"] = {**_dict("execute", data.get("execute") or {}), "mboxes": data.pop("mboxes")}
        _require_contents(data["execute"]["mboxes"])
    for mode in ("execute", "prefetch"):
        part = data.get(mode)
        if isinstance(part, Mapping) and isinstance(part.get("mboxes"), Mapping):
            data[mode] = {**part, "mboxes": _placed(part["mboxes"], mode)}
    answer = _model(models.DeliveryResponse, "response", data).to_dict()
    return _answered({"context": {"channel": "web"}, **_asked(answer)}, answer, None)


def _whole(data: dict[str, Any]) -> TargetDeliveryResponse:
    """Of what ``to_dict`` of a result gave; what it leaves out is as an answer like that would have it."""
    made = _answered(data.get("request") or {"context": {"channel": "web"}}, data.get("response"), data.get("meta"))
    given: dict[str, Any] = {name: data[name] for name in ("trace", "response_tokens", "visitor_state") if name in data}
    for name in ("target_cookie", "target_location_hint_cookie"):
        if data.get(name) is not None:
            given[name] = _record(TargetCookie, name, data[name])
    return made._replaced(**given)


def _answered(asked: Any, answer: Any, meta: Any) -> TargetDeliveryResponse:
    response = None
    if answer is not None:
        response = _model(models.DeliveryResponse, "response", {"status": 200, **_dict("response", answer)})
    sent = _model(models.DeliveryRequest, "request", asked).to_dict()
    ids = None if response is None else response.id
    call = Call(
        body=sent,
        base_url="",
        session_id=_SESSION,
        device_id=None if ids is None else ids.tnt_id,
        cluster=None,
        names_cluster=False,
        trace_id="",
        visitor=None,
        written=[],
    )
    return assemble(call, response, default_runtime.now_s(), None if meta is None else _meta(meta))


def _meta(value: Any) -> Meta:
    decisions = value.get("decisions") if isinstance(value, Mapping) else None
    if decisions is None:
        return _record(Meta, "meta", value)  # type: ignore[no-any-return]
    if not isinstance(decisions, list):
        raise OptionsError(f"'decisions' of a result's meta must be a list, not {kind_of(decisions)}")
    made = [_record(PartDecision, "decisions", each) for each in decisions]
    return _record(Meta, "meta", {**value, "decisions": made})  # type: ignore[no-any-return]


def _require_contents(contents: Any) -> None:
    if not isinstance(contents, Mapping):
        raise OptionsError(f"'mboxes' of a result must be a dict, a name and its content each, not {kind_of(contents)}")


def _placed(contents: Mapping[Any, Any], mode: str) -> list[dict[str, Any]]:
    """Mboxes of an answer, of a content each: text is HTML, None the default content, anything else a JSON offer.

    There are tokens to tell of clicks and, as the API has counted what ``execute`` shows, of what ``prefetch`` shows.
    """
    placed: list[dict[str, Any]] = []
    for index, (name, content) in enumerate(contents.items()):
        if not isinstance(name, str):
            raise OptionsError(f"'mboxes' of a result has a name that is no text, but {kind_of(name)}")
        options = options_of(content)
        metrics = [{"type": "click", "eventToken": f"click-token-of-{name}"}] if options else []
        if options and mode == "prefetch":
            options[0]["eventToken"] = f"display-token-of-{name}"
        placed.append({"index": index, "name": name, "options": options, "metrics": metrics})
    return placed


def _asked(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A request that would have had such an answer."""
    asked: dict[str, Any] = {}
    for mode in ("execute", "prefetch"):
        mboxes = (answer.get(mode) or {}).get("mboxes")
        if mboxes:
            asked[mode] = {"mboxes": [{key: mbox[key] for key in ("index", "name") if key in mbox} for mbox in mboxes]}
    return asked


def _check(data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in data:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
            raise OptionsError(f"{key!r} is no part of a result: {hint} Contents of mboxes go under 'mboxes'.")


def _dict(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionsError(f"{name!r} of a result must be a dict, not {kind_of(value)}")
    return dict(value)


def _model(model: Any, name: str, value: Any) -> Any:
    try:
        return model.from_dict(value)
    except (AttributeError, TypeError, ValueError) as error:
        raise OptionsError(f"{name!r} of a result is not as the Delivery API documents it: {error}") from error


def _record(kind: Any, name: str, value: Any) -> Any:
    try:
        return kind(**value)
    except TypeError as error:
        keys = ", ".join(kind.__slots__ if kind is PartDecision else kind._keys)
        raise OptionsError(f"{name!r} of a result must be a dict with {keys}") from error
