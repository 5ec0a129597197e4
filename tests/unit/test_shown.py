"""Notifications made of what an answer holds."""

from __future__ import annotations

import datetime
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import Notification, OptionsError
from target.config import Runtime
from target.shown import build_notifications, parse_shown
from tests.kit.answers import HOSTILE, NAMES, USUAL, Answer, result_of
from tests.kit.built_calls import NOW_S, runtime

HOME: dict[str, Any] = {
    "name": "home",
    "state": "state-of-home",
    "options": [{"type": "html", "content": "a", "eventToken": "t1"}, {"eventToken": "t2"}],
    "metrics": [
        {"type": "click", "selector": "#buy", "eventToken": "c1"},
        {"type": "click", "selector": "#more", "eventToken": "c2"},
        {"type": "display", "eventToken": "d1"},
    ],
}
PAGE: dict[str, Any] = {"state": "state-of-page", "options": HOME["options"], "metrics": HOME["metrics"]}
ANSWER: dict[str, Any] = {
    "execute": {"mboxes": [{"name": "counted", "options": [{"type": "html", "content": "a"}]}]},
    "prefetch": {
        "mboxes": [HOME, {"name": "unfilled", "state": "s"}],
        "views": [{**HOME, "name": "cart", "key": "cart-key"}, {**HOME, "name": "cart", "state": ""}],
        "pageLoad": PAGE,
    },
}


def made(kind: str, answer: Answer, *mboxes: str, **what: Any) -> list[dict[str, Any]]:
    shown = parse_shown(mboxes, what.get("page_load"), what.get("views"), what.get("timestamp"), what.get("selector"))
    found = build_notifications(result_of(answer).response, kind, shown, runtime())
    return [notification.to_dict() for notification in found]


COMMON: dict[str, Any] = {"id": "id-1", "impressionId": "id-2", "timestamp": int(NOW_S * 1000)}


@pytest.mark.parametrize(
    ("what", "about"),
    [
        ({}, []),
        ({"mboxes": ["home"]}, [{"mbox": {"name": "home", "state": "state-of-home"}}]),
        ({"page_load": True}, [{"pageLoad": {"state": "state-of-page"}}]),
        ({"views": ["cart"]}, [{"view": {"name": "cart", "key": "cart-key", "state": "state-of-home"}}]),
        ({"views": "cart"}, [{"view": {"name": "cart", "key": "cart-key", "state": "state-of-home"}}]),
        ({"mboxes": ["home", "home"]}, [{"mbox": {"name": "home", "state": "state-of-home"}}]),
        ({"mboxes": ["counted", "unfilled"]}, []),
    ],
    ids=str,
)
def test_what_a_notification_is_about(what: dict[str, Any], about: list[dict[str, Any]]) -> None:
    mboxes = what.pop("mboxes", ())
    for kind, tokens in (("display", ["t1", "t2"]), ("click", ["c1", "c2"])):
        expected = [{**COMMON, "type": kind, "tokens": tokens, **each} for each in about]
        assert made(kind, ANSWER, *mboxes, **what) == expected


def test_a_click_of_one_selector() -> None:
    (clicked,) = made("click", ANSWER, "home", selector="#more")
    assert clicked["tokens"] == ["c2"]
    assert made("click", ANSWER, "home", selector="#other") == []


def test_a_click_metric_of_an_option() -> None:
    option = {
        "type": "html",
        "metrics": [{"type": "click", "eventToken": "c"}, {"type": "display", "eventToken": "d"}, 5],
    }
    for more in ({}, {"metrics": "x"}, {"metrics": [None]}):
        answer = {"execute": {"mboxes": [{"name": "home", "options": [option, more]}]}}
        (clicked,) = made("click", answer, "home")
        assert (clicked["tokens"], clicked["mbox"]) == (["c"], {"name": "home"})


def test_nothing_counts_twice() -> None:
    twice = {"execute": {"mboxes": [HOME]}, "prefetch": {"mboxes": [HOME, HOME, {**HOME, "name": "cart"}]}}
    assert [item["mbox"]["name"] for item in made("click", twice, "home", "cart")] == ["home", "cart"]
    assert [item["tokens"] for item in made("display", twice, "home")] == [["t1", "t2"]]


def test_every_notification_has_ids_of_its_own() -> None:
    found = result_of(ANSWER).displayed("home", page_load=True, views=["cart"])
    ids = [text for item in found for text in (item.id, item.impression_id)]
    assert len(set(ids)) == 6
    assert all(isinstance(item, Notification) for item in found)


