"""A local Delivery API for development: what `python -m target.emulator` serves, and `running` for your own tests.

It emulates the Delivery API from rules (an artifact as Target publishes it) and offers (see `target.emulator.offers`),
and serves rules to SDKs that decide on the device. It is not Adobe Target: A/B tests and experience targeting are
decided; Auto-Allocate, Auto-Target, Automated Personalization, Recommendations and multivariate tests are not emulated.

    with running(offers={"mboxes": {"home": [{"type": "html", "content": "<b>hi</b>"}]}}) as emulator:
        ...  # point a client at emulator.server_domain, then look at emulator.received and emulator.notifications

`running` and `create_app` need the extra `emulator`: pip install 'target-delivery[emulator]'.
docs/emulator.md has it all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from target.emulator.entries import Received
from target.emulator.offers import Offers, OffersError, load_offers, parse_offers
from target.emulator.rules import Rules, RulesError, load_rules, parse_rules
from target.emulator.state import StateError

if TYPE_CHECKING:
    from target.emulator.app import Settings, create_app
    from target.emulator.geo import GeoError
    from target.emulator.handle import Emulator
    from target.emulator.server import Serving, running

__all__ = [
    "Emulator",
    "GeoError",
    "Offers",
    "OffersError",
    "Received",
    "Rules",
    "RulesError",
    "Serving",
    "Settings",
    "StateError",
    "create_app",
    "load_offers",
    "load_rules",
    "parse_offers",
    "parse_rules",
    "running",
]

# Loaded on first use, so that files can be checked without the extra, and so that `python -m` can explain a missing
# extra itself.
_NEEDS_EXTRA = {
    "Emulator": "target.emulator.handle",
    "GeoError": "target.emulator.geo",
    "Serving": "target.emulator.server",
    "Settings": "target.emulator.app",
    "create_app": "target.emulator.app",
    "running": "target.emulator.server",
}


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_EXTRA:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_NEEDS_EXTRA[name]), name)
