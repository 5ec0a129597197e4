"""Flags of a shop: what its server answers, and how a page asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider import FeatureProvider
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from tests.kit.loopback import Answer, Received

VISITOR = EvaluationContext("visitor-1")


@contextmanager
def flags_of(provider: FeatureProvider, domain: str | None = None) -> Iterator[OpenFeatureClient]:
    """A client of the API whose provider is this one; afterwards the API is as it was at first."""
    api.set_provider_and_wait(provider, domain)
    try:
        yield api.get_client(domain)
    finally:
        api.shutdown()


@contextmanager
def page(name: str = "1") -> Iterator[None]:
    """A transaction of its own."""
    api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
    api.set_transaction_context(EvaluationContext(attributes={"page": name}))
    try:
        yield
    finally:
        api.set_transaction_context(EvaluationContext())


def json_offer(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json", "content": content, "eventToken": "shown", **more}


def showing(**mboxes: Any) -> Callable[[Received], Answer]:
    """A server of these mboxes, each with its options; of any other it has nothing to show."""

    def answer(received: Received) -> Answer:
        body = received.body
        told: dict[str, Any] = {"status": 200, "client": "acme", "id": {"tntId": "device"}}
        for part in ("execute", "prefetch"):
            if part in body:
                asked = body[part]["mboxes"]
                told[part] = {"mboxes": [{**each, **_options(mboxes, each["name"])} for each in asked]}
        if "notifications" in body:
            told["notifications"] = [{"id": each["id"]} for each in body["notifications"]]
        return Answer(told)

    return answer


def _options(mboxes: dict[str, Any], name: str) -> dict[str, Any]:
    found = mboxes.get(name)
    if found is None:
        return {}
    return {"options": found, "metrics": [{"type": "click", "eventToken": "clicked"}]}


def asked(received: list[Received]) -> list[list[str]]:
    """The mboxes of each call, as they were asked for."""
    return [
        [mbox["name"] for mbox in (item.body.get("prefetch") or item.body.get("execute"))["mboxes"]]
        for item in received
        if "prefetch" in item.body or "execute" in item.body
    ]


def notified(received: list[Received]) -> list[dict[str, Any]]:
    """Every notification that arrived."""
    return [each for item in received for each in item.body.get("notifications", ())]
