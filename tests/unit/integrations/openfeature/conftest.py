"""The API of OpenFeature, and what was logged, are of a process: each test finds both as they are at first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from target._background import ends
from target.integrations.openfeature._settings import logger
from target.integrations.openfeature._telling import Teller


@pytest.fixture(autouse=True)
def _as_at_first() -> Iterator[None]:
    logger.begin_anew()
    yield
    for pending in list(ends._pending.values()):
        if isinstance(pending, Teller):
            pending.close(0)  # else it would find that its client is closed while the next test looks at the log
    api.shutdown()
    ContextVarsTransactionContextPropagator().set_transaction_context(EvaluationContext())
