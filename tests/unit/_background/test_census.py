"""How many clients of one client code are alive."""

from __future__ import annotations

import gc

from target._background.census import MOST_ALIVE, Counted, _groups


def test_too_many_are_said_once_and_by_code() -> None:
    few = [Counted("few") for _ in range(MOST_ALIVE)]
    many = [Counted("many") for _ in range(MOST_ALIVE + 3)]
    assert [counted.are_too_many() for counted in few] == [False] * MOST_ALIVE
    assert [counted.are_too_many() for counted in many] == [True] + [False] * (MOST_ALIVE + 2)


def test_those_that_have_left_or_were_forgotten_do_not_count() -> None:
    for _ in range(MOST_ALIVE * 2):
        Counted("gone")
        left = Counted("gone")
        left.leave()
        left.leave()
    gc.collect()
    assert not Counted("gone").are_too_many()


def test_a_code_that_nobody_uses_any_more_is_forgotten() -> None:
    Counted("for a moment")
    gc.collect()
    assert "for a moment" not in _groups
