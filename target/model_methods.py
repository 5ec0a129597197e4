"""Methods that hand-written code adds to generated models, where users look for them.

At run time ``Context`` and ``ClientHints`` are the generated classes themselves, with a class method more: a subclass
would be another class than the one that models hold and ``from_dict`` makes. Type checkers see a subclass, which is
how they can be told of the method.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from target import headers as _headers
from target_delivery_api import models

if TYPE_CHECKING:

    class ClientHints(models.ClientHints):
        """What a browser says of itself in its ``Sec-CH-UA`` headers."""

        @classmethod
        def from_headers(cls, headers: _headers.Headers) -> ClientHints:
            """See ``target.headers.client_hints_from_headers``."""
            ...

    class Context(models.Context):
        """Where and how a visitor is met."""

        @classmethod
        def from_headers(
            cls,
            headers: _headers.Headers,
            url: str | None = None,
            client_address: str | None = None,
            trusted_proxies: int | Sequence[str] = 0,
        ) -> Context:
            """See ``target.headers.context_from_headers``."""
            ...

else:
    ClientHints, Context = models.ClientHints, models.Context
    ClientHints.from_headers = staticmethod(_headers.client_hints_from_headers)
    Context.from_headers = staticmethod(_headers.context_from_headers)
