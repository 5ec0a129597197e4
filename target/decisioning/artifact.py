"""The rules artifact, read once into what deciding needs: compiled rules by mbox and view.

``parse_artifact`` takes any JSON. It refuses an artifact that as a whole makes no sense; a rule that makes none by
itself leaves a gap, and its mbox or view counts as one that only the server can decide. An Artifact is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from target.decisioning.address import load_public_suffixes
from target.decisioning.coercion import to_text
from target.decisioning.comparison import Test
from target.decisioning.compile import compile_condition
from target.decisioning.consequence import Consequence, parse_consequence
from target.decisioning.geo import RESPONSE_TOKENS as GEO_TOKENS
from target.decisioning.user_agent import load_user_agent_patterns
from target.decisioning.variables import Undecidable
from target.errors import TargetError

SUPPORTED_MAJOR_VERSION = "1"
DEFAULT_GLOBAL_MBOX = "target-global-mbox"
MAX_DEPTH = 64
_PACKAGES = {"mmh3": "mmh3", "tldextract": "tldextract", "ua_parser": "ua-parser"}

PropertyTokens = frozenset[str] | None


class ArtifactError(TargetError):
    """The rules artifact cannot be used: its version is not supported, or it is not an artifact."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One experience of an activity at one place. ``property_tokens`` None: for every property."""

    key: str
    activity_id: str
    test: Test
    consequence: Consequence
    property_tokens: PropertyTokens
    meta: Mapping[str, Any]
    condition: Any


