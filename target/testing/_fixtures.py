"""What the fixtures for pytest give: each does one thing with the emulator that tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target.emulator import Emulator, running
from target.emulator.offers import Offers
from target.emulator.rules import Rules, load_rules
from target.emulator.sample import load_sample
from target.testing._in_process import with_options

if TYPE_CHECKING:
    from target import AsyncTargetClient

_MOST_SHOWN = 20
_WAIT_MS = 2000
_TIMEOUT_MS = 10_000  # so that a busy machine makes no test fail


def serving() -> AbstractContextManager[Emulator]:
    """An emulator on loopback, while it lasts."""
    return running({})


def begin_anew(emulator: Emulator) -> None:
    """Forget all that was received, set or forced."""
    emulator.use_rules(None)
    emulator.use_offers({})
    emulator.reset()


def options_for(server_domain: str) -> dict[str, Any]:
    """Options of clients of an emulator at ``server_domain``."""
    return {
        "client": "acmeclient",
        "organization_id": "1234567890@AdobeOrg",
        "server_domain": server_domain,
        "secure": False,
        "edge_routing": False,
        "cdn_base_path": f"http://{server_domain}",  # for those that decide in process
        "timeout": _TIMEOUT_MS,
    }


class OpenAsyncClient:
    """Makes clients for the event loop that is running, as pytest-asyncio and anyio have one for each test."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options

    @asynccontextmanager
    async def __call__(self, **options: Any) -> AsyncIterator[AsyncTargetClient]:
        """A client with these options besides, closed at the end of the block."""
        from target import AsyncTargetClient  # which tests without an event loop need not import

        async with await AsyncTargetClient.create(**{**self._options, **options}) as client:
            yield client


