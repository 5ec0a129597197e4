"""The part of both clients that says why a call is decided as it is: ``explain``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Unpack, overload

from target._background.shares import PLACES
from target._http.deadline import Deadline
from target.calls import merge
from target.causes import discreet
from target.clients import Client
from target.config import HYBRID, ON_DEVICE, SERVER_SIDE, RequestConfig
from target.errors import OptionsError
from target.foreign import is_a

if TYPE_CHECKING:
    from target._http.aio.threads import Threads
    from target.decisioning.explanation import ExplainedPart, Explanation
    from target.delivery.request import Call
    from target.options import RequestOptions

_WHY_SERVER = {
    SERVER_SIDE: "The call is server-side: what follows is what the rules would say",
    HYBRID: "The server decides it, since there is something in it that the rules cannot: what follows is theirs",
}
_WHY_OFFLINE = (
    "The call is server-side, and the client offline: nothing is shown, and what follows is what the rules would say"
)
_WHY_BOT = "The visitor is a bot, to whom nothing is shown: what follows is what the rules would say"


class ExplainingClient(Client):
    """What TargetClient is besides."""

    _check: Callable[[], None]
    _parse: Callable[[Mapping[str, Any]], RequestConfig]

    @overload
    def explain(self, options: RequestOptions, /) -> Explanation: ...
    @overload
    def explain(self, /, **keywords: Unpack[RequestOptions]) -> Explanation: ...
    @discreet
    def explain(self, options: Any = None, /, **keywords: Any) -> Explanation:
        """Why ``get_offers`` with these options shows what it shows: every rule, and what became of it.

        For clients that decide on the device, hybrid ones included. It shows and counts nothing, changes nothing of the
        client or the Visitor, and sends no request to Target; only where the rules ask where the visitor is does it
        look that up, as ``get_offers`` does.

        Args:
            options: As for ``get_offers``, without callbacks.
            **keywords: The same.

        Returns:
            An Explanation: ``print`` it, show it in a notebook, or read ``to_dict()``. It holds what the request says
            of its visitor.

        Raises:
            OptionsError: The options or the request cannot be sent, or the client fetches no rules.
            ArtifactNotReady: There are no rules yet.
            ClientClosed: The client was closed.
        """
        parsed = self._parse(merge(options, keywords))
        return _explainer(self, parsed)(Deadline(self._config.timeout_s))


class AsyncExplainingClient(Client):
    """What AsyncTargetClient is besides."""

    _aside: Threads
    _parse: Callable[[Mapping[str, Any]], RequestConfig]

    @overload
    async def explain(self, options: RequestOptions, /) -> Explanation: ...
    @overload
    async def explain(self, /, **keywords: Unpack[RequestOptions]) -> Explanation: ...
    @discreet
    async def explain(self, options: Any = None, /, **keywords: Any) -> Explanation:
        """Why ``get_offers`` with these options shows what it shows: every rule, and what became of it.

        As ``TargetClient.explain``; aside of the event loop, since there may be many rules.
        """
        parsed = self._parse(merge(options, keywords))
        explain, deadline = _explainer(self, parsed), Deadline(self._config.client.timeout_s)
        return await self._aside.run_within(lambda: explain(deadline), deadline, PLACES)


def _explainer(client: Client, parsed: RequestConfig) -> Callable[[Deadline], Explanation]:
    """What explains the call of these options, within a deadline. Raises OptionsError."""
    if parsed.callback is not None:
        raise OptionsError("explain takes no callback: it sends nothing that would have to be waited for")
    on_device = client._services.on_device
    if on_device is None:
        raise OptionsError(
            "explain needs rules, which a server-side client does not fetch: create the client with "
            "decisioning_method='on-device' or 'hybrid'"
        )
    from dataclasses import replace  # slow to import, and a server-side client needs none

    call = client._calls.offers(_apart(parsed))
    method = parsed.decisioning_method or client._services.method
    switches, overrides = client._services.switches, client._services.overrides

    def explain_rules(call: Call, deadline: Deadline) -> Explanation:
        explanation = on_device.explain(call, deadline)
        if switches is not None and switches.is_bot(call.body["context"]):
            return replace(explanation, why=_WHY_BOT)
        if method == ON_DEVICE or on_device.artifact_for(call.body, method) is not None:
            return explanation
        why = _WHY_OFFLINE if switches is not None and switches.offline else _WHY_SERVER[method]
        return replace(explanation, decided_by=SERVER_SIDE, why=why)

    def explain(deadline: Deadline) -> Explanation:
        if overrides is None or (overridden := overrides.of(call)) is None:
            return explain_rules(call, deadline)
        # Who decides, and how far, is a matter of what is left to decide.
        left = explain_rules(overridden.call, deadline)
        parts = on_device.explain(call, deadline).parts
        return replace(left, parts=tuple(_with_overrides(part, overridden.shown.keys()) for part in parts))

    return explain


def _with_overrides(part: ExplainedPart, names: Collection[str]) -> ExplainedPart:
    return part.overridden() if part.kind == "mbox" and part.name in names else part


def _apart(parsed: RequestConfig) -> RequestConfig:
    """``parsed`` with a Visitor of its own, so that the next call of the caller's is not stitched to this one."""
    if parsed.visitor is None:
        return parsed
    from copy import copy

    from target.amcv import AmcvVisitor  # which who gives no Visitor never needs

    if not is_a(parsed.visitor, AmcvVisitor):
        return parsed
    return parsed._replace(visitor=copy(parsed.visitor))
