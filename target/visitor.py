"""Visitor: the Experience Cloud identity of who a page is for, from the AMCV cookie to the state for the browser."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

from target import config
from target.amcv import AmcvVisitor, visitor_cookie_name, with_suffix
from target.values import parse_callback

__all__ = ["Visitor", "visitor_cookie_name", "with_suffix"]

_OF_THE_PROCESS = {"_lock", "_new_id"}


class Visitor(AmcvVisitor):
    """One visitor, for the time of one incoming page request. Safe to share between the calls of that request.

    It can be pickled and copied; what is done with either then does not show in the other.

    Args:
        organization_id: Experience Cloud organization, with or without ``@AdobeOrg``.
        visitor_cookie: Value of the visitor's ``AMCV_`` cookie, plain or percent-encoded. Whatever it holds, nothing
            raises: what cannot be read is left out, and so is an entry whose time has passed.
    """

    def __init__(self, organization_id: str, visitor_cookie: str | None = None) -> None:
        runtime = config.default_runtime
        super().__init__(organization_id, visitor_cookie, runtime.now_s(), runtime.new_id)
        self._lock = runtime.new_lock()

    @classmethod
    def new(cls, organization_id: str, mint: Callable[[], str] | None = None) -> Self:
        """A visitor without a cookie.

        Only Adobe's ID service can issue an Experience Cloud id: one made up here would belong to no one, and would
        split the visitor's profile and Analytics visits as soon as the page asks the service for a real one. So by
        default the visitor has none, and Target knows it by its ``tntId`` alone.

        Args:
            organization_id: As for the class.
            mint: Returns an id that the ID service issued, for example through your own call to it.

        Raises:
            OptionsError: ``mint`` cannot be called, or what it returned cannot be an id.
        """
        visitor = cls(organization_id)
        if mint is not None:
            parse_callback("mint", mint)
            visitor._take_id(mint())
        return visitor

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle or a copy holds: everything, as it is at one moment, but what is of this process."""
        with self._lock:
            return {name: copy.deepcopy(value) for name, value in vars(self).items() if name not in _OF_THE_PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The lock of another process, or of another visitor, is of no use."""
        runtime = config.default_runtime
        vars(self).update(state, _lock=runtime.new_lock(), _new_id=runtime.new_id)
