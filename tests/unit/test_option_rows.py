"""Rows of a table of options: what a NamedTuple's fields say, and how options are read by it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from target.errors import OptionsError
from target.option_rows import REQUIRED, option, read_rows, required, rows_of
from target.values import parse_flag, parse_milliseconds, parse_text


class Shop(NamedTuple):
    made: str
    name: str = required(parse_text)
    pause_s: float = option(parse_milliseconds, 1500)
    open: bool = option(parse_flag, False)
    note: str | None = option(parse_text, None)


SHOP = rows_of(Shop)


def test_a_table_names_options_and_durations_are_milliseconds() -> None:
    assert rows_of(Shop) == {
        "name": (parse_text, REQUIRED),
        "pause": (parse_milliseconds, 1500),
        "open": (parse_flag, False),
        "note": (parse_text, None),
    }


def test_what_is_not_said_or_reads_as_nothing_is_the_default() -> None:
    assert read_rows({"name": "corner"}, SHOP) == {"name": "corner", "pause": 1500, "open": False, "note": None}
    given = {"name": "corner", "pause": None, "open": True, "note": "", "of": "another table"}
    assert read_rows(given, SHOP) == {"name": "corner", "pause": 1500, "open": True, "note": None}
    assert read_rows({"environment": ""}, {"environment": (parse_text, "production")}) == {"environment": "production"}


def test_a_wrong_value_names_its_option() -> None:
    with pytest.raises(OptionsError, match="'pause' must be a number of milliseconds"):
        read_rows({"pause": "1"}, SHOP)
