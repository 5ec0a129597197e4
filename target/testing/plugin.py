"""The fixtures for pytest, by the name of this package, and the types of what they give, for annotations.

pytest finds the fixtures by itself. Where plugins are not loaded by themselves: ``pytest -p target.testing.plugin``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_delivery_pytest import (
    _target_emulator_of_run,  # noqa: F401 - which the others rest on
    assert_notified,
    async_target_client,
    force_experience,
    target_client,
    target_client_options,
    target_emulator,
    target_faults,
    target_offers,
    target_rules,
    target_server_domain,
    target_vcr_config,
)

if TYPE_CHECKING:
    from target.testing._fixtures import (
        AssertNotified,
        ForceExperience,
        OpenAsyncClient,
        TargetFaults,
        UseOffers,
        UseRules,
    )

_TYPES = ("AssertNotified", "ForceExperience", "OpenAsyncClient", "TargetFaults", "UseOffers", "UseRules")

__all__ = [
    "AssertNotified",
    "ForceExperience",
    "OpenAsyncClient",
    "TargetFaults",
    "UseOffers",
    "UseRules",
    "assert_notified",
    "async_target_client",
    "force_experience",
    "target_client",
    "target_client_options",
    "target_emulator",
    "target_faults",
    "target_offers",
    "target_rules",
    "target_server_domain",
    "target_vcr_config",
]


def __getattr__(name: str) -> Any:
    if name not in _TYPES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from target.testing import _fixtures  # with the emulator, which no run needs before a test does

    return getattr(_fixtures, name)
