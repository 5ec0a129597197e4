"""Answers that a transaction shares: with nobody else, for a while, in number, and across no fork."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.transaction_context import ContextVarsTransactionContextPropagator, TransactionContextPropagator

from target import TargetClient
from target.integrations.openfeature import TargetProvider
from target.integrations.openfeature._answers import MOST_CONTEXTS, MOST_TRANSACTIONS
from tests.kit.calls import MakeClient
from tests.kit.loopback import LoopbackServer, Received
from tests.unit.integrations.openfeature.pages import VISITOR, asked, flags_of, json_offer, page, showing


@pytest.fixture
def server_of_flags(server: LoopbackServer) -> LoopbackServer:
    server.answer = showing(home=[json_offer({"a": 1, "b": {"c": 2}})], other=[json_offer({"a": 5})])
    return server


def visitor_of(received: Received) -> Any:
    return (received.body.get("id") or {}).get("thirdPartyId")


def test_without_a_transaction_nothing_is_shared(server_of_flags: LoopbackServer, client: TargetClient) -> None:
    with flags_of(TargetProvider(client)) as flags:
        for _ in range(2):
            assert flags.get_integer_value("home.a", 0, VISITOR) == 1
        api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
        for _ in range(2):  # an empty one, such as each thread has for as long as it lives
            assert flags.get_integer_value("home.a", 0, VISITOR) == 1
    assert len(asked(server_of_flags.received)) == 4


def test_attributes_of_one_mbox_are_one_call_though_nobody_named_it(
    server_of_flags: LoopbackServer, client: TargetClient
) -> None:
    with flags_of(TargetProvider(client)) as flags:
        with page():
            assert flags.get_integer_value("home.a", 0, VISITOR) == 1
            assert flags.get_integer_value("home.b.c", 0, VISITOR) == 2
            assert flags.get_object_value("home", {}, VISITOR)["a"] == 1
        assert asked(server_of_flags.received) == [["home.a", "home"]]
        with page("2"):
            assert flags.get_integer_value("home.b.c", 0, VISITOR) == 2
        assert [set(names) for names in asked(server_of_flags.received)[1:]] == [
            {"home.b.c", "home.b", "home", "home.a"}
        ], "what was asked for lately is asked for at once"


def test_a_value_that_is_changed_by_its_reader_stays_as_it_was(
    server_of_flags: LoopbackServer, client: TargetClient
) -> None:
    with flags_of(TargetProvider(client)) as flags, page():
        first: Any = flags.get_object_value("home", {}, VISITOR)
        first["b"]["c"] = "changed"
        assert flags.get_integer_value("home.b.c", 0, VISITOR) == 2


def test_a_second_call_of_a_page_is_of_the_same_visitor_and_session(
    server_of_flags: LoopbackServer, client: TargetClient
) -> None:
    with flags_of(TargetProvider(client)) as flags, page():
        flags.get_integer_value("home.a", 0)
        flags.get_integer_value("other.a", 0)
    first, second = server_of_flags.received[:2]
    assert "id" not in first.body
    assert second.body["id"] == {"tntId": "device"}
    assert second.session_id == first.session_id


def test_answers_go_with_their_time(server_of_flags: LoopbackServer, client: TargetClient) -> None:
    with flags_of(TargetProvider(client, max_age=50)) as flags, page():
        flags.get_integer_value("home.a", 0, VISITOR)
        flags.get_integer_value("home.a", 0, VISITOR)
        time.sleep(0.1)
        flags.get_integer_value("home.a", 0, VISITOR)
    assert len(asked(server_of_flags.received)) == 2
    with flags_of(TargetProvider(client, max_age=0)) as flags, page():
        flags.get_integer_value("home.a", 0, VISITOR)
        flags.get_integer_value("home.a", 0, VISITOR)
    assert len(asked(server_of_flags.received)) == 4


def test_answers_go_with_their_transaction(server_of_flags: LoopbackServer, client: TargetClient) -> None:
    provider = TargetProvider(client)
    with flags_of(provider) as flags:
        for number in range(5):
            with page(str(number)):
                flags.get_integer_value("home.a", 0, VISITOR)
        gc.collect()
        assert len(provider._answers._transactions) <= 1
        provider.shutdown()
        assert not provider._answers._transactions


def test_answers_are_bounded_in_number(server_of_flags: LoopbackServer, client: TargetClient) -> None:
    provider = TargetProvider(client)
    with page():
        for number in range(MOST_CONTEXTS + 20):
            provider._answers.of_now(f"mark {number}")
        (transaction,) = provider._answers._transactions.values()
        assert len(transaction.by_mark) == MOST_CONTEXTS
    kept = []
    for number in range(MOST_TRANSACTIONS + 20):
        kept.append(EvaluationContext(attributes={"page": number}))
        api.set_transaction_context(kept[-1])
        provider._answers.of_now("mark")
    assert len(provider._answers._transactions) == MOST_TRANSACTIONS
    api.shutdown()


def test_requests_that_are_served_at_once_share_nothing(server_of_flags: LoopbackServer, client: TargetClient) -> None:
    """Each thread is a request of its own visitor, who are many more than the pages that overlap."""
    answer = server_of_flags.answer

    def echo(received: Received) -> Any:
        content = json_offer({"of": visitor_of(received)})
        return showing(home=[content])(received) if "prefetch" in received.body else answer(received)

    server_of_flags.answer = echo
    wrong: list[Any] = []
    with flags_of(TargetProvider(client, mboxes=["home"])) as flags:
        api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())

        def serve(thread: int) -> None:
            for number in range(10):
                visitor = f"{thread}-{number}"
                api.set_transaction_context(EvaluationContext(visitor, {"page": "p"}))
                wrong.extend(got for _ in range(3) if (got := flags.get_string_value("home.of", "")) != visitor)

        threads = [threading.Thread(target=serve, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(asked(server_of_flags.received)) == 80


def test_tasks_of_one_page_make_one_call_and_other_pages_their_own(
    server_of_flags: LoopbackServer, client: TargetClient
) -> None:
    async def serve(visitor: str) -> list[int]:
        api.set_transaction_context(EvaluationContext(visitor, {"page": "p"}))
        keys = ("home.a", "other.a", "home.b.c")
        return await asyncio.gather(*(flags.get_integer_value_async(key, 0) for key in keys))

    async def run() -> list[list[int]]:
        return await asyncio.gather(*(serve(f"visitor-{number}") for number in range(5)))

    with flags_of(TargetProvider(client, mboxes=["home", "other"])) as flags:
        api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
        assert asyncio.run(run()) == [[1, 5, 2]] * 5
    assert sorted(visitor_of(item) for item in server_of_flags.received if "prefetch" in item.body) == [
        f"visitor-{number}" for number in range(5)
    ]


def test_who_is_cancelled_leaves_the_others_their_call(server: LoopbackServer, client: TargetClient) -> None:
    def late(received: Received) -> Any:
        time.sleep(0.1)
        return showing(home=[json_offer({"a": 1})])(received)

    server.answer = late

    async def run() -> int:
        api.set_transaction_context(EvaluationContext("v", {"page": "p"}))
        first = asyncio.create_task(flags.get_integer_value_async("home.a", 0))
        await asyncio.sleep(0.02)
        waiting = asyncio.create_task(flags.get_integer_value_async("home.a", 0))
        given_up = asyncio.create_task(flags.get_integer_value_async("home.a", 0))
        await asyncio.sleep(0.02)
        first.cancel()
        given_up.cancel()
        return await asyncio.wait_for(waiting, 5)

    with flags_of(TargetProvider(client, mboxes=["home"])) as flags:
        api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
        assert asyncio.run(run()) == 1


class Slots:
    """A context to which no weak reference leads."""

    __slots__ = ("attributes", "targeting_key")

    def __init__(self) -> None:
        self.targeting_key = "v"
        self.attributes = {"page": "p"}


class Given(TransactionContextPropagator):
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def get_transaction_context(self) -> EvaluationContext:
        return self._make()

    def set_transaction_context(self, transaction_context: EvaluationContext) -> None: ...


SLOTS = Slots()


@pytest.mark.parametrize("make", [lambda: EvaluationContext("v", {"page": "p"}), lambda: SLOTS])
def test_a_propagator_whose_contexts_tell_no_transaction_shares_nothing(
    server_of_flags: LoopbackServer, client: TargetClient, make: Callable[[], Any]
) -> None:
    with flags_of(TargetProvider(client)) as flags:
        api.set_transaction_context_propagator(Given(make))
        assert [flags.get_integer_value("home.a", 0) for _ in range(2)] == [1, 1]
    assert len(asked(server_of_flags.received)) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_no_answer_and_no_wait_goes_through_a_fork(server_of_flags: LoopbackServer, make_client: MakeClient) -> None:
    client = make_client()
    provider = TargetProvider(client, mboxes=["home"])
    with flags_of(provider) as flags, page():
        assert flags.get_integer_value("home.a", 0, VISITOR) == 1
        shared = provider._answers.of_now("in the middle of a call")
        assert shared is not None
        shared.begin(["home"])
        before = len(asked(server_of_flags.received))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                is_there = provider._answers.of_now("in the middle of a call")
                is_new = is_there is not shared and not provider._teller._shown
                code = 0 if flags.get_integer_value("home.a", 0, VISITOR) == 1 and is_new else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(asked(server_of_flags.received)) == before + 1
        assert copy_context().run(flags.get_integer_value, "home.a", 0, VISITOR) == 1
        assert len(asked(server_of_flags.received)) == before + 1
