"""One rule of an artifact: read and compiled, or the gap where one stands that cannot be decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from target.decisioning.address import load_public_suffixes
from target.decisioning.artifact_text import Passage
from target.decisioning.coercion import to_text
from target.decisioning.comparison import Test
from target.decisioning.compile import compile_condition
from target.decisioning.consequence import Consequence, parse_consequence
from target.decisioning.context import Scope
from target.decisioning.user_agent import load_user_agent_patterns
from target.decisioning.variables import Undecidable

MAX_DEPTH = 64

PropertyTokens = frozenset[str] | None
_PLAIN = frozenset({str, int, float, bool, type(None)})
_HOLDERS = frozenset({dict, list})
_NOTHING = Consequence((), None, [], ())


class RuleDetails(NamedTuple):
    """What only a visitor whom a rule matches, or a trace, needs of it."""

    consequence: Consequence
    meta: Mapping[str, Any]
    condition: Any


class Sign(NamedTuple):
    """Which rule it is that was shown, for whoever is told later: it holds nothing else of its artifact."""

    activity_id: str
    has_share: bool
    meta: Mapping[str, Any]


class Rule:
    """One experience of an activity at one place. ``property_tokens`` None: for every property. ``has_share``: only a
    share of its audience sees it, as in an A/B test.

    Its details are read from the artifact's text once more when it first matches, and only then kept: most of the
    thousands of rules that a place may have never do, and Python's garbage collector stops all threads to go through
    what is kept.
    """

    __slots__ = (
        "_details",
        "_response_tokens",
        "_sign",
        "_source",
        "activity_id",
        "has_share",
        "key",
        "property_tokens",
        "test",
    )

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
        self.has_share = "allocation" in compiled.reads
        self._source = source
        self._response_tokens = response_tokens
        self._details = None if isinstance(source, Passage) else details
        self._sign: Sign | None = None

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

    @property
    def sign(self) -> Sign:
        """Which rule it is."""
        sign = self._sign
        if sign is None:
            sign = self._sign = Sign(self.activity_id, self.has_share, self._read_details().meta)
        return sign

    def look_up(self) -> RuleDetails:
        """What it says, without keeping what was read for that."""
        return self._details or _read_details(self._source.read(), self._response_tokens)

    def _read_details(self) -> RuleDetails:
        details = self._details
        if details is None:
            details = self._details = _read_details(self._source.read(), self._response_tokens)
        return details


@dataclass(frozen=True, slots=True)
class Gap:
    """Where a rule stands that cannot be decided here. What is below it may not be shown in its place.

    Attributes:
        key: Its rule key; None where even that cannot be read.
        property_tokens: As of a Rule.
        why: What cannot be decided.
    """

    key: str | None
    property_tokens: PropertyTokens
    why: str
    _source: Any = field(default=None, compare=False, repr=False)

    def look_up(self) -> RuleDetails:
        """What it says, as far as that can be read, with ``activityId`` in its meta; of its consequence nothing."""
        try:
            data = self._source.read() if isinstance(self._source, Passage) else self._source
            data = data if isinstance(data, Mapping) else {}
            meta = copy_json(data.get("meta"))
            meta = meta if isinstance(meta, dict) else {}
            if is_id(data.get("activityId")):
                meta["activity.id"] = data["activityId"]
            return RuleDetails(_NOTHING, meta, copy_json(data.get("condition")))
        except (Undecidable, ValueError, RecursionError):
            return RuleDetails(_NOTHING, {}, None)

    @staticmethod
    def test(_: Scope) -> bool:
        """It might have matched."""
        return True


def _read_details(data: Mapping[Any, Any], response_tokens: tuple[str, ...]) -> RuleDetails:
    meta = copy_json(data.get("meta") or {})
    consequence = copy_json(data.get("consequence"))
    if not isinstance(meta, dict) or not isinstance(consequence, dict):
        raise Undecidable("meta and consequence must be objects")
    if "condition" not in data:
        raise Undecidable("it has no condition")
    return RuleDetails(parse_consequence(consequence, meta, response_tokens), meta, copy_json(data["condition"]))


def _id(value: Any, name: str) -> str:
    if not is_id(value):
        raise Undecidable(f"it has no {name}")
    return to_text(value)


def is_id(value: Any) -> bool:
    """Whether ``value`` can be the id of something."""
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def copy_json(value: Any, depth: int = 0) -> Any:
    """A copy of JSON, all the way down. Raises Undecidable for what is nested too deeply, or is no JSON."""
    kind = value.__class__
    if kind in _PLAIN or (kind not in _HOLDERS and isinstance(value, str | int | float)):
        return value
    if depth > MAX_DEPTH:
        raise Undecidable(f"it is nested more than {MAX_DEPTH} deep")
    if kind is dict or (kind is not list and isinstance(value, Mapping)):
        return {_key(key): copy_json(item, depth + 1) for key, item in value.items()}
    if kind is list or isinstance(value, list | tuple):
        return [copy_json(item, depth + 1) for item in value]
    raise Undecidable(f"{type(value).__name__} is no JSON")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise Undecidable("an object has a key that is no text")
    return key
