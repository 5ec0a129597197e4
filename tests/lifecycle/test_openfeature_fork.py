"""A provider made and used before a fork: parent and child evaluate, and each tells what it showed, once."""

from __future__ import annotations

import os

import pytest

from tests.kit.loopback import Answer, Received, serving
from tests.lifecycle.forked import run_script
from tests.unit.integrations.openfeature.pages import json_offer, notified, showing

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

SCRIPT = """
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.transaction_context import ContextVarsTransactionContextPropagator
    from target.integrations.openfeature import TargetProvider

    client = client_of(domain)
    provider = TargetProvider(client, mboxes=["home"])
    api.set_provider_and_wait(provider)
    api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
    flags = api.get_client()

    def show(name):
        assert flags.get_string_value("home.for", "", EvaluationContext(name)) == name

    api.set_transaction_context(EvaluationContext("page"))
    show("parent-0")                       # its display waits to be told at the fork

    def work():
        show(f"child-{os.getpid()}")       # in the same transaction, of which the child shares no answer
        show("parent-0")
        provider.shutdown()
        client.close()

    done = threading.Event()

    def keep_asking(number):
        count = 0
        while not done.is_set():
            api.set_transaction_context(EvaluationContext(f"page-{number}-{count}"))
            show(f"thread-{number}-{count}")
            count += 1

    busy = 3 if FORK is fork else 0        # a fork without hooks waits until all threads wait
    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(keep_asking, number) for number in range(busy)]
        wait_for([FORK(work) for _ in range(4)])
        done.set()
    for each in asking:
        each.result()
    api.shutdown()
    client.close()
"""


def own(received: Received) -> Answer:
    """Each visitor is shown its own id."""
    visitor = received.body["id"].get("thirdPartyId")
    return showing(home=[json_offer({"for": visitor}, eventToken=f"of-{visitor}")])(received)


@pytest.mark.parametrize("fork", ["fork", "bare_fork"])
def test_parent_and_children_tell_what_each_showed(fork: str) -> None:
    with serving(own) as server:
        run_script(SCRIPT.replace("FORK", fork), server.domain)
        told = [token for each in notified(server.received) for token in each["tokens"]]
    assert told.count("of-parent-0") == 1 + 4  # each child showed it, too, by an answer of its own
    children = [token for token in told if token.startswith("of-child-")]
    assert len(children) == len(set(children)) == 4
    assert len(told) == len(set(told)) + 4
