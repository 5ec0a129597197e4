"""Owns the rules that the emulator decides by: reading a file of them, and what a forced experience changes of them.

The file is a rules artifact as Target publishes it: JSON with ``version``, ``meta`` and ``rules``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from target.decisioning.artifact import DEFAULT_GLOBAL_MBOX, Artifact, parse_artifact
from target.decisioning.experiences import Standing, standing_of
from target.decisioning.rules import Rule
from target.emulator.offers import Offers
from target.errors import ArtifactError
from target.reading import UnreadableJson, parse_json, pointer_to

_PROBLEM = re.compile(r"(mboxes|views) (.*?): (?:rule (\d+): )?(.*)", re.DOTALL)


class RulesError(ValueError):
    """The rules cannot be read or are no artifact; the message says file, place (JSON pointer) and what is wrong."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A checked rules artifact.

    Attributes:
        data: The artifact as parsed JSON; not to be changed.
        text: The same as it is served.
        etag: Of the text, with its quotes.
        artifact: The same, compiled.
        source: What it was read from, such as the name of a file; None for what was given.
        problems: Rules that this engine cannot decide, a line each with a JSON pointer. Their places count as remote.
    """

    data: Mapping[str, Any]
    text: bytes
    etag: str
    artifact: Artifact
    source: str | None
    problems: tuple[str, ...]

    @property
    def client(self) -> str | None:
        """The client code that the artifact names."""
        client = self.artifact.meta.get("clientCode")
        return client if isinstance(client, str) and client else None


def load_rules(path: str | Path) -> Rules:
    """Read and check the rules at ``path``. Raises RulesError."""
    try:
        text = Path(path).read_bytes()
    except OSError as cause:
        raise RulesError(f"{path}: cannot be read ({cause.strerror}); name an existing rules file") from cause
    return parse_rules(text, str(path))


def parse_rules(given: Mapping[str, Any] | str | bytes, source: str | None = None) -> Rules:
    """Check an artifact, as parsed JSON or as its text; ``source`` names it in errors. Raises RulesError."""
    named = source or "rules"
    if isinstance(given, Mapping):
        try:
            text = json.dumps(given, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as cause:
            raise RulesError(f"{named}: is no JSON ({cause})") from cause
    else:
        text = given.encode() if isinstance(given, str) else given
    try:
        data = parse_json(text)
    except UnreadableJson as cause:
        raise RulesError(f"{named}: {_where(text)}{cause}") from cause
    _check_shape(data, named)
    try:
        problems: list[str] = []
        artifact = parse_artifact(data, problems.extend)
    except ArtifactError as cause:
        raise RulesError(f"{named}: {cause}") from cause
    etag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    return Rules(data, text, etag, artifact, source, tuple(_located(problem) for problem in problems))


def rules_of(offers: Offers) -> Rules:
    """The rules of an account that has these offers and no activity that is decided on the device."""
    return parse_rules(
        {
            "version": "1.0.0",
            "meta": {"clientCode": offers.client, "environment": "production"},
            "globalMbox": DEFAULT_GLOBAL_MBOX,
            "geoTargetingEnabled": False,
            "responseTokens": [],
            "localMboxes": [],
            "localViews": [],
            "remoteMboxes": [*offers.mboxes, *([DEFAULT_GLOBAL_MBOX] if offers.page_load else [])],
            "remoteViews": list(offers.views),
            "rules": {"mboxes": {}, "views": {}},
        }
    )


def with_forced(rules: Rules, forced: Iterable[tuple[Standing, str | None]]) -> Rules:
    """The rules with each of these experiences for everybody: at one mbox, or (None) wherever its activity has one.

    At such a place the rules of that experience come first and always match, and the activity's others are gone.
    """
    forced = list(forced)
    changed: dict[str, dict[str, Any]] = {}
    for key, kind, places in (("mboxes", "mbox", rules.artifact.mboxes), ("views", "view", rules.artifact.views)):
        sources = dict(rules.data["rules"].get(key) or {})
        for name, source in list(sources.items()):
            for standing, mbox in forced:
                if isinstance(source, list) and (mbox is None or (kind, name) == ("mbox", mbox)):
                    # Both lists are one to one: a rule that cannot be decided leaves a gap.
                    compiled = [standing_of(rule) if isinstance(rule, Rule) else None for rule in places[name].rules]
                    sources[name] = _forced_at(sources[name], source, compiled, standing)
        changed[key] = sources
    return parse_rules({**rules.data, "rules": {**rules.data["rules"], **changed}}, rules.source)


def only_forced(rules: Rules, forced: Iterable[tuple[Standing, str | None]]) -> Rules:
    """The rules with these experiences for everybody, and nothing of any other activity."""
    forced = list(forced)
    listed = {standing.activity for standing, _ in forced}
    changed: dict[str, dict[str, Any]] = {}
    for key, places in (("mboxes", rules.artifact.mboxes), ("views", rules.artifact.views)):
        changed[key] = {
            name: [
                data
                for data, rule in zip(source, places[name].rules, strict=True)
                if isinstance(rule, Rule) and rule.activity_id in listed
            ]
            for name, source in (rules.data["rules"].get(key) or {}).items()
            if isinstance(source, list)
        }
    return with_forced(parse_rules({**rules.data, "rules": changed}, rules.source), forced)


def _forced_at(
    current: list[Any], original: list[Any], standings: list[Standing | None], wanted: Standing
) -> list[Any]:
    own = [rule for rule, standing in zip(original, standings, strict=True) if standing == wanted]
    if not own:
        return current
    others = {id(rule) for rule, standing in zip(original, standings, strict=True) if _same_activity(standing, wanted)}
    shown = [{**rule, "condition": True, "propertyTokens": []} for rule in own]
    return [*shown, *(rule for rule in current if id(rule) not in others)]


def _same_activity(standing: Standing | None, wanted: Standing) -> bool:
    return standing is not None and standing.activity == wanted.activity


def _check_shape(data: Any, named: str) -> None:
    """What the engine refuses as a whole, with the place."""
    if not isinstance(data, dict):
        _fail(named, "", f"must be a JSON object, not {type(data).__name__}: is it a rules artifact?")
    if not isinstance(data.get("version"), str | int | float):
        _fail(named, "/version", 'is missing: an artifact says "1.0.0" there')
    rules = data.get("rules")
    if not isinstance(rules, dict):
        _fail(named, "/rules", "must be an object with mboxes and views")
    for key in ("mboxes", "views"):
        if rules.get(key) is not None and not isinstance(rules[key], dict):
            _fail(named, f"/rules/{key}", "must be an object: a name and its rules each")


def _located(problem: str) -> str:
    """A line of the engine about a rule, with a JSON pointer."""
    found = _PROBLEM.fullmatch(problem)
    if found is None:
        return problem
    kind, name, position, why = found.groups()
    pointer = pointer_to("rules", kind, name[1:-1])
    return f"{pointer if position is None else f'{pointer}/{position}'}: {why}"


def _where(text: bytes) -> str:
    """Line and column at which a text stops being JSON, for a person who wrote it by hand."""
    try:
        json.loads(text)
    except json.JSONDecodeError as problem:
        return f"line {problem.lineno}, column {problem.colno} ({problem.msg}): it "
    except (ValueError, RecursionError):
        return "it "
    return "it "


def _fail(named: str, pointer: str, problem: str) -> NoReturn:
    raise RulesError(f"{named}: {pointer}: {problem}" if pointer else f"{named}: {problem}")
