"""What OpenFeature adds to a decision in process: over its own provider in memory, and our ``get_attributes``."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from benchmarks.delivery import build_answer
from benchmarks.fast_server import serving
from benchmarks.measure import Block, compare, in_sequence, take_turns
from benchmarks.on_device_engine import build_artifact, build_rules
from benchmarks.on_device_ways import deciding
from benchmarks.report import Row, microseconds, spread
from target import TargetClient
from target.integrations.openfeature import TargetProvider

#: Ten attributes of one mbox among a hundred: the flags of a page.
FLAGS = [f"hero-99.flag{number}" for number in range(10)]
AT_MOST = 2.0

Call = Callable[[], object]


def build_flags() -> dict[str, Any]:
    """An artifact whose mboxes have an offer of ten flags each."""
    rules = build_rules(100, "hero-{}".format, with_audience=False)
    for each in itertools.chain.from_iterable(rules.values()):
        each["consequence"]["options"][0]["content"] = {f"flag{number}": True for number in range(10)}
    return build_artifact(rules)


@contextmanager
def bound(**providers: Any) -> Iterator[list[OpenFeatureClient]]:
    """Clients of the API with these providers; afterwards the API is as it was at first."""
    api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
    try:
        for domain, provider in providers.items():
            api.set_provider_and_wait(provider, domain)
        yield [api.get_client(domain) for domain in providers]
    finally:
        api.shutdown()


def our_attributes(client: TargetClient, names: list[str]) -> Call:
    """``get_attributes`` of the next new visitor, and flags of it."""
    numbers = itertools.count()

    def call() -> None:
        request = {"id": {"thirdPartyId": f"visitor-{next(numbers)}"}, "context": {"channel": "web"}}
        attributes = client.get_attributes(["hero-99"], request=request)
        for name in names:
            if attributes.get_bool("hero-99", name.partition(".")[2], False) is not True:
                raise RuntimeError("an evaluation came to the default")

    return call


def evaluations(flags: OpenFeatureClient, names: list[str], is_page: bool = False) -> Call:
    """Evaluates flags of the next new visitor; those of a page in a transaction of its own."""
    numbers = itertools.count()

    def call() -> None:
        context = EvaluationContext(f"visitor-{next(numbers)}")
        if is_page:
            api.set_transaction_context(context)
            context = EvaluationContext()
        for name in names:
            if flags.get_boolean_value(name, False, context) is not True:
                raise RuntimeError("an evaluation came to the default")

    return call


def apart(call: Call, settle: Call, with_telling: bool) -> Block:
    """Blocks of ``call``, after each of which all is told that there is to tell of it, so that no other block pays for
    that; ``with_telling``: this one does."""
    block = in_sequence(call)

    def run(calls: int) -> float:
        taken = block(calls)
        started = time.perf_counter()
        settle()
        return taken + (time.perf_counter() - started if with_telling else 0.0)

    return run


def measure_evaluation(blocks: int, block_s: float) -> Iterator[Row]:
    """Rows of one flag of a new visitor, and of ten flags of one: until the values are there, and until a server, which
    takes it at once, was told that they were shown."""
    memory = InMemoryProvider({name: InMemoryFlag("on", {"on": True}) for name in FLAGS})
    with serving(build_answer()) as server, deciding(build_flags(), server.url.removeprefix("http://")) as client:
        providers = [TargetProvider(client), TargetProvider(client, mboxes=["hero-99"])]

        def settle() -> None:
            for provider in providers:
                provider.shutdown()  # which sends what waits
                provider.initialize(EvaluationContext())
            client.flush(10_000)

        with bound(plain=providers[0], given=providers[1], memory=memory) as clients:
            for what, names, is_page in (("one flag", FLAGS[:1], False), ("ten flags of a page", FLAGS, True)):
                calls = [*(evaluations(flags, names, is_page) for flags in clients), our_attributes(client, names)]
                for how in (False, True):
                    ways = [apart(call, settle, how) for call in calls]
                    yield from _rows(what, ways, blocks, block_s, with_telling=how)


def _rows(what: str, ways: list[Block], blocks: int, block_s: float, with_telling: bool) -> Iterator[Row]:
    for way in ways:
        way(20)  # warm
    calls = max(2, round(block_s / (ways[0](20) / 20)))
    plain, given, memory, attributes = take_turns(ways, blocks, calls)
    both = [one + other for one, other in zip(memory, attributes, strict=True)]
    parts = f"{microseconds(statistics.median(memory))} and {microseconds(statistics.median(attributes))}"
    what += ", told" if with_telling else ""
    for name, taken in ((what, plain), (f"{what}, mboxes given", given)):
        result = compare(taken, both)
        yield Row(
            f"OpenFeature, {name}",
            result.ratio,
            spread=spread(result),
            at_most=None if with_telling else AT_MOST,
            absolute=f"{microseconds(result.first_s)} over in memory and get_attributes: {parts}",
        )
