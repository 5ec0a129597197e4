"""A call with overrides: what is left of it to ask, the visitor it is for, and its answer with what they show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from target.delivery.mboxes import asks
from target.delivery.reply import with_answer
from target.delivery.request import Call
from target.delivery.wire_form import tidy_request, write_request
from target.errors import OptionsError
from target.reasons import PartDecision
from target.response import Meta, TargetDeliveryResponse
from target.values import reject_unknown
from target_delivery_api import models

_MODES = ("execute", "prefetch")
_IDS = dict.fromkeys(key for key, _ in models.VisitorId.FIELDS.values())
_ASKING = (*_MODES, "notifications", "telemetry")
_ANSWERS: dict[str, Any] = {"execute": models.ExecuteResponse, "prefetch": models.PrefetchResponse}
_MBOXES: dict[str, Any] = {"execute": models.MboxResponse, "prefetch": models.PrefetchMboxResponse}

#: Ids of a visitor, each with its kind: of customer ids, the integration code belongs to that.
Ids = Mapping[tuple[str, str], str]
#: Of what is shown: ids and names of activity and experience, as PartDecision has them.
Which = tuple[str | None, str | None, str | None, str | None]


class Shown(NamedTuple):
    """What an override shows.

    Attributes:
        options: Makes the options, in wire form and without event tokens, of an mbox as it was asked for.
        which: The activity and experience, where it is one.
    """

    options: Callable[[Mapping[str, Any]], list[dict[str, Any]]]
    which: Which = (None, None, None, None)


class Overridden(NamedTuple):
    """A call with overrides.

    Attributes:
        call: What is left of it to ask: maybe nothing, see ``asks_nothing``.
        asked: All that was asked, in wire form.
        shown: What overrides show, by mbox.
        client: The client code.
    """

    call: Call
    asked: Mapping[str, Any]
    shown: Mapping[str, Shown]
    client: str

    def finish(self, result: TargetDeliveryResponse) -> TargetDeliveryResponse:
        """The answer to all that was asked; ``result``, the answer to what was left, becomes part of it."""
        return complete(result, self.asked, self.shown, self.client)


def options_of(content: Any) -> list[dict[str, Any]]:
    """The options of an mbox with this content: text is HTML, None the default content, anything else a JSON offer."""
    if content is None:
        return []
    return [{"type": "html" if isinstance(content, str) else "json", "content": content}]


def show_content(content: Any) -> Shown:
    """What shows this content."""
    return Shown(lambda _: options_of(content))


def parse_visitor(visitor: object) -> dict[str, Any]:
    """The ids of a visitor as a request's ``id`` has them, a VisitorId or a mapping, in wire form.

    Raises:
        OptionsError: They are something else, or name nobody.
    """
    try:
        body = write_request({"id": visitor})
    except OptionsError as error:
        problem: str | None = str(error).removeprefix("request.id")
    else:
        problem = None
    if problem is not None:
        raise OptionsError(f"visitor{problem}")
    tidy_request(body)
    ids = body.get("id")
    if isinstance(ids, dict):
        reject_unknown(ids, _IDS, "id of a visitor")
    if not isinstance(ids, dict) or not ids_of(ids):
        raise OptionsError(
            "visitor must name a visitor as a request's 'id' does: tntId, thirdPartyId, marketingCloudVisitorId or "
            "customerIds; leave it out for everybody"
        )
    return ids


def ids_of(ids: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """What a visitor goes by. A tntId counts without the cluster at its end, which changes; one of another shape than
    Target makes counts as a whole, so that it is nobody else's."""
    found = {}
    for kind in ("tntId", "thirdPartyId", "marketingCloudVisitorId"):
        value = ids.get(kind)
        if isinstance(value, str) and value:
            found[kind, ""] = value
    device_id, dot, cluster = found.get(("tntId", ""), "").partition(".")
    if dot and device_id and "." not in cluster:
        found["tntId", ""] = device_id
    for entry in ids.get("customerIds") or ():
        code, value = entry.get("integrationCode"), entry.get("id")
        if isinstance(code, str) and isinstance(value, str) and value:
            found["customerIds", code] = value
    return found


def is_same_visitor(known: Ids, asking: Ids) -> bool:
    """Whether somebody is the one who is known by these ids: one of them is the same, and none is another's."""
    common = known.keys() & asking.keys()
    return bool(common) and all(known[kind] == asking[kind] for kind in common)


