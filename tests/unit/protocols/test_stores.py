"""What stores are given: room is reckoned for them, and a claim that is released is settled with nothing sent."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from target.errors import OutboxFull
from target.protocols import Claim, LaneState, Moment, Settlement, Store, StoreSettings


def settings(**fields: Any) -> StoreSettings:
    made = StoreSettings("acme", 10, "raise", 30.0, 4000.0, lambda: Moment(1.0, 2.0), logging.getLogger("target"))
    return made._replace(**fields)


@pytest.mark.parametrize(
    ("when_full", "waiting", "added", "excess"),
    [
        ("raise", 0, 10, 0),
        ("raise", 9, 1, 0),
        ("raise", 9, 2, None),
        ("raise", 0, 11, None),
        ("drop_oldest", 9, 1, 0),
        ("drop_oldest", 9, 3, 2),
        ("drop_oldest", 10, 10, 10),
        ("drop_oldest", 14, 1, 5),
        ("drop_oldest", 0, 11, None),
    ],
)
def test_room(when_full: Any, waiting: int, added: int, excess: int | None) -> None:
    made = settings(when_full=when_full)
    if excess is None:
        with pytest.raises(OutboxFull, match=f"holds {waiting} notifications of at most 10 and got {added} more"):
            made.require_room(waiting, added)
    else:
        assert made.require_room(waiting, added) == excess


def test_what_is_due_goes_by_the_steady_clock() -> None:
    assert settings().now_s() == 2.0


REQUIRED = [
    "add",
    "claim",
    "settle",
    "next_due_s",
    "hurry",
    "mark",
    "passed",
    "counts",
    "dead_letters",
    "revive",
    "close",
]


def test_a_store_may_leave_the_rest_to_the_protocol() -> None:
    methods = {name: lambda self, *_: None for name in REQUIRED}
    settled: list[tuple[Claim, Settlement]] = []
    kind: Any = type("Own", (Store,), {**methods, "settle": lambda self, *given: settled.append(given)})
    store = kind()
    claim = Claim("token", LaneState(1.0, failures=2, status=503), "session", (), False, 9.0)
    store.release(claim, 7.0)
    assert settled == [(claim, Settlement(LaneState(7.0, failures=2, status=503)))]
    store.tidy()
    store.begin_anew()


@pytest.mark.parametrize("name", REQUIRED)
def test_a_store_that_lacks_a_method_cannot_be_made(name: str) -> None:
    kind: Any = type("Own", (Store,), {other: lambda self: None for other in REQUIRED if other != name})
    with pytest.raises(TypeError, match=f"abstract.* '?{name}"):
        kind()