@pytest.mark.parametrize(
    "moment",
    [
        1570320000123,
        1570320000123.9,
        datetime.datetime(2019, 10, 6, 0, 0, 0, 123000),
        datetime.datetime(2019, 10, 6, 2, 0, 0, 123999, datetime.timezone(datetime.timedelta(hours=2))),
    ],
    ids=repr,
)
def test_when(moment: Any) -> None:
    assert result_of(ANSWER).displayed("home", timestamp=moment)[0].timestamp == 1570320000123
    assert result_of(ANSWER).clicked("home", timestamp=moment)[0].timestamp == 1570320000123


def test_now_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("target.config.default_runtime", Runtime(lambda: 1.5, lambda: "x", lambda: 0))
    assert result_of(ANSWER).displayed("home")[0].timestamp == 1500


@pytest.mark.parametrize("moment", ["now", True, float("nan"), float("inf"), None, b"1", [1]], ids=repr)
def test_when_is_a_moment(moment: Any) -> None:
    if moment is None:
        assert result_of(ANSWER).displayed("home", timestamp=None)
        return
    with pytest.raises(OptionsError, match="timestamp must be"):
        result_of(ANSWER).displayed("home", timestamp=moment)


@pytest.mark.parametrize(
    ("mboxes", "what", "message"),
    [
        (["x"], {}, "The answer holds no mbox 'x': it holds 'counted', 'home', 'unfilled'"),
        (["home"], {"views": ["x"]}, "The answer holds no view 'x': it holds 'cart'"),
        ([5], {}, "mboxes must hold names, which are strings, not int"),
        ([], {"views": 5}, "views must be a list of names, not int"),
        ([], {"page_load": 1}, "must be True or False"),
    ],
    ids=str,
)
@pytest.mark.parametrize("tell", ["displayed", "clicked"])
def test_mistakes(tell: str, mboxes: list[Any], what: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        getattr(result_of(ANSWER), tell)(*mboxes, **what)


def test_an_answer_that_holds_none() -> None:
    rows: list[tuple[dict[str, Any], str]] = [
        ({"mboxes": ["home"]}, "no mbox 'home': it holds none"),
        ({"views": ["cart"]}, "no view 'cart': it holds none"),
        ({"page_load": True}, "nothing for the page"),
    ]
    for what, message in rows:
        with pytest.raises(OptionsError, match=message):
            result_of({"status": 200}).displayed(*what.pop("mboxes", ()), **what)


def test_where_there_is_no_answer_nothing_is_told() -> None:
    result = result_of(None)
    assert result.displayed("home", page_load=True, views=["cart"]) == result.clicked("home") == []


def test_of_many_names_a_message_shows_some() -> None:
    answer = {"execute": {"mboxes": [{"name": f"mbox-{number:02}" + "x" * 200} for number in range(50)]}}
    with pytest.raises(OptionsError, match=r"'mbox-00.*'mbox-19x*' and more$") as caught:
        result_of(answer).displayed("home")
    assert len(str(caught.value)) < 1000


@given(answer=USUAL | HOSTILE, name=NAMES | st.text(max_size=5), selector=st.none() | st.text(max_size=3))
def test_of_any_answer_either_a_mistake_is_told_or_it_can_be_sent(
    answer: Answer, name: str, selector: str | None
) -> None:
    result = pickle.loads(pickle.dumps(result_of(answer)))
    held = {mbox.name for mbox in _mboxes(result) if isinstance(mbox.name, str)}
    for tell in (result.displayed, lambda *names, **what: result.clicked(*names, selector=selector, **what)):
        for names, what in (((name,), {}), ((), {"views": [name]}), ((), {"page_load": True})):
            try:
                found = tell(*names, **what)
            except OptionsError:
                assert not (names and name in held)
                continue
            assert not names or name in held or result.response is None
            for notification in found:
                wire = notification.to_dict()
                assert wire["tokens"]
                assert all(isinstance(token, str) and token for token in wire["tokens"])
                assert len(set(wire["tokens"])) == len(wire["tokens"])
                assert len(wire.keys() & {"mbox", "view", "pageLoad"}) == 1
                texts = [text for key in ("mbox", "view", "pageLoad") for text in wire.get(key, {}).values()]
                assert all(isinstance(text, str) for text in texts)


def _mboxes(result: Any) -> list[Any]:
    response = result.response
    parts = [] if response is None else [part for part in (response.execute, response.prefetch) if part is not None]
    return [mbox for part in parts for mbox in part.mboxes or ()]
