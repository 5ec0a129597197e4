"""The API of OpenFeature is one for a process: each test finds it as it is at first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.transaction_context import ContextVarsTransactionContextPropagator


@pytest.fixture(autouse=True)
def _as_at_first() -> Iterator[None]:
    yield
    api.shutdown()
    ContextVarsTransactionContextPropagator().set_transaction_context(EvaluationContext())
