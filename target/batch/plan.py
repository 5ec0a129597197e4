"""Decides columns: for each mbox asked for, which of its outcomes each row gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from target.batch.audiences import Asks, Audience, scope_maker, take_apart
from target.batch.extra import demand
from target.batch.rows import Rows
from target.batch.sources import Source
from target.decisioning.artifact import Artifact
from target.decisioning.remote import HAS_GAP, why_remote_mbox
from target.decisioning.rules import Gap, Rule

pa = demand("pyarrow", "target.batch")
pc = demand("pyarrow.compute", "target.batch")

DECIDED, DEFAULT, REMOTE, UNDECIDABLE = "decided", "default", "remote", "undecidable"


class Outcome(NamedTuple):
    """What a row may get in an mbox: a rule; without one, what ``status`` says."""

    mbox: str
    status: str
    rule: Rule | None


class Choice(NamedTuple):
    """What all rows get in one mbox.

    Attributes:
        outcomes: The number of the outcome of each row: an Arrow array of int32.
        places: The place in the activity of each row that gets one: an Arrow array of int32.
    """

    outcomes: Any
    places: Any


class _Mbox(NamedTuple):
    otherwise: int  # the number of the outcome where no rule matches
    rules: list[tuple[int, str, Asks]]  # outcome, activity and what is asked for, in order of priority


class Plan:
    """How rows of one layout are decided. Nothing in it changes, so that threads may share it.

    Args:
        artifact: What to decide from.
        mboxes: What each row asks for.
        sources: What the columns say.
        property_token: The property of all rows.
        now_s: When to decide, in epoch seconds, where no column says so.
    """

    def __init__(
        self,
        artifact: Artifact,
        mboxes: Sequence[str],
        sources: list[Source],
        property_token: str | None,
        now_s: float,
    ) -> None:
        self.sources = sources
        self.now_s = now_s
        self.outcomes: list[Outcome] = []
        self._mboxes = [self._plan(artifact, name, property_token) for name in mboxes]
        self._groups: dict[tuple[tuple[int, ...], str | None], dict[str, Audience]] = {}
        for mbox in self._mboxes:
            for _, _, asks in mbox.rules:
                audience = asks.audience
                if audience.test is not None:
                    group = self._groups.setdefault((audience.reads, audience.activity_id), {})
                    group.setdefault(audience.key, audience)

    def _plan(self, artifact: Artifact, name: str, token: str | None) -> _Mbox:
        why = why_remote_mbox(name, artifact, token)
        status = DEFAULT if why is None else UNDECIDABLE if why == HAS_GAP else REMOTE
        otherwise = len(self.outcomes)
        self.outcomes.append(Outcome(name, status, None))
        planned = []
        for rule in artifact.mboxes[name].rules:
            if rule.property_tokens is not None and token not in rule.property_tokens:
                continue
            if isinstance(rule, Gap):  # nothing below it may be shown in its place
                break
            asks = take_apart(rule, self.sources)
            if asks is not None:
                planned.append((len(self.outcomes), rule.activity_id, asks))
                self.outcomes.append(Outcome(name, DECIDED, rule))
        return _Mbox(otherwise, planned)

    def decide(self, rows: Rows) -> list[Choice]:
        """What the rows get, by mbox in the order asked for."""
        members = _Members(self, rows)
        return [_choose(mbox, rows, members) for mbox in self._mboxes]

    def group(self, audience: Audience) -> list[Audience]:
        """All audiences that read the same as ``audience``."""
        return list(self._groups[audience.reads, audience.activity_id].values())


class _Members:
    """Which rows are in which audience; each is tested once for each distinct set of the values that it reads."""

    def __init__(self, plan: Plan, rows: Rows) -> None:
        self._plan = plan
        self._rows = rows
        self._known: dict[tuple[str, str | None], Any] = {}

    def of(self, audience: Audience) -> Any:
        """An Arrow array of flags; True or False where that holds for all rows."""
        if audience.test is None:
            return True
        key = (audience.key, audience.activity_id)
        if key not in self._known:
            self._test(self._plan.group(audience))
        return self._known[key]

    def _test(self, group: list[Audience]) -> None:
        """Test all audiences of a group, so that what tests are asked about is made once for all of them."""
        reads, activity_id = group[0].reads, group[0].activity_id
        found = self._rows.sets(reads, activity_id)
        make = scope_maker(reads, self._plan.sources, self._plan.now_s, activity_id)
        tests = [(audience.test, bytearray(len(found.sets))) for audience in group]
        for number, values in enumerate(found.sets):
            scope = make(values)
            for test, flags in tests:
                if test is not None and test(scope):
                    flags[number] = 1
        for audience, (_, flags) in zip(group, tests, strict=True):
            self._known[audience.key, audience.activity_id] = _spread(flags, found.codes)


def _spread(flags: bytearray, codes: Any) -> Any:
    """What ``flags`` say of each set of values, for each row."""
    if 0 not in flags:
        return True
    if 1 not in flags:
        return False
    numbers = pa.Array.from_buffers(pa.uint8(), len(flags), [None, pa.py_buffer(bytes(flags))])
    return numbers.cast(pa.bool_()).take(codes)


def _choose(mbox: _Mbox, rows: Rows, members: _Members) -> Choice:
    """The first rule that matches. From the last one up, so that the one above takes the place of those below."""
    outcomes = pa.repeat(pa.scalar(mbox.otherwise, pa.int32()), rows.count)
    places = pa.nulls(rows.count, pa.int32())
    for number, activity_id, asks in reversed(mbox.rules):
        matches = members.of(asks.audience)
        if matches is False:
            continue
        if asks.places is not None:
            first, stop = asks.places
            own = rows.buckets.of(activity_id)
            within = pc.and_(pc.greater_equal(own, first), pc.less(own, stop))
            matches = within if matches is True else pc.and_(within, matches)
        if matches is True:
            outcomes = pa.repeat(pa.scalar(number, pa.int32()), rows.count)
        else:
            outcomes = pc.if_else(matches.fill_null(False), pa.scalar(number, pa.int32()), outcomes)
    taken = set(pc.unique(outcomes).to_pylist())
    by_activity: dict[str, list[int]] = {}
    for number, activity_id, _ in mbox.rules:
        if number in taken:
            by_activity.setdefault(activity_id, []).append(number)
    for activity_id, numbers in by_activity.items():
        own = rows.buckets.of(activity_id)
        shown = pc.is_in(outcomes, pa.array(numbers, pa.int32()))
        places = pc.if_else(shown, own, places)
    return Choice(outcomes, places)
