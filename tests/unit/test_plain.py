"""Results as plain data."""

from __future__ import annotations

from typing import Any

import pytest

from target import Option, OptionsError
from target.plain import plain, written
from target.reasons import PartDecision


def test_whatever_can_be_made_plain_is() -> None:
    part = PartDecision("mbox", "home", "execute", "default")
    assert plain({"a": (Option(type="html"), [part, 1]), "b": None}) == {
        "a": [{"type": "html"}, [part.to_dict(), 1]],
        "b": None,
    }


def test_what_cannot_be_written_says_so() -> None:
    deep: list[Any] = []
    deep.append(deep)
    with pytest.raises(OptionsError, match="nested too deeply"):
        written(lambda: plain(deep))
    with pytest.raises(OptionsError, match="as it is"):
        written(lambda: refuse("as it is"))


def refuse(why: str) -> None:
    raise OptionsError(why)