class _OfEmulator:
    """Something to do with an emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator


class UseOffers(_OfEmulator):
    """Says what is answered."""

    def __call__(self, offers: Offers | Mapping[str, Any]) -> None:
        """Answer with these offers until the end of the test.

        Args:
            offers: A content each, ``{"mboxes": {"home": "<h1>Sale</h1>", "flags": {"new": True}, "teaser": None}}``,
                or as in a file of offers.

        Raises:
            OffersError: They break the format; the message says where.
        """
        self._emulator.use_offers(offers if isinstance(offers, Offers) else with_options(offers))


class UseRules(_OfEmulator):
    """Says which rules decide."""

    def __call__(self, rules: Rules | Mapping[str, Any] | str | Path | None = None) -> None:
        """Decide by these rules until the end of the test.

        Args:
            rules: An artifact: as a dict, or the path of a file. By default that of the sample shop, with its offers.

        Raises:
            RulesError: It is no artifact; the message says where.
        """
        if rules is None:
            offers, rules = load_sample()
            self._emulator.use_offers(offers)
        self._emulator.use_rules(load_rules(rules) if isinstance(rules, str | Path) else rules)


class ForceExperience(_OfEmulator):
    """Says what is shown, whatever audiences and shares say."""

    def __call__(
        self, mbox: str | None, experience: str, *, activity: str | None = None, visitor: str | None = None
    ) -> None:
        """Show ``experience`` until the end of the test.

        Args:
            mbox: At which mbox; None: wherever its activity is.
            experience: Its id or name in the rules.
            activity: The activity's id or name, where several have such an experience.
            visitor: A tntId, thirdPartyId or ECID; by default everybody.

        Raises:
            ValueError: The rules have no such experience there; the message says which there are.
        """
        self._emulator.force(experience, mbox=mbox, activity=activity, visitor=visitor)


class TargetFaults(_OfEmulator):
    """Says what goes wrong."""

    def __call__(
        self, fault: str | int | None = None, n: int = 1, *, latency_ms: float = 0, of: str = "delivery"
    ) -> None:
        """Let the next ``n`` calls fail, after those that were asked for before.

        Args:
            fault: A status from 300 to 599, "reset" (the connection is reset instead of an answer), "drip" (a byte of
                the answer now and then) or "half" (half of it, then the connection ends); None for latency alone.
            n: How many calls.
            latency_ms: How long each takes, in milliseconds.
            of: Which calls: "delivery", "rules" (the artifact) or "geo".

        Raises:
            ValueError: One of them cannot be; the message says what can.
        """
        self._emulator.fail_next(n, fault, latency_ms=latency_ms, of=of)

    def clear(self) -> None:
        """Let nothing more fail."""
        self._emulator.fail_no_more()


class AssertNotified(_OfEmulator):
    """Says what Target has to have been told."""

    def __call__(
        self,
        mbox: str | None = None,
        *,
        type: str | None = "display",  # noqa: A002 - the word of the API
        times: int = 1,
        view: str | None = None,
        timeout_ms: float = _WAIT_MS,
    ) -> list[dict[str, Any]]:
        """Wait until Target was told so often, and fail where it was told more or less. A repeat, which Target counts
        once, is told once.

        Args:
            mbox: Of which mbox; None: of whatever.
            type: "display" or "click"; None: either.
            times: How often. 0 does not wait.
            view: Of which view.
            timeout_ms: How long to wait for the next notification, in milliseconds: what is sent in the background
                comes later.

        Returns:
            The notifications, in wire form.
        """
        __tracebackhide__ = True
        emulator = self._emulator
        with suppress(TimeoutError):
            while len(found := self._found(mbox, view, type)) < times:
                emulator.wait_for_notifications(len(emulator.notifications) + 1, timeout_ms=timeout_ms)
        if len(found) != times:
            what = _said({"type": type or "display or click", "mbox": {"name": mbox}, "view": {"name": view}})
            raise AssertionError(f"Target was told {len(found)} times, not {times}: {what}\n{_received(emulator)}")
        return found

    def _found(self, mbox: str | None, view: str | None, kind: str | None) -> list[dict[str, Any]]:
        told = (entry["notification"] for entry in self._emulator.notifications if not entry["repeat"])
        return [notification for notification in told if _fits(notification, mbox, view, kind)]


def _fits(notification: dict[str, Any], mbox: str | None, view: str | None, kind: str | None) -> bool:
    named = {"mbox": mbox, "view": view}
    return kind in (None, notification["type"]) and all(
        name in (None, (notification.get(place) or {}).get("name")) for place, name in named.items()
    )


def _said(notification: Mapping[str, Any]) -> str:
    for place in ("mbox", "view"):
        name = (notification.get(place) or {}).get("name")
        if name is not None:
            return f"{notification['type']} of {place} {name!r}"
    return f"{notification['type']} of {'the page load' if 'pageLoad' in notification else 'anything'}"


def _received(emulator: Emulator) -> str:
    """What came instead, for people."""
    told = [
        f"  {_said(entry['notification'])}"
        + (", a repeat" if entry["repeat"] else "" if entry["known"] else ", with tokens that no offer has")
        for entry in emulator.notifications
    ]
    calls = [f"  {_asked(call.body)}: {call.status or 'no answer'}" for call in emulator.received]
    parts = [
        "It was told:" if told else "It was told nothing.",
        *told[-_MOST_SHOWN:],
        "It was called:" if calls else "It was not called.",
        *calls[-_MOST_SHOWN:],
    ]
    return "\n".join(parts)


def _asked(body: Any) -> str:
    body = body if isinstance(body, dict) else {}
    parts = []
    for part in ("execute", "prefetch"):
        asked = body.get(part) or {}
        names = [repr(mbox.get("name")) for mbox in asked.get("mboxes") or ()]
        names += [f"view {view.get('name')!r}" for view in asked.get("views") or ()]
        if "pageLoad" in asked:
            names.append("the page load")
        if names:
            parts.append(f"{part} {', '.join(names)}")
    if body.get("notifications"):
        parts.append(f"{len(body['notifications'])} notifications")
    return "; ".join(parts) or "nothing that was understood"
