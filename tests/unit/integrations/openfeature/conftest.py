"""The API of OpenFeature, and what was logged, are of a process: each test finds both as they are at first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from target.integrations.openfeature._settings import logger


@pytest.fixture(autouse=True)
def _as_at_first() -> Iterator[None]:
    logger.begin_anew()
    yield
    api.shutdown()
    ContextVarsTransactionContextPropagator().set_transaction_context(EvaluationContext())
