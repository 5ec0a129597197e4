"""`python -m tests.docs.recorders TOOL [FILE]`: prints all that a tool records of calls, set up as FILE says.

A process of its own for each, since these tools change the libraries that they watch.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from target import AsyncTargetClient, TargetClient, TargetError
from tests.kit.calls import ACCOUNT
from tests.kit.loopback import serving

SESSION, DEVICE = "Session-77c1-MARK", "Device-MARK"
NOBODY = "127.0.0.1:9"
REQUEST: dict[str, Any] = {"id": {"tntId": DEVICE}, "execute": {"mboxes": [{"name": "home"}]}}


def make_calls(domain: str) -> None:
    """One on each transport, and one that fails; the error is raised. No variable of this function holds an id."""
    options: dict[str, Any] = {**ACCOUNT, "secure": False}
    options |= {"edge_routing": False, "timeout": 5000, "retries": 0}

    async def on_loop() -> None:
        async with await AsyncTargetClient.create(**options, server_domain=domain, transport="aiohttp") as client:
            await client.get_offers(request=REQUEST, session_id=SESSION)

    with TargetClient.create(**options, server_domain=domain) as client:
        client.get_offers(request=REQUEST, session_id=SESSION)
    asyncio.run(on_loop())
    with TargetClient.create(**options, server_domain=NOBODY) as client:
        client.get_offers(request=REQUEST, session_id=SESSION)


@contextlib.contextmanager
def opentelemetry(set_up: Callable[[], None] | None) -> Iterator[list[Any]]:
    from opentelemetry import trace
    from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
    from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider, seen = InMemorySpanExporter(), TracerProvider(), []
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    if set_up is None:
        URLLib3Instrumentor().instrument()
        AioHttpClientInstrumentor().instrument()
    else:
        set_up()
    try:
        yield seen
    finally:
        seen += [span.to_json() for span in exporter.get_finished_spans()]


@contextlib.contextmanager
def sentry(set_up: Callable[[], None] | None) -> Iterator[list[Any]]:
    import sentry_sdk
    from sentry_sdk.transport import Transport

    seen: list[Any] = []

    class Keep(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            seen.extend(item.payload.json for item in envelope.items)

    sentry_sdk.client.make_transport = Keep  # type: ignore[attr-defined]
    if set_up is None:
        sentry_sdk.init(dsn="https://public@sentry.example/1", traces_sample_rate=1.0)
    else:
        set_up()
    sentry_sdk.get_client().options["traces_sample_rate"] = 1.0
    with sentry_sdk.start_transaction(name="page"):
        try:
            yield seen
        except TargetError as error:
            sentry_sdk.capture_exception(error)
    sentry_sdk.flush()


@contextlib.contextmanager
def ddtrace(set_up: Callable[[], None] | None) -> Iterator[list[Any]]:
    from ddtrace import patch
    from ddtrace.trace import TraceFilter, tracer

    seen: list[Any] = []

    class Keep(TraceFilter):  # type: ignore[misc]
        def process_trace(self, trace: Any) -> None:
            seen.extend([span.name, dict(span.get_tags())] for span in trace)

    tracer.configure(trace_processors=[Keep()])
    patch(urllib3=True, aiohttp=True, httplib=True)
    try:
        yield seen
    finally:
        tracer.flush()


TOOLS = {"opentelemetry": opentelemetry, "sentry": sentry, "ddtrace": ddtrace}


def main(tool: str, file: str | None = None) -> None:
    code = None if file is None else compile(Path(file).read_text(), file, "exec")
    set_up = None if code is None else lambda: exec(code, {})
    with serving() as server:
        recording = TOOLS[tool](set_up)
        with contextlib.suppress(TargetError), recording as seen:
            make_calls(server.domain)
    print(json.dumps(seen, default=str))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