@dataclass(frozen=True, slots=True)
class Gap:
    """Where a rule stands that cannot be decided here. What is below it may not be shown in its place."""

    key: str | None
    property_tokens: PropertyTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A parsed artifact.

    Attributes:
        version: As the artifact gives it, e.g. ``1.0.0``.
        meta: What the artifact says about itself, such as ``environment``.
        global_mbox: The mbox that the page load stands for.
        geo_targeting_enabled: Whether the artifact asks to know where the visitor is.
        geo_tokens: The response tokens about the visitor's place that it lets through.
        mboxes: Rules by mbox, in order of priority, and the gaps between them.
        views: Rules by view, likewise.
        local_mboxes: Mboxes that it can decide; None where it does not say, then those that have rules.
        remote_mboxes: Mboxes that only the server can decide, wholly.
        local_views: As for mboxes.
        remote_views: As for mboxes.
        undecidable: By ``("mboxes" or "views", name)``, the property tokens of each rule that was left out.
        problems: Why rules were left out, a line each, for the log.
        reads: The first words of all variables that its rules read.
    """

    version: str
    meta: Mapping[str, Any]
    global_mbox: str
    geo_targeting_enabled: bool
    geo_tokens: tuple[str, ...]
    mboxes: Mapping[str, tuple[Rule | Gap, ...]]
    views: Mapping[str, tuple[Rule | Gap, ...]]
    local_mboxes: frozenset[str] | None
    remote_mboxes: frozenset[str]
    local_views: frozenset[str] | None
    remote_views: tuple[str, ...]
    undecidable: Mapping[tuple[str, str], tuple[PropertyTokens, ...]]
    problems: tuple[str, ...]
    reads: frozenset[str]


def parse_artifact(data: Any) -> Artifact:
    """Read an artifact from its JSON. Nothing of ``data`` is kept, so that it may be changed afterwards.

    Raises:
        ArtifactError: The major version is not 1, it is no artifact, or the packages of the extra are missing.
    """
    require_packages()
    if not isinstance(data, Mapping):
        raise ArtifactError(f"The decisioning artifact must be a JSON object, not {type(data).__name__}")
    version = _version(data)
    rules = data.get("rules")
    if not isinstance(rules, Mapping):
        raise ArtifactError("The decisioning artifact has no rules: it is not one, or it is cut short")
    tokens = _strings(data.get("responseTokens")) or ()
    reader = _RuleReader(tuple(token for token in tokens if token not in GEO_TOKENS))
    mboxes, views = (reader.read(kind, rules.get(kind)) for kind in ("mboxes", "views"))
    if reader.reads & {"page", "referring", ""}:
        load_public_suffixes()
    if reader.reads & {"user", ""}:
        load_user_agent_patterns()
    local_mboxes, local_views = _strings(data.get("localMboxes")), _strings(data.get("localViews"))
    global_mbox = data.get("globalMbox")
    return Artifact(
        version=version,
        meta=_meta(data.get("meta")),
        global_mbox=global_mbox if isinstance(global_mbox, str) and global_mbox else DEFAULT_GLOBAL_MBOX,
        geo_targeting_enabled=data.get("geoTargetingEnabled") is True,
        geo_tokens=tuple(token for token in tokens if token in GEO_TOKENS),
        mboxes=mboxes,
        views=views,
        local_mboxes=None if local_mboxes is None else frozenset(local_mboxes),
        remote_mboxes=frozenset(_strings(data.get("remoteMboxes")) or ()),
        local_views=None if local_views is None else frozenset(local_views),
        remote_views=_strings(data.get("remoteViews")) or (),
        undecidable={place: tuple(found) for place, found in reader.undecidable.items()},
        problems=tuple(reader.problems),
        reads=frozenset(reader.reads),
    )


@cache
def require_packages() -> None:
    """Check that what on-device decisioning needs is installed. Raises ArtifactError naming the extra."""
    missing = [name for module, name in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise ArtifactError(
            f"On-device decisioning needs the packages of the extra 'on-device' ({', '.join(missing)} missing): "
            "pip install 'target-delivery[on-device]'"
        )


class _RuleReader:
    """Reads the rules of an artifact, and collects on the way what about them is worth knowing."""

    def __init__(self, response_tokens: tuple[str, ...]) -> None:
        self._response_tokens = response_tokens
        self.undecidable: dict[tuple[str, str], list[PropertyTokens]] = {}
        self.problems: list[str] = []
        self.reads: set[str] = set()

    def read(self, kind: str, places: Any) -> dict[str, tuple[Rule | Gap, ...]]:
        """The rules of all mboxes or all views. Raises ArtifactError where it is no object."""
        if places is None:
            return {}
        if not isinstance(places, Mapping):
            raise ArtifactError(f"rules.{kind} of the decisioning artifact must be a JSON object")
        return {str(name): self._read_place(kind, str(name), rules) for name, rules in places.items()}

    def _read_place(self, kind: str, name: str, rules: Any) -> tuple[Rule | Gap, ...]:
        if not isinstance(rules, list | tuple):
            self._leave_out(kind, name, "its rules are not a list", None)
            return ()
        read: list[Rule | Gap] = []
        for position, data in enumerate(rules):
            property_tokens = None
            try:
                if not isinstance(data, Mapping):
                    raise Undecidable("it is not an object")
                property_tokens = _property_tokens(data)
                read.append(self._read_rule(data, property_tokens))
            except (Undecidable, TypeError, ValueError) as error:
                self._leave_out(kind, name, f"rule {position}: {error}", property_tokens)
                read.append(Gap(_key_of(data), property_tokens))
        return tuple(read)

    def _read_rule(self, data: Mapping[Any, Any], property_tokens: PropertyTokens) -> Rule:
        meta = _copy(data.get("meta") or {}, 0)
        consequence = _copy(data.get("consequence"), 0)
        if not isinstance(meta, dict) or not isinstance(consequence, dict):
            raise Undecidable("meta and consequence must be objects")
        if "condition" not in data:
            raise Undecidable("it has no condition")
        condition = _copy(data["condition"], 0)
        activity_id = _id(data.get("activityId", meta.get("activity.id")), "activityId")
        compiled = compile_condition(condition, activity_id)
        rule = Rule(
            key=_id(data.get("ruleKey"), "ruleKey"),
            activity_id=activity_id,
            test=compiled.test,
            consequence=parse_consequence(consequence, meta, self._response_tokens),
            property_tokens=property_tokens,
            meta=meta,
            condition=condition,
        )
        self.reads |= compiled.reads
        return rule

    def _leave_out(self, kind: str, name: str, why: str, property_tokens: PropertyTokens) -> None:
        self.undecidable.setdefault((kind, name), []).append(property_tokens)
        self.problems.append(f"{kind} {name!r}: {why}")


def _version(data: Mapping[Any, Any]) -> str:
    version = data.get("version")
    if not isinstance(version, str | int | float):
        raise ArtifactError("The decisioning artifact has no version: it is not one, or it is cut short")
    text = to_text(version)[:40]
    if text.partition(".")[0] != SUPPORTED_MAJOR_VERSION:
        raise ArtifactError(
            f"The decisioning artifact version ({text}) is not supported. "
            f"This library is compatible with this major version: {SUPPORTED_MAJOR_VERSION}"
        )
    return text


def _meta(value: Any) -> dict[str, Any]:
    try:
        meta = _copy(value, 0)
    except Undecidable:
        return {}
    return meta if isinstance(meta, dict) else {}


def _id(value: Any, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise Undecidable(f"it has no {name}")
    return to_text(value)


def _key_of(data: Any) -> str | None:
    """The rule key of a rule that cannot be decided; None where even that cannot be read."""
    try:
        return _id(data.get("ruleKey"), "ruleKey") if isinstance(data, Mapping) else None
    except Undecidable:
        return None


def _property_tokens(data: Mapping[Any, Any]) -> PropertyTokens:
    tokens = data.get("propertyTokens")
    if tokens is None:
        return None
    if not isinstance(tokens, list | tuple):
        raise Undecidable("propertyTokens is not a list")
    # An empty list names no property that the rule would be kept to.
    return frozenset(token for token in tokens if isinstance(token, str)) if tokens else None


def _strings(value: Any) -> tuple[str, ...] | None:
    """The texts in a list, each once; None for anything but a list."""
    if not isinstance(value, list | tuple):
        return None
    return tuple(dict.fromkeys(item for item in value if isinstance(item, str)))


def _copy(value: Any, depth: int) -> Any:
    """A copy of JSON, all the way down. Raises Undecidable for what is nested too deeply, or is no JSON."""
    if value is None or isinstance(value, str | int | float):
        return value
    if depth > MAX_DEPTH:
        raise Undecidable(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        return {_key(key): _copy(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item, depth + 1) for item in value]
    raise Undecidable(f"{type(value).__name__} is no JSON")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise Undecidable("an object has a key that is no text")
    return key
