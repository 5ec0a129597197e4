"""Target behind OpenFeature: a provider for openfeature-sdk.

    api.set_provider_and_wait(TargetProvider(client))
    api.get_client().get_boolean_value("flags.newCheckout", False, EvaluationContext("visitor-1"))

docs/openfeature.md says what a key names, and what becomes of an evaluation context.
"""

from __future__ import annotations

from target.integrations.openfeature._async_provider import AsyncTargetProvider
from target.integrations.openfeature._provider import TargetProvider
from target.integrations.openfeature._settings import ProviderOptions

__all__ = ["AsyncTargetProvider", "ProviderOptions", "TargetProvider"]
