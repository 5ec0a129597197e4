"""The rules of an artifact by mbox or by view: read and compiled when a place is first asked for, and then kept.

Safe to share between threads. Two that ask for the same place at the same moment may both read it; one of them is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from target.decisioning.address import load_public_suffixes
from target.decisioning.artifact_text import Passage, list_items
from target.decisioning.coercion import to_text
from target.decisioning.comparison import Test
from target.decisioning.compile import compile_condition
from target.decisioning.consequence import Consequence, parse_consequence
from target.decisioning.context import Scope
from target.decisioning.user_agent import load_user_agent_patterns
from target.decisioning.variables import Undecidable

MAX_DEPTH = 64
LARGE_BYTES = 16_384  # of a place's text; reading it takes some milliseconds

PropertyTokens = frozenset[str] | None


class _Details(NamedTuple):
    """What only a visitor whom a rule matches, or a trace, needs of it."""

    consequence: Consequence
    meta: Mapping[str, Any]
    condition: Any


class Rule:
    """One experience of an activity at one place. ``property_tokens`` None: for every property.

    Its details are read from the artifact's text once more when it first matches, and only then kept: most of the
    thousands of rules that a place may have never do, and Python's garbage collector stops all threads to go through
    what is kept.
    """

    __slots__ = ("_details", "_response_tokens", "_source", "activity_id", "key", "property_tokens", "test")

    def __init__(
        self, data: Mapping[Any, Any], property_tokens: PropertyTokens, source: Any, response_tokens: tuple[str, ...]
    ) -> None:
        details = _read_details(data, response_tokens)
        self.property_tokens = property_tokens
        self.activity_id = _id(data.get("activityId", details.meta.get("activity.id")), "activityId")
        self.key = _id(data.get("ruleKey"), "ruleKey")
        compiled = compile_condition(details.condition, self.activity_id)
        if compiled.reads & {"page", "referring", ""}:
            load_public_suffixes()
        if compiled.reads & {"user", ""}:
            load_user_agent_patterns()
        self.test: Test = compiled.test
        self._source = source
        self._response_tokens = response_tokens
        self._details = None if isinstance(source, Passage) else details

    def __repr__(self) -> str:
        return f"Rule({self.key!r}, activity {self.activity_id!r})"

    @property
    def consequence(self) -> Consequence:
        """What it shows."""
        return self._read_details().consequence

    @property
    def meta(self) -> Mapping[str, Any]:
        """What the artifact says about it, such as ``activity.id``."""
        return self._read_details().meta

    @property
    def condition(self) -> Any:
        """What ``test`` was made of."""
        return self._read_details().condition

    def _read_details(self) -> _Details:
        details = self._details
        if details is None:
            details = self._details = _read_details(self._source.read(), self._response_tokens)
        return details


@dataclass(frozen=True, slots=True)
class Gap:
    """Where a rule stands that cannot be decided here. What is below it may not be shown in its place."""

    key: str | None
    property_tokens: PropertyTokens

    @staticmethod
    def test(_: Scope) -> bool:
        """It might have matched."""
        return True


class Place(NamedTuple):
    """What an artifact holds for one mbox or view.

    Attributes:
        rules: In order of priority, with a gap for each that this engine cannot decide.
        gaps: The gaps alone.
        problems: Why they are gaps, a line each, for the log.
    """

    rules: tuple[Rule | Gap, ...] = ()
    gaps: tuple[Gap, ...] = ()
    problems: tuple[str, ...] = ()


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
    gaps: list[Gap] = []
    problems: list[str] = []
    try:
        sources = list_items(source) if isinstance(source, Passage) else source
    except RecursionError:  # the caller is far down the stack
        return _no_rules("its rules are nested too deeply")
    if not isinstance(sources, list | tuple):
        return _no_rules("its rules are not a list")
    for position, item in enumerate(sources):
        property_tokens = data = None
        try:
            data = item.read() if isinstance(item, Passage) else item
            if not isinstance(data, Mapping):
                raise Undecidable("it is not an object")
            property_tokens = _property_tokens(data)
            rules.append(Rule(data, property_tokens, item, response_tokens))
        except (Undecidable, TypeError, ValueError, RecursionError) as error:
            gaps.append(Gap(_key_of(data), property_tokens))
            rules.append(gaps[-1])
            problems.append(f"rule {position}: {error}")
    return Place(tuple(rules), tuple(gaps), tuple(problems))


def _no_rules(why: str) -> Place:
    gap = Gap(None, None)
    return Place((gap,), (gap,), (why,))


def _read_details(data: Mapping[Any, Any], response_tokens: tuple[str, ...]) -> _Details:
    meta = copy_json(data.get("meta") or {})
    consequence = copy_json(data.get("consequence"))
    if not isinstance(meta, dict) or not isinstance(consequence, dict):
        raise Undecidable("meta and consequence must be objects")
    if "condition" not in data:
        raise Undecidable("it has no condition")
    return _Details(parse_consequence(consequence, meta, response_tokens), meta, copy_json(data["condition"]))


def _id(value: Any, name: str) -> str:
    if not _is_id(value):
        raise Undecidable(f"it has no {name}")
    return to_text(value)


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _key_of(data: Any) -> str | None:
    """The rule key of a rule that cannot be decided; None where even that cannot be read."""
    key = data.get("ruleKey") if isinstance(data, Mapping) else None
    return to_text(key) if _is_id(key) else None


def _property_tokens(data: Mapping[Any, Any]) -> PropertyTokens:
    tokens = data.get("propertyTokens")
    if tokens is None:
        return None
    if not isinstance(tokens, list | tuple):
        raise Undecidable("propertyTokens is not a list")
    # An empty list names no property that the rule would be kept to.
    return frozenset(token for token in tokens if isinstance(token, str)) if tokens else None


def copy_json(value: Any, depth: int = 0) -> Any:
    """A copy of JSON, all the way down. Raises Undecidable for what is nested too deeply, or is no JSON."""
    if value is None or isinstance(value, str | int | float):
        return value
    if depth > MAX_DEPTH:
        raise Undecidable(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        return {_key(key): copy_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [copy_json(item, depth + 1) for item in value]
    raise Undecidable(f"{type(value).__name__} is no JSON")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise Undecidable("an object has a key that is no text")
    return key