def asked_mboxes(body: Mapping[str, Any], mode: str) -> Sequence[Mapping[str, Any]]:
    """The mboxes that a request in wire form asks for in ``execute`` or ``prefetch``."""
    return (body.get(mode) or {}).get("mboxes") or ()


def asked_names(body: Mapping[str, Any]) -> set[str]:
    """The names of all mboxes that a request in wire form asks for."""
    return {mbox["name"] for mode in _MODES for mbox in asked_mboxes(body, mode)}


def leave_out(call: Call, names: Collection[str]) -> Call:
    """``call`` without the mboxes of these names: neither sent nor counted. See ``asks_nothing``."""
    body = dict(call.body)
    for mode in _MODES:
        asked = asked_mboxes(body, mode)
        left = [mbox for mbox in asked if mbox["name"] not in names]
        if len(left) == len(asked):
            continue
        part = {key: value for key, value in body[mode].items() if key != "mboxes"}
        if left:
            part["mboxes"] = left
        if asks(mode, part):
            body[mode] = part
        else:
            del body[mode]
    return call._replace(body=body, written=[])


def asks_nothing(call: Call) -> bool:
    """Whether ``call`` neither asks nor tells anything."""
    return not any(name in call.body for name in _ASKING)


def complete(
    result: TargetDeliveryResponse, asked: Mapping[str, Any], shown: Mapping[str, Shown], client: str
) -> TargetDeliveryResponse:
    """The answer to a whole request: to what was left of it, and what overrides show, in the order asked.

    Args:
        result: The answer to what was left; its ``response`` becomes part of what is returned.
        asked: The whole request, in wire form.
        shown: What overrides show, by mbox.
        client: The client code, for an answer where there is none.
    """
    response = result.response
    if response is None:
        said = {"status": 200, "requestId": asked.get("requestId"), "client": client, "id": asked.get("id")}
        response = models.DeliveryResponse.from_dict(said)
    for mode in _MODES:
        mboxes = asked_mboxes(asked, mode)
        if any(mbox["name"] in shown for mbox in mboxes):
            part = getattr(response, mode)
            if part is None:
                part = _ANSWERS[mode]()
                setattr(response, mode, part)
            part.mboxes = list(_in_order(mode, mboxes, part.mboxes or (), shown))
    meta, which = result.meta, {name: each.which for name, each in shown.items()}
    names = {mode: [mbox["name"] for mbox in asked_mboxes(asked, mode)] for mode in _MODES}
    told = Meta(
        meta.decisioning_method, meta.remote_mboxes, meta.remote_views, partial(_list_decisions, names, which, meta)
    )
    return with_answer(result, response, told)


def _in_order(
    mode: str, asked: Sequence[Mapping[str, Any]], answered: Sequence[Any], shown: Mapping[str, Shown]
) -> Iterator[Any]:
    """The mboxes of an answer as they were asked for; what nobody asked for comes last."""
    waiting: dict[tuple[str, int | None], list[Any]] = {}
    for mbox in reversed(answered):
        if isinstance(mbox.name, str) and mbox.name not in shown:
            index = mbox.index if type(mbox.index) is int else None
            waiting.setdefault((mbox.name, index), []).append(mbox)
    taken = set()
    for mbox in asked:
        name, index = mbox["name"], mbox.get("index")
        if name in shown:
            given = {key: mbox[key] for key in ("index", "name") if key in mbox}
            yield _MBOXES[mode].from_dict({**given, "options": shown[name].options(mbox), "metrics": []})
            continue
        found = waiting.get((name, index)) or waiting.get((name, None))
        if found:
            taken.add(id(found[-1]))
            yield found.pop()
    for mbox in answered:
        if id(mbox) not in taken and not (isinstance(mbox.name, str) and mbox.name in shown):
            yield mbox


def _list_decisions(names: Mapping[str, Sequence[str]], which: Mapping[str, Which], meta: Meta) -> list[PartDecision]:
    """What each part of an answer shows, in the order asked: what is known of the others, and the overrides."""
    found = []
    for mode in _MODES:
        known = [decision for decision in meta.decisions if decision.mode == mode]
        mboxes = [decision for decision in known if decision.kind == "mbox"][::-1]
        found += [decision for decision in known if decision.kind == "pageLoad"]
        for name in names[mode]:
            if name in which:
                found.append(PartDecision("mbox", name, mode, "override", *which[name]))
            elif mboxes:
                found.append(mboxes.pop())
        found += [*mboxes[::-1], *(decision for decision in known if decision.kind == "view")]
    return found
