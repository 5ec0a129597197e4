"""Whose context (contextvars) what runs: a callback that of who asked, what belongs to nobody an empty one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any

import pytest
import urllib3

from target import AsyncTargetClient, Outbox, TargetClient
from target.protocols import FetchedArtifact
from tests.kit.built_calls import CLICK
from tests.kit.calls import REQUEST, eventually, options_of
from tests.kit.cdn import artifact, encoded
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.shop import HOME, Shop

ROOT = Path(__file__).parents[2]
page: ContextVar[str] = ContextVar("page", default="none")


class Pool(urllib3.PoolManager):
    """Notes in which context each request is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[str] = []

    def urlopen(self, *positional: Any, **keywords: Any) -> Any:
        self.pages.append(page.get())
        return super().urlopen(*positional, **keywords)


@pytest.mark.parametrize("status", [200, 400])
def test_a_callback_runs_in_a_copy_of_the_context_of_its_caller(status: int, server: LoopbackServer) -> None:
    seen: list[tuple[str, str]] = []
    pool = Pool()
    if status != 200:
        server.answer = lambda _: Answer({"message": "no"}, status)

    def note(_: object) -> None:
        before = page.get()
        page.set("changed")
        seen.append((before, page.get()))

    def ask(name: str) -> None:
        page.set(name)
        client.get_offers(request=REQUEST, callback=note, err_callback=note).wait(10)
        client.get_offers(request=REQUEST, callback=note, err_callback=note).wait(10)
        assert page.get() == name

    with TargetClient.create(options_of(server.domain, pool=pool, async_workers=1)) as client:
        for name in ("first", "second"):
            copy_context().run(ask, name)
        client.get_offers(request=REQUEST, callback=note, err_callback=note).wait(10)
    assert seen == [(name, "changed") for name in ("first", "first", "second", "second", "none")]
    assert pool.pages == ["first", "first", "second", "second", "none"]


def test_a_call_on_the_threads_of_an_event_loop_is_sent_in_the_context_of_its_task(server: LoopbackServer) -> None:
    pool = Pool()

    async def main() -> None:
        async with await AsyncTargetClient.create(options_of(server.domain, pool=pool)) as client:

            async def ask(name: str) -> None:
                page.set(name)
                await client.get_offers(request=REQUEST)

            await asyncio.gather(*map(ask, ("first", "second", "third")))

    asyncio.run(main())
    assert sorted(pool.pages) == ["first", "second", "third"]


def test_what_is_done_for_nobody_in_particular_runs_in_an_empty_context(shop: Shop) -> None:
    seen: dict[str, set[str]] = {"event": set(), "source": set()}
    pool = Pool()

    def handle(_: object) -> None:
        seen["event"].add(page.get())
        page.set("of a handler")

    class Source:
        location = "memory"

        def fetch(self, version: str | None, timeout_s: float) -> FetchedArtifact | None:
            seen["source"].add(page.get())
            page.set("of the source")
            return FetchedArtifact(encoded(artifact()), version=None)

    def visit(name: str) -> None:
        page.set(name)
        client.get_offers(request=HOME)
        client.queue_notifications(request={"notifications": [CLICK]})

    page.set("create")
    try:
        client = TargetClient.create(
            options_of(
                shop.server.domain,
                **shop.options,
                artifact_source=Source(),
                pool=pool,
                outbox=Outbox.memory(flush_interval=0),
                events=dict.fromkeys(("client_ready", "notification_acknowledged"), handle),
            )
        )
        for name in ("first", "second", "third"):
            copy_context().run(visit, name)
            assert client.flush(20_000) == 0
        assert eventually(lambda: len(shop.notified) == 6)
        client.close(20_000)
    finally:
        page.set("none")
    assert seen == {"event": {"none"}, "source": {"none"}}
    assert set(pool.pages) == {"none"}


TRACED = """
import json, sys, threading
from opentelemetry import trace
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
ThreadingInstrumentor().instrument()
URLLib3Instrumentor().instrument()
tracer = trace.get_tracer("shop")

from target import TargetClient

options = json.loads(sys.argv[1])
traced = {}
with TargetClient.create(**options) as client:
    for number in range(6):
        with tracer.start_as_current_span("page") as span:
            client.get_offers(request={"execute": {"mboxes": [{"name": "home"}]}})
            handle = client.get_offers(
                request={"execute": {"mboxes": [{"name": "home"}]}},
                decisioning_method="server-side",
                callback=lambda _: tracer.start_span("callback").end(),
            )
        handle.get(10)
        client.flush(20_000)
    client.flush(20_000)
for span in exporter.get_finished_spans():
    traced.setdefault(span.context.trace_id, []).append(span.name)
print(json.dumps(sorted(map(sorted, traced.values()))))
"""


def test_a_trace_holds_what_its_request_asked_for_and_nothing_of_the_background(shop: Shop) -> None:
    options = json.dumps(options_of(shop.server.domain, **shop.options))
    done = subprocess.run(
        [sys.executable, "-c", TRACED, options], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stderr == ""
    traces = json.loads(done.stdout)
    alone = [names for names in traces if "page" not in names]
    assert [names for names in traces if "page" in names] == [["POST", "callback", "page"]] * 6
    assert alone
    assert all(len(names) == 1 for names in alone)
    assert len(shop.notified) == 6


def test_threads_that_are_started_inherit_nothing(server: LoopbackServer, shop: Shop) -> None:
    started: list[str] = []
    original = threading.Thread.start

    def start(self: threading.Thread) -> None:
        if self.name.startswith("target-"):
            started.append(page.get())
        original(self)

    page.set("of a request")
    threading.Thread.start = start  # type: ignore[method-assign]
    try:
        with TargetClient.create(options_of(server.domain)) as client:
            client.get_offers(request=REQUEST, callback=print).wait(10)
        with TargetClient.create(options_of(server.domain, **shop.options)) as client:
            client.get_offers(request=HOME)
    finally:
        threading.Thread.start = original  # type: ignore[method-assign]
        page.set("none")
    assert set(started) == {"none"}
