"""A local Delivery API for development: what `python -m target.emulator` serves, and `running` for your own tests.

It emulates the Delivery API from an offers file (see `target.emulator.offers`); it is not Adobe Target: it has no
activities, audiences or profiles, and what it answers depends on the offers file and the request alone.

    with running(offers={"mboxes": {"home": [{"type": "html", "content": "<b>hi</b>"}]}}) as emulator:
        ...  # point a client at emulator.server_domain, then look at emulator.received and emulator.notifications

`running` and `create_app` need the extra `emulator`: pip install 'target-delivery[emulator]'.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from target.emulator.entries import Received
from target.emulator.offers import Offers, OffersError, load_offers, parse_offers

if TYPE_CHECKING:
    from target.emulator.app import Settings, create_app
    from target.emulator.server import Emulator, running

__all__ = [
    "Emulator",
    "Offers",
    "OffersError",
    "Received",
    "Settings",
    "create_app",
    "load_offers",
    "parse_offers",
    "running",
]

# Loaded on first use, so that an offers file can be checked without the extra, and so that `python -m` can explain
# a missing extra itself.
_NEEDS_EXTRA = {
    "Emulator": "target.emulator.server",
    "Settings": "target.emulator.app",
    "create_app": "target.emulator.app",
    "running": "target.emulator.server",
}


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_EXTRA:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_NEEDS_EXTRA[name]), name)
