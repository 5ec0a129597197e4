"""A call with overrides: whatever is asked, no mbox with an override is left in it, and the answer has all of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from target.config import default_runtime
from target.delivery.overridden import Overridden, asked_names, asks_nothing, leave_out, show_content
from target.delivery.reply import assemble
from target.reasons import PartDecision
from target.response import Meta
from target_delivery_api.models import DeliveryResponse
from tests.kit.built_calls import offers

NAMES = ["home", "side", "hero"]
names = st.sampled_from(NAMES)
mboxes = st.lists(st.fixed_dictionaries({"name": names}, optional={"index": st.integers(0, 9)}), max_size=5)
overrides = st.dictionaries(names, st.none() | st.text(max_size=5) | st.booleans() | st.just({"a": [1]}))
TOLD = {"id": "n", "type": "click", "timestamp": 1}


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for mode in ("execute", "prefetch"):
        part: dict[str, Any] = {"mboxes": draw(mboxes)}
        if draw(st.booleans()):
            part["pageLoad"] = {}
        if mode == "prefetch" and draw(st.booleans()):
            part["views"] = [{"name": "cart"}]
        if any(part.values()) or "pageLoad" in part:
            body[mode] = part
    if draw(st.booleans()):
        body["notifications"] = [TOLD]
    return body or {"execute": {"mboxes": [{"name": "home"}]}}


def pairs(body: Any, mode: str) -> list[tuple[Any, Any]]:
    return [(mbox["name"], mbox["index"]) for mbox in (body.get(mode) or {}).get("mboxes") or ()]


def answer_to(body: dict[str, Any], order: Any) -> dict[str, Any]:
    """As a server answers, in whatever order."""
    answer: dict[str, Any] = {"status": 200}
    for mode in ("execute", "prefetch"):
        if mode in body:
            found = [
                {"name": name, "index": index, "options": [{"type": "html", "content": "theirs", "eventToken": "t"}]}
                for name, index in pairs(body, mode)
            ]
            answer[mode] = {"mboxes": order(found)}
    return answer


@given(requests(), overrides, st.randoms(use_true_random=False), st.booleans())
def test_nothing_overridden_is_sent_and_all_of_it_is_answered(
    request: Any, shown: Any, random: Any, is_answered: bool
) -> None:
    call = offers(request)
    whole = json.loads(call.content)
    left = leave_out(call, shown)
    assert call.content == json.dumps(whole, separators=(",", ":")).encode()  # which is as it was
    assert json.loads(left.content) == left.body
    assert not asked_names(left.body) & shown.keys()
    for mode in ("execute", "prefetch"):
        assert pairs(left.body, mode) == [pair for pair in pairs(whole, mode) if pair[0] not in shown]
        for key in ("pageLoad", "views"):
            assert (left.body.get(mode) or {}).get(key) == (whole.get(mode) or {}).get(key)
        assert left.body.get(mode) != {}
    rest = {key: value for key, value in whole.items() if key not in ("execute", "prefetch")}
    assert {key: value for key, value in left.body.items() if key not in ("execute", "prefetch")} == rest
    assert asks_nothing(left) == (not {"execute", "prefetch", "notifications"} & left.body.keys())

    response = DeliveryResponse.from_dict(answer_to(left.body, lambda found: random.sample(found, len(found))))
    theirs = [
        PartDecision("mbox", name, mode, "split", name)
        for mode in ("execute", "prefetch")
        for name, _ in pairs(left.body, mode)
    ]
    meta = Meta("on-device", [], [], theirs)
    result = assemble(left, response if is_answered else None, default_runtime.now_s(), meta)
    contents = {name: show_content(what) for name, what in shown.items()}
    completed = Overridden(left, whole, contents, "acme").finish(result)
    for mode in ("execute", "prefetch"):
        found = (getattr(completed.response, mode) and getattr(completed.response, mode).mboxes) or []
        asked = pairs(whole, mode)
        expected = asked if is_answered else [pair for pair in asked if pair[0] in shown]
        seen = [(mbox.name, mbox.index) for mbox in found]
        assert seen == expected or (sorted(seen) == sorted(expected) and not shown.keys() & {name for name, _ in asked})
        for mbox in found:
            contents_of = [option.content for option in mbox.options]
            if mbox.name in shown:
                assert contents_of == ([] if shown[mbox.name] is None else [shown[mbox.name]])
                assert all(option.event_token is None for option in mbox.options)
                assert mbox.metrics == []
            else:
                assert contents_of == ["theirs"]
        assert [(part.name, part.reason) for part in completed.meta.decisions if part.mode == mode] == [
            (name, "override" if name in shown else "split") for name, _ in asked
        ]
    for name in shown.keys() & asked_names(whole):
        assert completed.displayed(name) == completed.clicked(name) == []


def test_an_answer_of_odd_types_is_put_in_order_all_the_same() -> None:
    call = offers({"execute": {"mboxes": [{"name": "home"}, {"name": "side"}]}})
    left = leave_out(call, {"home"})
    odd = [{"name": ["home"], "index": {}}, {"name": "side", "index": [0]}, {"index": True}]
    response = DeliveryResponse.from_dict({"status": 200, "execute": {"mboxes": odd}})
    whole = Overridden(left, call.body, {"home": show_content("ours")}, "acme")
    mboxes = whole.finish(assemble(left, response, 0.0)).response.execute.mboxes
    assert [mbox.name for mbox in mboxes] == ["home", "side", ["home"], None]
    assert mboxes[0].options[0].content == "ours"
