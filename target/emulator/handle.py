"""Owns the object by which a test or a command holds a running emulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Unpack

from target.decisioning.explanation import Explanation
from target.emulator.desk import Desk, Offered, Ruled
from target.emulator.entries import Filters, Received
from target.emulator.journal import WAIT_MS
from target.emulator.stage import Stage
from target.emulator.tally import ActivityCount


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator: where it listens, what it received, what it serves and remembers.

    Attributes:
        host: What it listens on.
        port: Where.
        ca_file: A PEM file with the certificate to trust it by; None without TLS. It goes when the emulator stops.
    """

    host: str
    port: int
    ca_file: str | None = None
    _desk: Desk = field(default_factory=lambda: Desk(Stage()), repr=False)

    @property
    def server_domain(self) -> str:
        """HOST:PORT, as a client's `server_domain` wants it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """http://HOST:PORT, or https with TLS, without a slash at the end; also a client's `cdn_base_path`."""
        return f"{'http' if self.ca_file is None else 'https'}://{self.server_domain}"

    @property
    def stage(self) -> Stage:
        """What it serves and remembers."""
        return self._desk.stage

    @property
    def received(self) -> list[Received]:
        """The delivery calls in order of arrival, refused ones included; the newest 10,000."""
        return self._desk.journal.received

    @property
    def fetched(self) -> list[Received]:
        """The requests for rules and places, likewise."""
        return self._desk.journal.fetched

    @property
    def notifications(self) -> list[dict[str, Any]]:
        """The accepted notifications, as GET /_/notifications lists them; the newest 10,000."""
        return self._desk.journal.notifications

    def wait_for_requests(
        self, n: int = 1, *, timeout_ms: float = WAIT_MS, of: str = "delivery", **filters: Unpack[Filters]
    ) -> list[Received]:
        """Wait until there are `n` requests, or more, and return them; `filters` say which count.

        They are delivery calls, or what `of` says: "rules" or "geo". Raises TimeoutError where there are fewer after
        `timeout_ms` milliseconds.
        """
        return self._desk.journal.wait_for_requests(n, timeout_ms, of, **filters)

    def wait_for_notifications(
        self, n: int = 1, *, timeout_ms: float = WAIT_MS, **filters: Unpack[Filters]
    ) -> list[dict[str, Any]]:
        """Wait until there are `n` notifications, or more, and return them; `filters` say which count.

        Raises TimeoutError where there are fewer after `timeout_ms` milliseconds.
        """
        return self._desk.journal.wait_for_notifications(n, timeout_ms, **filters)

    def use_rules(self, rules: Ruled | None) -> None:
        """Decide by these rules from now on; None: by none, so that offers answer everything.

        Raises RulesError, and goes on with those that were there, where they are no artifact.
        """
        self._desk.use_rules(rules)

    def use_offers(self, offers: Offered) -> None:
        """Serve these offers from now on, for what the rules leave to the server.

        Raises OffersError, and goes on with those that were there, where they break the format.
        """
        self._desk.use_offers(offers)

    def force(
        self, experience: str, *, mbox: str | None = None, activity: str | None = None, visitor: str | None = None
    ) -> None:
        """Show an experience, whatever audiences and shares say, until it is released.

        Args:
            experience: Its id or name.
            mbox: At this mbox alone; by default wherever its activity is.
            activity: The activity's id or name, where several have such an experience.
            visitor: For this visitor alone: a tntId, thirdPartyId or ECID. By default for everybody.

        Raises:
            ValueError: The rules have no such experience there, or several; the message says which there are.
        """
        self._desk.force(experience, mbox=mbox, activity=activity, visitor=visitor)

    def release(self, *, mbox: str | None = None, activity: str | None = None, visitor: str | None = None) -> None:
        """Force no longer what was forced: at this mbox, of this activity, for this visitor; everything by default."""
        self._desk.release(mbox=mbox, activity=activity, visitor=visitor)

    @property
    def forced(self) -> list[dict[str, Any]]:
        """What is forced: {"activity", "experience", "mbox", "visitor"} each."""
        return self._desk.forced()

    def fail_next(
        self, n: int = 1, fault: str | int | None = None, *, latency_ms: float = 0, of: str = "delivery"
    ) -> None:
        """Let the next `n` calls fail, after those that were asked for before.

        Args:
            n: How many calls.
            fault: A status from 300 to 599, "reset" (the connection is reset instead of an answer), "drip" (a byte of
                the answer now and then) or "half" (half of it, then the connection ends); None for latency alone.
            latency_ms: How long each takes, in milliseconds.
            of: Which calls: "delivery", "rules" (the artifact) or "geo".

        Raises:
            ValueError: One of them cannot be; the message says what can.
        """
        self._desk.fail_next(n, fault, latency_ms=latency_ms, of=of)

    def fail_no_more(self, of: str | None = None) -> None:
        """Forget the faults that are still to come, or those of one kind of call."""
        self._desk.fail_no_more(of)

    def set_clock(self, at: datetime | str | float | None) -> None:
        """Decide as at this moment, which does not pass, until it is set anew; None: the real time.

        Args:
            at: A datetime, ISO text, or milliseconds since 1970. Without a zone it is in UTC.

        Raises:
            ValueError: It is none of these.
        """
        self._desk.set_clock(at)

    def counts(self) -> list[ActivityCount]:
        """Visitors, impressions and conversions, by activity and experience."""
        return self._desk.stage.counts()

    def explain(self, request: dict[str, Any]) -> Explanation:
        """Why a delivery request, in wire form, is answered as it is; nothing is counted.

        Raises ValueError where the API would refuse it.
        """
        return self._desk.try_out(request)[1]

    def reset(self) -> None:
        """Forget what was received, visitors, counts, what is forced, faults to come and the clock."""
        self._desk.reset()
