"""What the promises of a store are tried with: a clock moved by hand, entries, and stores opened on one storage."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from target.protocols import Claim, Entry, Moment, Settlement, Store, StoreSettings

#: What the fixture ``open_store`` gives, and ``Outbox(store=...)`` takes.
OpenStore = Callable[[StoreSettings], Store]
#: Opens one more store on the same storage; keywords are fields of StoreSettings.
Make = Callable[..., Store]

LEASE_S = 30.0
LONGEST_WAIT_S = 4000.0


class Clock:
    """Both clocks of a machine, moved by hand; they differ, so that a store that takes one for the other is found."""

    def __init__(self) -> None:
        self.wall_s = 1_700_000_000.0
        self.steady_s = 50_000.0

    def now(self) -> Moment:
        """What they say."""
        return Moment(self.wall_s, self.steady_s)

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.wall_s += seconds
        self.steady_s += seconds

    def start_again(self) -> None:
        """The machine does: its steady clock begins anew."""
        self.wall_s += 60
        self.steady_s = 5.0


class StoreBench:
    """The fixtures of StoreSuite."""

    lasting = True
    several_processes = False

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """To be given by who subclasses; see StoreSuite."""
        pytest.fail(f"{type(self).__name__} needs a fixture open_store: see target.testing.stores.StoreSuite")

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock of all stores of a test."""
        return Clock()

    @pytest.fixture
    def make(self, open_store: OpenStore, clock: Clock) -> Iterator[Make]:
        """Opens a store on the storage of this test, as often as it is called; closes them all in the end."""
        opened: list[Store] = []

        def open_one(**fields: Any) -> Store:
            settings: dict[str, Any] = {
                "account": "acme 1234@AdobeOrg",
                "max_pending": 100,
                "when_full": "raise",
                "lease_s": LEASE_S,
                "longest_wait_s": LONGEST_WAIT_S,
                "now": clock.now,
                "logger": logging.getLogger("target"),
            }
            opened.append(open_store(StoreSettings(**{**settings, **fields})))
            return opened[-1]

        yield open_one
        for store in opened:
            store.close()


def entry(name: str, session_id: str = "session-1", **fields: Any) -> Entry:
    """The notification ``name``, as a client queues it."""
    notification = json.dumps({"id": name, "type": "display", "timestamp": 1_700_000_000_000}, ensure_ascii=False)
    since = Moment(1_700_000_000.0, 50_000.0)
    made = Entry(0, session_id, None, '{"body":{}}', notification, None, 1_700_000_000_000, since)
    return made._replace(**fields)


def entries(prefix: str, count: int, session_id: str = "session-1") -> list[Entry]:
    """Notifications of one session: ``prefix`` with a number from 0."""
    return [entry(f"{prefix}{number}", session_id) for number in range(count)]


def add(store: Store, *names: str, session_id: str = "session-1", due_s: float = 0.0) -> None:
    """Add notifications of one session, which is due from the beginning."""
    assert store.add([entry(name, session_id) for name in names], due_s) == 0, "nothing had to be dropped"


def names(found: Iterable[Entry]) -> list[str]:
    """The names of entries, in order."""
    return [json.loads(item.notification)["id"] for item in found]


def dead_names(store: Store) -> list[str]:
    """The names of the dead letters, in order."""
    return names(death.entry for death in store.dead_letters())


def always(_: object) -> bool:
    """Every cluster is open."""
    return True


def claim_one(store: Store) -> Claim:
    """A claim of what is due."""
    claim = store.claim(always)
    assert claim is not None, "a lane is due, and nobody has claimed it"
    return claim


def claim_all(store: Store) -> list[Claim]:
    """Claims of all that is due."""
    claims: list[Claim] = []
    while (claim := store.claim(always)) is not None:
        claims.append(claim)
        assert len(claims) < 1000, "a lane is claimed only once"
    return claims


def acknowledge(store: Store, claim: Claim) -> bool:
    """Settle a claim: all of its entries were taken."""
    return store.settle(claim, Settlement(claim.state, acknowledged=claim.entries))
