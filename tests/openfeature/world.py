"""What the steps of one scenario share."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagEvaluationOptions
from openfeature.hook import Hook
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from tests.openfeature.ways import Way


class World:
    """One scenario's providers and clients, and what came of them so far.

    Attributes:
        way: What makes providers.
        providers: Those that were made, in order.
        clients: By domain; None is the default one's.
        context: Of the next invocation.
        options: Hooks and hints of the next invocation.
        last: Of the last evaluation; None where none was made.
        raised: Whatever a step that may raise did raise.
    """

    def __init__(self, way: Way) -> None:
        self.way = way
        self.providers: list[Any] = []
        self.clients: dict[str | None, OpenFeatureClient] = {}
        self.context = EvaluationContext()
        self.options = FlagEvaluationOptions()
        self.last: FlagEvaluationDetails[Any] | None = None
        self.raised: BaseException | None = None
        self.shutdowns: list[Any] = []
        self.held = threading.Event()
        self.hooks: dict[str, Any] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.handlers: dict[str, Any] = {}
        api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
        api.set_transaction_context(EvaluationContext())

    @property
    def client(self) -> OpenFeatureClient:
        return self.client_of(None)

    def client_of(self, domain: str | None) -> OpenFeatureClient:
        """The one of a domain, which stays the same."""
        if domain not in self.clients:
            self.clients[domain] = api.get_client(domain)
        return self.clients[domain]

    def make_provider(self, property_token: str | None = None) -> Any:
        """A provider that is not set; whether it is shut down is noted."""
        provider = self.way.provider(property_token)
        self.providers.append(provider)
        ending = provider.shutdown

        def shutdown() -> None:
            self.shutdowns.append(provider)
            ending()

        provider.shutdown = shutdown
        return provider

    def evaluate(self, kind: str, key: str, default: Any, client: OpenFeatureClient | None = None) -> Any:
        """Details of a flag; an evaluation never raises."""
        self.last = None
        self.last = self.way.details(client or self.client, kind, key, default, self.context, self.options)
        return self.last

    def attempt(self, call: Callable[[], object]) -> None:
        """What the specification lets raise, or what must not."""
        try:
            call()
        except Exception as error:
            self.raised = error

    def add_hook(self, hook: Hook, level: str) -> None:
        """One of the API, the client, the invocation or the provider."""
        if level == "API":
            api.add_hooks([hook])
        elif level == "client":
            self.client.add_hooks([hook])
        elif level == "invocation":
            self.options.hooks.append(hook)
        else:
            provider = self.providers[-1]
            others = provider.get_provider_hooks
            provider.get_provider_hooks = lambda: [*others(), hook]

    def add_context(self, context: EvaluationContext, level: str) -> None:
        """On top of what that level has."""
        if level == "API":
            api.set_evaluation_context(api.get_evaluation_context().merge(context))
        elif level == "transaction":
            api.set_transaction_context(api.get_transaction_context().merge(context))
        elif level == "client":
            self.client.context = self.client.context.merge(context)
        elif level == "invocation":
            self.context = self.context.merge(context)
        else:
            self.options.hooks.append(Adding(context))


class Adding(Hook):
    """Adds to the context before an evaluation."""

    def __init__(self, context: EvaluationContext) -> None:
        self._context = context

    def before(self, hook_context: Any, hints: Any) -> EvaluationContext:
        return self._context


def read_value(text: str) -> Any:
    """A value as it stands in a feature: JSON, or a moment."""
    try:
        return json.loads(text)
    except ValueError:
        return datetime.fromisoformat(text)


def same(value: Any, expected: Any) -> bool:
    """Whether both are equal and of one type: 1 is no True."""
    return type(value) is type(expected) and json.dumps(value, sort_keys=True) == json.dumps(expected, sort_keys=True)
