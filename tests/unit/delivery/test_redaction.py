"""Messages without ids, however long they are and wherever they are cut."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.delivery.redaction import hide_riding, redact
from target.delivery.request import Call, add_to_call
from tests.kit.built_calls import CLICK, PAGE_LOAD, notify, offers

LONG = "LONG" + "0123456789" * 500


def call_with(*ids: str) -> Call:
    return notify({"notifications": [{**CLICK, "id": name, "tokens": [f"token-{name}"]} for name in ids]})


def test_a_message_is_shown_up_to_500_characters() -> None:
    assert redact("ab " * 1000, call_with("n")) == ("ab " * 1000)[:500] + "..."
    assert redact("x" * 500, call_with("n")) == "x" * 500


@pytest.mark.parametrize("secret", ["SECRET-0123456789", "S" * 999, "S" * 1000, LONG], ids=len)
def test_an_id_is_hidden_wherever_the_message_is_cut(secret: str) -> None:
    call = call_with(secret)
    for before in (0, *range(480, 520), *range(2480, 2520), *range(3380, 3520)):
        shown = redact("." * before + secret + "." * 5000, call)
        assert secret[:4] not in shown
        assert len(shown) <= 503


@pytest.mark.parametrize("secret", ["SECRET-0123456789", LONG], ids=len)
def test_ids_that_shrink_what_stands_before_the_cut(secret: str) -> None:
    shown = redact((secret + " ") * 3000, call_with(secret))
    assert secret[:4] not in shown
    assert "<hidden>" in shown


def test_what_follows_an_id_too_long_to_be_looked_for_is_not_shown() -> None:
    assert redact(f"bad token {LONG}, tail", call_with(LONG)) == "bad token <hidden>..."


IDS = st.lists(st.text(alphabet="ab-", min_size=1, max_size=12), min_size=1, max_size=5)


@given(IDS, st.integers(0, 600), st.data())
def test_no_long_id_is_ever_shown(ids: list[str], before: int, data: Any) -> None:
    told = "." * before + "".join(data.draw(st.lists(st.sampled_from([*ids, " ", "a", "-"]), max_size=300)))
    shown = redact(told, call_with(*ids))
    assert not any(name in shown for name in ids if len(name) >= 8)


def test_the_time_does_not_grow_with_the_message() -> None:
    call = call_with(*(f"notification-{n}" for n in range(50)), *"abcdefg")
    short, long = "ab " * 2000, "ab " * 10_000_000

    def took_s(message: str) -> float:
        started = time.perf_counter()
        redact(message, call)
        return time.perf_counter() - started

    assert min(took_s(long) for _ in range(5)) < 20 * max(took_s(short) for _ in range(5))


def test_the_cut_off_beginning_of_an_id_is_not_shown_either() -> None:
    # 3000 characters become three times "<hidden>", so that what stands where the message is cut would be shown.
    call = call_with("i" * 1000, "SECRET-0123456789")
    message = "i" * 1000 * 3 + "." * (500 - 10) + "SECRET-012" + "3456789" + "." * 100
    assert redact(message, call) == "..."


def test_of_a_message_that_was_cut_behind_what_is_shown_nothing_more_is_lost() -> None:
    call = call_with("i" * 1000)
    assert redact("i" * 1000 + "." * 2500 + "tail", call) == "<hidden>" + "." * 492 + "..."
    assert redact("i" * 1000 * 2 + "." * 1400 + "x" * 200, call) == "<hidden>" * 2 + "." * 484 + "..."


@pytest.mark.parametrize(
    ("request_of", "message", "shown"),
    [
        ({"id": {"tntId": "device.with.dots"}}, "bad device, dots", "bad <hidden>, dots"),
        ({"id": {"thirdPartyId": "ab"}}, "XXXX ab abc", "XXXX <hidden> abc"),
        ({"id": {"thirdPartyId": "abc-abc-abc"}}, "abc-abc-abcd", "<hidden>d"),
        ({"id": {"thirdPartyId": "longer-than-8", "tntId": "longer-than-8.1_0"}}, "longer-than-8.1_0", "<hidden>"),
        ({"context": {"channel": "web", "crossDomain": "disabled"}}, "web, disabled, False, True", None),
        ({"execute": {"mboxes": [{"name": "hero", "index": 7}]}}, "hero 7", None),
        ({"trace": {"authorizationToken": "t", "usage": {"token": True}}}, "True or False", None),
    ],
)
def test_what_of_a_request_is_an_id(request_of: dict[str, Any], message: str, shown: str | None) -> None:
    assert redact(message, offers({**PAGE_LOAD, **request_of})) == (message if shown is None else shown)


def test_of_an_id_too_long_to_be_looked_for_the_first_place_counts() -> None:
    long = "L" + "o" * 1200
    assert redact(f"{long[:1000]} and {long[:1000]}", call_with(long)) == "<hidden>..."


@pytest.mark.parametrize("key", ["requestId", "telemetryServerToken"])
def test_what_rode_along_is_hidden_in_messages_and_bodies(key: str) -> None:
    words = ["riding-1", "riding-12", 'a"quoted\\word', "é-word-é"]
    call = add_to_call(offers(), [{key: word} for word in [*words, "", 5, None]])
    for word in words:
        assert redact(f"bad {word}.", call) == "bad <hidden>."
        assert hide_riding(f"bad {word}.", False, call) == "bad <hidden>."
        assert hide_riding(json.dumps({"said": word}), False, call) == '{"said": "<hidden>"}'
    assert hide_riding("rid, 5 and more", False, call) == "rid, 5 and more"


def test_of_a_body_that_was_cut_no_more_is_left_out_than_the_longest_word() -> None:
    call = add_to_call(offers(), [{"requestId": "riding-1"}, {"requestId": "r"}])
    assert hide_riding("." * 20, True, call) == "." * 12
    assert hide_riding("." * 20, False, call) == "." * 20


def test_what_rode_along_is_hidden_in_a_body_that_was_cut() -> None:
    entries = [{"requestId": f"riding-{n:03}", "telemetryServerToken": "t" * 40} for n in range(1000)]
    call = add_to_call(offers(), entries)
    for cut in range(1, 11):
        body = hide_riding("x riding-001 y " + "riding-999"[:cut], True, call)
        assert "rid" not in body
    assert hide_riding("x riding-001 y", False, call) == "x <hidden> y"
    assert hide_riding("x riding-001 y", True, offers()) == "x riding-001 y"


def test_the_longer_of_two_ids_is_hidden_first() -> None:
    long, short = "a-zzzzzzzz", "zzzzzzzz"
    assert redact(f"bad {long}, {short}", call_with(short, long)) == "bad <hidden>, <hidden>"
    call = add_to_call(offers(), [{"requestId": short}, {"requestId": long}])
    assert hide_riding(f"bad {long}, {short}", False, call) == "bad <hidden>, <hidden>"
