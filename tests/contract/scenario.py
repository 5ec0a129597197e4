"""Owns what a scenario is: calls and checks in order, free of how a call is made, so that any client can run it.

A scenario is a generator function. It yields the calls, is sent their results (or is thrown their errors), checks what
must hold against any account, and returns, as JSON-ready facts, what depends on the offers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from target import TargetClient, TargetError


class Call(NamedTuple):
    """One call of a client's method."""

    method: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]


Steps = Generator[Call, Any, Any]
Scenario = Callable[[], Steps]


def get_offers(**options: Any) -> Call:
    return Call("get_offers", (), options)


def get_attributes(mbox_names: list[str], **options: Any) -> Call:
    return Call("get_attributes", (mbox_names,), options)


def send_notifications(**options: Any) -> Call:
    return Call("send_notifications", (), options)


def run(scenario: Scenario, client: TargetClient) -> Any:
    """Make the scenario's calls with `client`; returns its facts, raises what it does not expect."""
    steps = scenario()
    try:
        call = next(steps)
        while True:
            try:
                result = getattr(client, call.method)(*call.arguments, **call.options)
            except TargetError as error:
                call = steps.throw(error)
            else:
                call = steps.send(result)
    except StopIteration as end:
        return end.value
