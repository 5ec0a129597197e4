"""Who is a bot: crawlers and health checks, of several vendors each, and nobody else."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import OptionsError
from target.decisioning import bots
from target.decisioning.bots import is_bot, require_parser
from tests.kit.user_agents import CHROME, CRAWLERS, GOOGLEBOT, HEALTH_CHECKS, PEOPLE


def test_crawlers_and_health_checks_are_bots() -> None:
    assert [user_agent for user_agent in (*CRAWLERS, *HEALTH_CHECKS) if not is_bot(user_agent)] == []


def test_people_are_none() -> None:
    assert [user_agent for user_agent in PEOPLE if is_bot(user_agent)] == []


def test_the_tables_are_of_many_vendors() -> None:
    assert min(map(len, (CRAWLERS, HEALTH_CHECKS, PEOPLE))) >= 30


@pytest.mark.parametrize("nobody", [None, "", 7, b"Googlebot/2.1", ["Googlebot/2.1"], {"a": 1}])
def test_who_sends_no_user_agent_is_not_known_to_be_one(nobody: Any) -> None:
    assert not is_bot(nobody)


@given(
    st.text()
    | st.from_regex(r"(?s).*[Bb]ot/[0-9].*")
    | st.binary().map(lambda data: data.decode("utf-16", "surrogatepass") if len(data) % 2 == 0 else "")
)
def test_no_text_makes_it_fail(user_agent: str) -> None:
    assert is_bot(user_agent) in (True, False)


@pytest.mark.parametrize("half", ["\ud800", "Mozilla/5.0 \udfff", "\x00\x7f"])
def test_what_is_no_text_of_any_language(half: str) -> None:
    assert not is_bot(half)
    assert is_bot(f"{half} {GOOGLEBOT}")


@pytest.mark.parametrize("filler", ["a", "(", "Mozilla/5.0 (Linux; ", "bot ", "\U0001f916", " like Gecko"])
def test_a_huge_one_takes_no_longer(filler: str) -> None:
    is_bot(CHROME)
    started = time.perf_counter()
    is_bot(filler * 10_000_000)
    assert time.perf_counter() - started < 1


def test_what_is_known_does_not_grow_without_end() -> None:
    for number in range(5000):
        bots._is_bot(f"kube-probe/{number}")
    assert bots._is_bot.cache_info().currsize <= 4096


def test_without_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    require_parser()
    monkeypatch.setattr(bots, "find_spec", lambda name: importlib.util.find_spec(f"no_{name}"))
    with pytest.raises(OptionsError) as raised:
        require_parser()
    assert str(raised.value) == (
        "Option 'exclude_bots' needs the package ua-parser, which the extra 'on-device' has: "
        "pip install 'target-delivery[on-device]'"
    )
