"""The API of OpenFeature, and what was logged, are of a process: each test finds both as they are at first."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from target.integrations.openfeature._settings import logger


@pytest.fixture(autouse=True)
def _as_at_first() -> Iterator[None]:
    logger.begin_anew()
    of_process = logging.getLogger("target.openfeature")
    of_process.disabled = False
    yield
    of_process.disabled = True  # a provider that is left may tell, a moment later, that its client is closed
    api.shutdown()
    ContextVarsTransactionContextPropagator().set_transaction_context(EvaluationContext())
