"""Clients for tests that reach no network: real ones, but for what carries their calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from target import AsyncTargetClient, TargetClient
from target.config import SERVER_SIDE, parse_async_client_options, parse_client_options
from target.emulator.offers import Offers
from target.testing._in_process import DeliveryService, Failure, InProcess, InProcessOfLoop, Wire

_ACCOUNT: dict[str, Any] = {
    "client": "fakeclient",
    "organization_id": "fake@AdobeOrg",
    "telemetry_enabled": False,  # which would be part of what was asked
}


class Fake:
    """What a fake client is besides: what it answers with, and what it was asked."""

    _service: DeliveryService

    def __new__(cls, *_: object, **__: object) -> Self:
        """One with a service of its own."""
        self = super().__new__(cls)
        self._service = DeliveryService()
        return self

    def use_offers(self, offers: Offers | Mapping[str, Any] | None) -> None:
        """Answer with these from now on.

        Args:
            offers: As for the constructor.

        Raises:
            OptionsError: They are none; the message says where, and what is wrong.
        """
        self._service.use_offers(offers)

    @property
    def fail_with(self) -> Failure:
        """What every call fails with; None where calls are answered. Set it when the service is to fail."""
        return self._service.fail_with

    @fail_with.setter
    def fail_with(self, failure: Failure) -> None:
        self._service.fail_with = failure

    @property
    def requests(self) -> list[Wire]:
        """What was asked, in order: the body of each call in wire form, those that failed included."""
        return [received.body for received in self._service.journal.received]

    @property
    def notifications(self) -> list[Wire]:
        """What Target was told, in order: each notification that was taken, in wire form."""
        return [entry["notification"] for entry in self._service.journal.notifications]

    def reset(self) -> None:
        """Forget what was asked and told."""
        self._service.journal.reset()


class FakeTargetClient(Fake, TargetClient):
    """A TargetClient that answers from offers, in this process: no socket, no name lookup, and for a plain call no
    thread. Options, requests, results and errors are real: what cannot be sent raises OptionsError, and the API's own
    rules are kept (ApiError 400).

    It decides nothing: offers answer, whatever its ``decisioning_method``. For rules there is the emulator.

    Args:
        offers: ``{"mboxes": {"home": "<h1>Sale</h1>", "flags": {"new": True}, "teaser": None}}``, a content each: text
            is an HTML offer, a dict a JSON offer, None default content. Or as the emulator has them (a list of options,
            or a dict with ``options`` or ``metrics``), see ``target.emulator.offers``. By default nothing.
        fail_with: What every call fails with: an error such as ``TargetTimeout("too slow")``, its class, or a status of
            the API such as 503. See the property.
        **options: Those of ``create``; none is required.

    Raises:
        OptionsError: An option or an offer is wrong.
    """

    def __init__(
        self, offers: Offers | Mapping[str, Any] | None = None, *, fail_with: Failure = None, **options: Any
    ) -> None:
        vars(self).update(vars(self.create({**_ACCOUNT, **options})))
        self.use_offers(offers)
        self.fail_with = fail_with

    @classmethod
    def create(cls, options: Any = None, /, **keywords: Any) -> Self:
        """A fake without offers, with the options of ``TargetClient.create``. Raises OptionsError."""
        given, method = _without_rules(options, keywords)
        if method != SERVER_SIDE:
            parse_client_options({**given, "decisioning_method": method})
        self = super().create(given)
        _let_offers_answer(self, method)
        return self

    def _open_transport(self, *_: object) -> Any:
        return InProcess(self._service)


class AsyncFakeTargetClient(Fake, AsyncTargetClient):
    """An AsyncTargetClient that answers from offers, in this process; see FakeTargetClient.

    It may be made without an event loop, and serves each loop that calls it.
    """

    _options: dict[str, Any]
    _loop: asyncio.AbstractEventLoop
    _starting: asyncio.Future[None]

    def __init__(
        self, offers: Offers | Mapping[str, Any] | None = None, *, fail_with: Failure = None, **options: Any
    ) -> None:
        self._options = {**_ACCOUNT, **options}
        parse_async_client_options(self._options)
        self.use_offers(offers)
        self.fail_with = fail_with

    @classmethod
    async def create(cls, options: Any = None, /, **keywords: Any) -> Self:
        """A fake without offers, with the options of ``AsyncTargetClient.create``. Raises OptionsError."""
        given, method = _without_rules(options, keywords)
        if method != SERVER_SIDE:
            parse_async_client_options({**given, "decisioning_method": method})
        self = await super().create(given)
        self._options = given if method == SERVER_SIDE else {**given, "decisioning_method": method}
        self._loop = asyncio.get_running_loop()
        _let_offers_answer(self, method)
        return self

    async def aclose(self, timeout: float = 1000) -> None:
        """End it; see ``AsyncTargetClient.aclose``."""
        if vars(self).get("_ended"):  # on whichever event loop
            return
        self._enter_loop()
        await super().aclose(timeout)

    def _open_blocking(self, *_: object) -> Any:
        return InProcess(self._service)

    def _open_transport(self, *_: object) -> Any:
        return InProcessOfLoop(self._service)

    async def _start_services(self) -> None:
        self._services.start()  # a fake fetches no rules, and may take a moment to recognise bots

    async def _tell_start(self, hooks: Any) -> None:
        """As a client does; but what has to be awaited is, beside the calls, since making a fake waits for nothing."""
        telling = super()._tell_start(hooks)
        if hooks.awaits("on_start"):
            self._starting = asyncio.ensure_future(telling)
        else:
            await telling

    def _check(self) -> None:
        self._enter_loop()
        super()._check()

    def _enter_loop(self) -> None:
        """Become a client of the running event loop, whichever it is."""
        known = vars(self)
        if known.get("_ended") or known.get("_loop") is asyncio.get_running_loop():
            return
        if "_services" in known:
            self._services.close(0)
            self._lines.close(self.status)
        making = type(self).create(self._options)
        try:
            making.send(None)
        except StopIteration as made:
            service = self._service
            known.update(vars(made.value))
            self._service = self._blocking.service = self._transport.service = service  # type: ignore[attr-defined]
        else:
            making.close()
            raise RuntimeError("A fake is made without waiting for anything")

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") or name.startswith("__") or "_options" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if name in vars(self) or "_loop" in vars(self):
            raise AttributeError(name)
        self._enter_loop()  # what a client has once it is made
        return getattr(self, name)


def _without_rules(options: Any, keywords: Mapping[str, Any]) -> tuple[Any, Any]:
    """The options but for the one that makes a client fetch rules, and that one."""
    if not isinstance(options, Mapping | None):
        return options, SERVER_SIDE  # for ``create`` to refuse
    given = {**(options or {}), **keywords}
    method = given.pop("decisioning_method", None)
    return given, SERVER_SIDE if method is None else method


def _let_offers_answer(client: Any, method: str) -> None:
    if method != SERVER_SIDE:
        client._services.decider = lambda *_: None
