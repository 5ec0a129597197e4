"""A call that rules decide is made as far as they need it: what becomes of it later is what it would have been."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target import OptionsError
from target.config import ClientConfig, Runtime, parse_request_options
from target.decisioning.artifact import parse_artifact
from target.decisioning.decide import decide
from target.delivery.request import Asked, Call, Draft, build_offers_call, draft_offers_call
from tests.kit.built_calls import NOW_S, PAGE_LOAD, config, expires, runtime
from tests.kit.properties import examples
from tests.unit.decisioning.test_artifact import JSON, REQUEST, WHOLE, places, put

CLIENTS = [
    {},
    {"property_token": "p", "environment_id": 7},
    {"property_token": "q", "target_location_hint": "35", "decisioning_method": "hybrid"},
]
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "target_cookie": st.sampled_from(
            (
                f"session#s-1#{expires()}|PC#d.38_0#{expires()}",
                f"session#sid#{expires()}",
                "session#old#1|PC#x#1",
                "=;#",
            )
        ),
        "target_location_hint": st.sampled_from(("38", "x")),
        "session_id": st.just("own"),
        "customer_ids": st.just({"crm": "1"}),
        "visitor_cookie": st.sampled_from(("", "MCMID|123", "MCOPTOUT|1|MCMID|5")),
        "consumer_id": st.just("c"),
        "override_token": st.just("o"),
    },
)
BODY: dict[str, Any] = {
    **REQUEST,
    "impressionId": "i",
    "environmentId": 5,
    "context": {
        "userAgent": "UA",
        "geo": {"city": "BERN"},
        "channel": "mobile",
        "timeOffsetInMinutes": 60,
        "browser": {"host": "h"},
    },
    "experienceCloud": {"analytics": {"logging": "client_side"}, "audienceManager": {"blob": "b"}},
    "notifications": [{"id": "n", "type": "click", "timestamp": 1, "mbox": {"name": "a"}}, {"id": "n"}],
}
ODD = st.one_of(JSON, st.sampled_from(("", " ", None, {}, [], {"channel": "tv"}, {"channel": None}, "a.b_c", 7)))


class Told:
    """A logger that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def debug(self, message: str) -> None:
        self.lines.append(message)

    warning = error = info = debug


def on_device(told: Told, client: dict[str, Any]) -> ClientConfig:
    return config(**{"decisioning_method": "on-device", "logger": told, "artifact_payload": WHOLE, **client})


def outcome(
    make: Callable[..., Asked],
    client: dict[str, Any],
    options: dict[str, Any],
    names: tuple[str, ...],
    made_by: Runtime,
) -> tuple[Asked | str, list[str]]:
    """What is made, or the error, and what is logged meanwhile."""
    told = Told()
    settled = on_device(told, client)
    told.lines.clear()
    try:
        return make(settled, parse_request_options(options), made_by, None, names), told.lines
    except OptionsError as error:
        return str(error), told.lines


@settings(max_examples=examples(1500))
@given(st.sampled_from(CLIENTS), st.data(), OPTIONS, st.sampled_from(((), ("hero", "more"))), ODD)
def test_its_call_is_the_call(
    client: dict[str, Any], data: st.DataObject, options: dict[str, Any], names: tuple[str, ...], odd: Any
) -> None:
    body = {key: BODY[key] for key in BODY if data.draw(st.booleans(), key)}
    path = data.draw(st.sampled_from(places(body)), "path")
    if path:
        body = put(body, path, odd)
    given_options = {**options, "request": body or PAGE_LOAD}
    same = Runtime(lambda: NOW_S, lambda: "made-id", lambda: 120)
    draft, told = outcome(draft_offers_call, client, given_options, names, same)
    call, told_at_once = outcome(build_offers_call, client, given_options, names, same)
    assert told == told_at_once  # all that is logged is so when it is asked, not when somebody looks
    if isinstance(draft, str):
        assert draft == call
        return
    before = draft.body.copy()
    assert isinstance(draft, Draft)
    assert draft.call._replace(visitor=None) == call._replace(visitor=None)
    assert (draft.session_id, draft.device_id) == (draft.call.session_id, draft.call.device_id)
    assert (draft.cluster, draft.method) == (draft.call.cluster, draft.call.method)
    assert draft.body == before
    artifact = parse_artifact(WHOLE)
    decided = [
        decide(asked.body, artifact, client="acme", now_s=NOW_S, new_id=lambda: "id", session_id="s").response
        for asked in (draft, draft.call)
    ]
    assert decided[0] == decided[1]


@pytest.mark.parametrize("first", ["call", "session_id"])
@pytest.mark.parametrize(
    "given_ids", [{}, {"requestId": "r"}, {"impressionId": "i"}, {"requestId": "r", "impressionId": "i"}]
)
@pytest.mark.parametrize("session", [None, "own"])
def test_every_id_is_one_of_its_own(first: str, given_ids: dict[str, str], session: str | None) -> None:
    options = parse_request_options({"request": {**PAGE_LOAD, **given_ids}, "session_id": session})
    drafted = draft_offers_call(on_device(Told(), {}), options, runtime(), None)
    at_once = build_offers_call(on_device(Told(), {}), options, runtime(), None)
    getattr(drafted, first)
    for call in (drafted.call, at_once):
        ids = [call.trace_id, call.body["impressionId"], call.session_id]
        assert len(set(ids)) == 3
        assert call.body["requestId"] == given_ids.get("requestId", call.trace_id)
        assert call.body["impressionId"] == given_ids.get("impressionId", call.body["impressionId"])
        assert call.session_id == (session or call.session_id)
    assert drafted.session_id == drafted.call.session_id


def test_all_threads_get_the_same_call_and_session() -> None:
    numbers = itertools.count()
    made_by = Runtime(lambda: NOW_S, lambda: f"id-{next(numbers)}", lambda: 0)
    for _ in range(200):
        draft = draft_offers_call(on_device(Told(), {}), parse_request_options({"request": PAGE_LOAD}), made_by, None)
        seen: list[tuple[Call, str]] = []
        barrier = threading.Barrier(4)

        def look(draft: Draft = draft, barrier: threading.Barrier = barrier, seen: list[Any] = seen) -> None:
            barrier.wait()
            seen.append((draft.call, draft.session_id))

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({id(call) for call, _ in seen}) == 1
        assert {session for _, session in seen} == {seen[0][0].session_id}


def test_it_holds_nothing_of_its_caller() -> None:
    request: dict[str, Any] = {
        "context": {"channel": "web"},
        "prefetch": {"mboxes": [{"name": "a", "parameters": {"x": "1"}}]},
    }
    draft = draft_offers_call(on_device(Told(), {}), parse_request_options({"request": request}), runtime(), None)
    request["prefetch"]["mboxes"][0]["parameters"]["x"] = "2"
    request["context"]["channel"] = "mobile"
    assert draft.call.body["prefetch"]["mboxes"][0]["parameters"] == {"x": "1"}
    assert draft.call.body["context"]["channel"] == "web"
