"""Owns what can be done to a running emulator, by whoever does it: the control API, the object that tests have, files.

Whatever changes is told to those who follow the journal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from target.decisioning.explanation import Explanation
from target.emulator.faults import Faults
from target.emulator.journal import Journal
from target.emulator.offers import Offers, load_offers, parse_offers, parse_offers_text
from target.emulator.rules import Rules, load_rules, parse_rules
from target.emulator.stage import Stage
from target.emulator.stopping import Stopping
from target.emulator.validation import find_problem
from target.emulator.watching import WatchedFile, Watching

#: Checked, or what a file of it holds as parsed JSON.
Offered: TypeAlias = Offers | Mapping[str, Any]
Ruled: TypeAlias = Rules | Mapping[str, Any]

_TRIED = "tried-out"  # the session of who has no id
_FIRST_MS = 0
_LAST_MS = 253_402_300_799_000  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Desk:
    """What all routes of one emulator share."""

    stage: Stage
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)
    stopping: Stopping = field(default_factory=Stopping)
    #: Files to be watched.
    files: list[WatchedFile] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Read files again when they change, while the block lasts."""
        watching = Watching(self.files, self._tell_of)
        watching.start()
        try:
            yield
        finally:
            watching.stop()

    def use_rules(self, rules: Ruled | bytes | None) -> None:
        """Decide by these rules from now on: checked ones, an artifact as parsed JSON, or its text; None: by none.

        Raises RulesError, and goes on with those that were there, where they are no artifact.
        """
        checked = rules if rules is None or isinstance(rules, Rules) else parse_rules(rules)
        self.stage.use_rules(checked)
        self.journal.publish("rules", {"source": None if checked is None else checked.source})

    def use_offers(self, offers: Offered | bytes) -> None:
        """Serve these offers from now on: checked ones, or what a file of them holds, parsed or as text.

        Raises OffersError, and goes on with those that were there, where they break the format.
        """
        if isinstance(offers, bytes):
            offers = parse_offers_text(offers)
        self.stage.use_offers(offers if isinstance(offers, Offers) else parse_offers(offers))
        self.journal.publish("offers", {"source": None})

    def force(
        self, experience: str, *, mbox: str | None = None, activity: str | None = None, visitor: str | None = None
    ) -> None:
        """See `Stage.force`."""
        self.stage.force(experience, mbox=mbox, activity=activity, visitor=visitor)
        self.journal.publish("forced", {"forced": self.forced()})

    def release(self, *, mbox: str | None = None, activity: str | None = None, visitor: str | None = None) -> None:
        """See `Stage.release`."""
        self.stage.release(mbox=mbox, activity=activity, visitor=visitor)
        self.journal.publish("forced", {"forced": self.forced()})

    def forced(self) -> list[dict[str, Any]]:
        """What is forced, as JSON."""
        return [
            {
                "activity": one.standing.activity,
                "experience": one.standing.experience,
                "mbox": one.mbox,
                "visitor": one.visitor,
            }
            for one in self.stage.forced
        ]

    def fail_next(self, n: int, fault: str | int | None, *, latency_ms: float, of: str) -> None:
        """See `Faults.fail_next`."""
        self.faults.fail_next(n, fault, latency_ms=latency_ms, of=of)
        self.journal.publish("faults", {"faults": self.faults.waiting()})

    def fail_no_more(self, of: str | None = None) -> None:
        """See `Faults.clear`."""
        self.faults.clear(of)
        self.journal.publish("faults", {"faults": self.faults.waiting()})

    def set_clock(self, at: datetime | str | float | None) -> None:
        """Decide as at this moment, which does not pass: see `parse_moment`. None: the real time again."""
        self.stage.set_clock(None if at is None else parse_moment(at))
        self.journal.publish("clock", self.clock())

    def clock(self) -> dict[str, Any]:
        """The time that decisions are made at, as JSON."""
        now_s = self.stage.now_s()
        return {
            "now": datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "now_ms": round(now_s * 1000),
            "is_set": self.stage.is_clock_set,
        }

    def counts(self) -> list[dict[str, Any]]:
        """What was counted by activity and experience, as JSON."""
        return [asdict(activity) for activity in self.stage.counts()]

    def try_out(self, body: Any) -> tuple[dict[str, Any], Explanation]:
        """What a delivery request would be answered, and why; nothing is counted.

        Raises ValueError where the API would refuse it.
        """
        problem = find_problem({"imsOrgId": "-", "sessionId": _TRIED}, body)
        if problem is not None:
            raise ValueError(problem)
        return self.stage.try_out(body, session_id=_TRIED)

    def reset(self) -> None:
        """Forget what was received, visitors, counts, what is forced, faults to come and the clock."""
        self.faults.clear()
        self.stage.reset()
        self.journal.reset()

    def _tell_of(self, file: WatchedFile) -> None:
        self.journal.publish("file", {"kind": file.kind, "path": file.path, "problem": file.problem})


def desk_of(
    offers: Offered | str | Path | None,
    rules: Ruled | str | Path | None,
    journal: Journal,
    files: Iterable[WatchedFile] = (),
    **stage: Any,
) -> Desk:
    """A desk with offers and rules: checked ones, what a file of them holds, or a file, which is then to be watched.

    `files` are to be watched besides, and `stage` is for the Stage.

    Raises OffersError and RulesError.
    """
    watched_files = list(files)

    def watched(kind: str, path: str | Path, read: Callable[[str], object]) -> str:
        # It is looked at before it is read: what changes in between is then read again.
        watched_files.append(WatchedFile(kind, path, read))
        return str(path)

    if isinstance(offers, str | Path):
        offers = load_offers(watched("offers", offers, lambda path: desk.use_offers(load_offers(path))))
    if isinstance(rules, str | Path):
        rules = load_rules(watched("rules", rules, lambda path: desk.use_rules(load_rules(path))))
    checked_offers = offers if isinstance(offers, Offers | None) else parse_offers(offers)
    checked_rules = rules if isinstance(rules, Rules | None) else parse_rules(rules)
    desk = Desk(Stage(checked_offers, checked_rules, **stage), journal, files=watched_files)
    return desk


def unanswered(stage: Stage) -> list[str]:
    """The mboxes that the rules leave to the server, and for which there are no offers."""
    artifact, offers = stage.rules.artifact, stage.offers
    answered = {*offers.mboxes, *([artifact.global_mbox] if offers.page_load else [])}
    return sorted(artifact.remote_mboxes - answered)


def parse_moment(at: datetime | str | float) -> float:
    """A moment in seconds since 1970: of a datetime, ISO text, or milliseconds since 1970. Without a zone it is in UTC.

    Raises ValueError for anything else.
    """
    advice = f"the time must be a date and time as 2026-11-26T10:00:00Z, or milliseconds since 1970, not {at!r}"
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at)
        except ValueError:
            raise ValueError(advice) from None
    if isinstance(at, datetime):
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at):
        raise ValueError(advice)
    if not _FIRST_MS <= at <= _LAST_MS:
        raise ValueError(advice)
    return at / 1000
