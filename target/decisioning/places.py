"""The rules of an artifact by mbox or by view: read and compiled when a place is first asked for, and then kept.

Safe to share between threads. Two that ask for the same place at the same moment may both read it; one of them is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from target.decisioning.artifact_text import Passage, list_items
from target.decisioning.coercion import to_text
from target.decisioning.context import Scope
from target.decisioning.rules import Gap, PropertyTokens, Rule, copy_json, is_id
from target.decisioning.shortlist import FEWEST, Demand, Shortlist, make_shortlist, read_demand
from target.decisioning.variables import Undecidable

LARGE_BYTES = 16_384  # of a place's text; reading it takes some milliseconds


class Place(NamedTuple):
    """What an artifact holds for one mbox or view.

    Attributes:
        rules: In order of priority, with a gap for each that this engine cannot decide.
        gaps: The gaps alone.
        problems: Why they are gaps, a line each, for the log.
        shortlist: Finds those of the rules that can match; None where it is as quick to ask them all.
    """

    rules: tuple[Rule | Gap, ...] = ()
    gaps: tuple[Gap, ...] = ()
    problems: tuple[str, ...] = ()
    shortlist: Shortlist | None = None

    def rules_for(self, scope: Scope) -> Iterable[Rule | Gap]:
        """In order, all rules that match and perhaps others."""
        return self.rules if self.shortlist is None else self.shortlist(scope)


_NOTHING = Place()


class Places:
    """All mboxes, or all views, that an artifact has rules for.

    Args:
        kind: ``mboxes`` or ``views``, for what is said of them.
        sources: The rules by name: as parsed JSON, or as a Passage of the artifact's text.
        response_tokens: Those that the artifact lets through, without those of the visitor's place.
        note: Is told the problems of a place when it is read; on the thread that asks for it.
    """

    def __init__(
        self,
        kind: str,
        sources: Mapping[str, Any],
        response_tokens: tuple[str, ...],
        note: Callable[[tuple[str, ...]], object],
    ) -> None:
        self._kind = kind
        self._sources = sources
        self._response_tokens = response_tokens
        self._note = note
        self._kept: dict[str, Place] = {}
        self._asked: set[str] = set()  # the large ones that anybody ever asked this or an earlier artifact for

    def __contains__(self, name: str) -> bool:
        return name in self._sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __getitem__(self, name: str) -> Place:
        """What there is for ``name``; no rules where it is not known."""
        place = self._kept.get(name)
        if place is None:
            if name not in self._sources:
                return _NOTHING
            place = self._read(name)
        return place

    def problems(self) -> Iterator[str]:
        """Those of the places that have been read by now."""
        for place in list(self._kept.values()):
            yield from place.problems

    def is_slow(self, name: str) -> bool:
        """Whether to ask for ``name`` takes more than a moment, since it has many rules that were never needed."""
        return name not in self._kept and self._is_large(name)

    def read_ahead(self, previous: Places) -> None:
        """Read what ``previous`` was asked for, where callers would have to wait for that."""
        for name in previous._asked.copy():
            if self._is_large(name):
                self._read(name)
            self._asked.add(name)

    def read_all(self) -> None:
        """Read everything, and let go of the sources."""
        for name in self._sources:
            self._read(name)
        self._sources = dict.fromkeys(self._sources)

    def forget(self) -> None:
        """Let go of what was read, one place after the other, since all at once would stop the other threads; but for
        what is large. Calls that have not ended read again what they need."""
        for name in list(self._kept):
            if isinstance(self._sources[name], Passage) and not self._is_large(name):
                self._kept.pop(name, None)

    def _is_large(self, name: str) -> bool:
        source = self._sources.get(name)
        return isinstance(source, Passage) and source.end - source.start > LARGE_BYTES

    def _read(self, name: str) -> Place:
        if self._is_large(name):
            self._asked.add(name)
        place = read_rules(self._sources[name], self._response_tokens)
        if place.problems:
            place = place._replace(problems=tuple(f"{self._kind} {name!r}: {why}" for why in place.problems))
            self._note(place.problems)
        return self._kept.setdefault(name, place)


def read_rules(source: Any, response_tokens: tuple[str, ...]) -> Place:
    """The rules of one place. One that makes no sense is a gap; no JSON makes this fail."""
    rules: list[Rule | Gap] = []
    demands: list[Demand | None] = []
    gaps: list[Gap] = []
    problems: list[str] = []
    try:
        sources = list_items(source) if isinstance(source, Passage) else source
    except RecursionError:  # the caller is far down the stack
        return _no_rules("its rules are nested too deeply")
    if not isinstance(sources, list | tuple):
        return _no_rules("its rules are not a list")
    are_many = len(sources) >= FEWEST
    for position, item in enumerate(sources):
        property_tokens = data = None
        try:
            data = item.read() if isinstance(item, Passage) else item
            if not isinstance(data, Mapping):
                raise Undecidable("it is not an object")
            property_tokens = _property_tokens(data)
            rule = Rule(data, property_tokens, item, response_tokens)
            condition = data["condition"] if isinstance(item, Passage) else rule.condition
            demands.append(read_demand(condition) if are_many else None)
            rules.append(rule)
        except (Undecidable, TypeError, ValueError, RecursionError) as error:
            kept = item if isinstance(item, Passage) else _copy_or_none(item)
            gaps.append(Gap(_key_of(data), property_tokens, str(error), kept))
            rules.append(gaps[-1])
            demands.append(None)
            problems.append(f"rule {position}: {error}")
    shortlist = make_shortlist(rules, demands) if are_many else None
    return Place(tuple(rules), tuple(gaps), tuple(problems), shortlist)


def _no_rules(why: str) -> Place:
    gap = Gap(None, None, why)
    return Place((gap,), (gap,), (why,))


def _key_of(data: Any) -> str | None:
    """The rule key of a rule that cannot be decided; None where even that cannot be read."""
    key = data.get("ruleKey") if isinstance(data, Mapping) else None
    return to_text(key) if is_id(key) else None


def _property_tokens(data: Mapping[Any, Any]) -> PropertyTokens:
    tokens = data.get("propertyTokens")
    if tokens is None:
        return None
    if not isinstance(tokens, list | tuple):
        raise Undecidable("propertyTokens is not a list")
    # An empty list names no property that the rule would be kept to.
    return frozenset(token for token in tokens if isinstance(token, str)) if tokens else None


def _copy_or_none(value: Any) -> Any:
    try:
        return copy_json(value)
    except Undecidable:
        return None
