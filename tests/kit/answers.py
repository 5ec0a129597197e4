"""Results of made-up answers, and every answer that an account, or a host that lies, can give."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from target import DeliveryResponse, TargetDeliveryResponse
from target.delivery.reply import assemble
from tests.generation.strategies import JSON, wire_objects
from tests.kit.built_calls import NOW_S, PAGE_LOAD, offers

Answer = dict[str, Any] | None


def result_of(answer: Answer, request: Any = PAGE_LOAD, **options: Any) -> TargetDeliveryResponse:
    """What ``get_offers`` would return for ``answer``, None being a 204."""
    response = None if answer is None else DeliveryResponse.from_dict(answer)
    return assemble(offers(request, **options), response, NOW_S)


def _objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


NAMES = st.sampled_from(["home", "cart", ""])
_TOKENS = st.sampled_from(["token-1", "token-2", "token-3"])


def _places(content: st.SearchStrategy[Any], token: st.SearchStrategy[Any], text: st.SearchStrategy[Any]) -> Any:
    option = _objects(type=st.sampled_from(["html", "json", "actions", "redirect"]), content=content, eventToken=token)
    metric = _objects(type=st.sampled_from(["click", "display"]), eventToken=token, selector=text)
    held = {"options": st.lists(option, max_size=3), "metrics": st.lists(metric, max_size=3), "state": text}
    place = _objects(name=NAMES | text, **held)
    part = _objects(pageLoad=_objects(**held), mboxes=st.lists(place, max_size=3), views=st.lists(place, max_size=3))
    return st.none() | _objects(status=st.just(200), execute=part, prefetch=part)


#: What an account answers: offers, default content, mboxes that no activity fills, a 204.
USUAL: st.SearchStrategy[Answer] = _places(JSON, _TOKENS, st.text(max_size=5))
#: What the models take beyond that: any value where a text belongs, fields that nobody knows.
HOSTILE: st.SearchStrategy[Answer] = _places(JSON, JSON, JSON) | wire_objects("DeliveryResponse")
