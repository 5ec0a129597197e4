"""What callers may say about an outbox, and that it is said early and for good."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import typing
from pathlib import Path
from typing import Any

import pytest

from target import outbox
from target.errors import OptionsError, OutboxFull, TargetError
from target.outbox import DeadLetter, Outbox
from tests.kit.kinds import kinds_of, kinds_taken

HOW_IT_IS_OPENED = {"path", "store"}
MAKERS = [Outbox.memory, lambda **options: Outbox.sqlite("outbox.db", **options)]


@pytest.mark.parametrize("make", MAKERS)
def test_defaults_are_as_documented(make: Any) -> None:
    made = make()
    assert (made.max_pending, made.when_full, made.flush_interval) == (10_000, "raise", 1000)
    assert (made.max_age, made.lease) == (86_400_000, 30_000)


@pytest.mark.parametrize("make", [Outbox, Outbox.memory, Outbox.sqlite])
def test_every_way_to_make_one_takes_the_same_options(make: Any) -> None:
    taken = {name: each for name, each in inspect.signature(make).parameters.items() if name not in HOW_IT_IS_OPENED}
    assert set(taken) == set(outbox._OPTIONS)
    assert {name: each.default for name, each in taken.items()} == {
        name: getattr(Outbox.memory(), name) for name in outbox._OPTIONS
    }
    hints = typing.get_type_hints(getattr(make, "__init__" if isinstance(make, type) else "__func__"))
    for name, parse in outbox._OPTIONS.items():
        assert kinds_of(hints[name]) == kinds_taken(parse, name), name
        assert re.search(rf"^    {name}: [A-Z`]", inspect.getdoc(Outbox) or "", re.MULTILINE), name


@pytest.mark.parametrize("make", MAKERS)
def test_options_are_kept(make: Any) -> None:
    options = {"max_pending": 1, "when_full": "drop_oldest", "flush_interval": 0, "max_age": 0.5, "lease": 2}
    made = make(**options)
    assert {name: getattr(made, name) for name in options} == options


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_pending", 0),
        ("max_pending", -1),
        ("max_pending", 1.5),
        ("max_pending", True),
        ("max_pending", "10"),
        ("max_pending", None),
        ("when_full", "drop"),
        ("when_full", None),
        ("when_full", []),
        ("flush_interval", -1),
        ("flush_interval", "1000"),
        ("flush_interval", float("nan")),
        ("flush_interval", None),
        ("max_age", 0),
        ("max_age", float("inf")),
        ("lease", 0),
        ("lease", -5),
        ("lease", True),
    ],
)
def test_a_wrong_option_is_named(make: Any, name: str, value: object) -> None:
    with pytest.raises(OptionsError, match=f"'{name}'"):
        make(**{name: value})


@pytest.mark.parametrize("make", MAKERS)
def test_an_unknown_option_is_refused(make: Any) -> None:
    with pytest.raises(TypeError, match="max_pendign"):
        make(max_pendign=1)


@pytest.mark.parametrize("path", ["", None, 7, b"outbox.db", "a\0b", ":memory:", ["a"]])
def test_a_wrong_path_is_refused(path: Any) -> None:
    with pytest.raises(OptionsError, match="'path'"):
        Outbox.sqlite(path)


def test_a_path_is_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Outbox.sqlite("outbox.db").path == str(tmp_path / "outbox.db")
    assert Outbox.sqlite(Path("sub") / "outbox.db").path == str(tmp_path / "sub" / "outbox.db")
    assert Outbox.memory().path is None


def test_describing_opens_nothing(tmp_path: Path) -> None:
    Outbox.sqlite(tmp_path / "outbox.db")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("made", [Outbox.memory(), DeadLetter({"id": "a"}, "refused", 400, 1)])
def test_it_cannot_be_changed(made: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(made)[-1].name, 5)


def test_equal_descriptions_are_equal() -> None:
    assert Outbox.memory(lease=5) == Outbox.memory(lease=5)
    assert Outbox.memory(lease=5) != Outbox.memory(lease=6)


def test_a_dead_letter_shows_no_ids() -> None:
    shown = repr(DeadLetter({"id": "Secret", "impressionId": "Secret"}, "refused", 400, 1))
    assert "Secret" not in shown
    assert "refused" in shown


def test_a_full_outbox_is_an_error_of_this_package() -> None:
    assert issubclass(OutboxFull, TargetError)
