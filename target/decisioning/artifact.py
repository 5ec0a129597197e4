"""The rules artifact: what it says of itself at once, its rules when an mbox or view first needs them.

It is given as JSON (``parse_artifact``) or as the text of that (``parse_artifact_text``, which stops nobody). An
artifact that as a whole makes no sense is refused; a rule that makes none by itself leaves a gap, and its mbox or view
counts as one that only the server can decide. What an Artifact says never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from target.decisioning.address import load_public_suffixes
from target.decisioning.artifact_text import holds_any, skim, to_utf8
from target.decisioning.coercion import to_text
from target.decisioning.geo import RESPONSE_TOKENS as GEO_TOKENS
from target.decisioning.places import Places
from target.decisioning.rules import copy_json
from target.decisioning.user_agent import load_user_agent_patterns
from target.decisioning.variables import Undecidable
from target.errors import ArtifactError

SUPPORTED_MAJOR_VERSION = "1"
DEFAULT_GLOBAL_MBOX = "target-global-mbox"
_PACKAGES = {"mmh3": "mmh3", "tldextract": "tldextract", "ua_parser": "ua-parser"}

_UNREADABLE = object()

Note = Callable[[tuple[str, ...]], object]


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Artifact:
    """An artifact to decide from.

    Attributes:
        version: As the artifact gives it, e.g. ``1.0.0``.
        meta: What the artifact says about itself, such as ``environment``.
        global_mbox: The mbox that the page load stands for.
        geo_targeting_enabled: Whether the artifact asks to know where the visitor is.
        geo_tokens: The response tokens about the visitor's place that it lets through.
        mboxes: Rules by mbox, and the gaps between them.
        views: Rules by view, likewise.
        local_mboxes: Mboxes that it can decide; None where it does not say, then those that have rules.
        remote_mboxes: Mboxes that only the server can decide, wholly.
        local_views: As for mboxes.
        remote_views: As for mboxes.
    """

    version: str
    meta: Mapping[str, Any]
    global_mbox: str
    geo_targeting_enabled: bool
    geo_tokens: tuple[str, ...]
    mboxes: Places
    views: Places
    local_mboxes: frozenset[str] | None
    remote_mboxes: frozenset[str]
    local_views: frozenset[str] | None
    remote_views: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why rules were left out, a line each: of the mboxes and views that were needed by now."""
        return (*self.mboxes.problems(), *self.views.problems())

    def read_ahead(self, previous: Artifact) -> None:
        """Compile what callers would have to wait for, of what they asked ``previous``, which this is to follow."""
        self.mboxes.read_ahead(previous.mboxes)
        self.views.read_ahead(previous.views)

    def forget(self) -> None:
        """Let go of compiled rules, little by little, since another artifact has followed."""
        self.mboxes.forget()
        self.views.forget()


def _ignore(_: tuple[str, ...]) -> None:
    """Problems that nobody is to be told of."""


def parse_artifact(data: Any, note: Note = _ignore) -> Artifact:
    """Read an artifact from its JSON, all of it. Nothing of ``data`` is kept, so that it may be changed afterwards.

    Args:
        data: The artifact.
        note: Is told why rules were left out, a line each, by mbox or view.

    Raises:
        ArtifactError: The major version is not 1, it is no artifact, or the packages of the extra are missing.
    """
    artifact = _read(data, note)
    artifact.mboxes.read_all()
    artifact.views.read_all()
    return artifact


def parse_artifact_text(text: bytes, note: Note = _ignore) -> Artifact:
    """Read an artifact from its JSON text, which is kept: rules are compiled when an mbox or view first needs them.

    No step holds up other threads for longer than it takes to read the largest rule.

    Args:
        text: The artifact.
        note: As for ``parse_artifact``, whenever a place is first needed, and on the thread that needs it.

    Raises:
        ArtifactError: As for ``parse_artifact``, or it is not complete JSON.
    """
    require_packages()
    data = _skim(text)
    if data is _UNREADABLE:  # raised out here, since what json raises would keep the whole text
        raise ArtifactError("The decisioning artifact is not complete JSON")
    artifact = _read(data, note)
    # So that no caller has to wait for it later.
    if holds_any(text, (b'"page.', b'"referring.')):
        load_public_suffixes()
    if holds_any(text, (b'"user.',)):
        load_user_agent_patterns()
    return artifact


def _skim(text: bytes) -> Any:
    try:
        return skim(to_utf8(text))
    except (ValueError, RecursionError):
        return _UNREADABLE


def _read(data: Any, note: Note) -> Artifact:
    require_packages()
    if not isinstance(data, Mapping):
        raise ArtifactError(f"The decisioning artifact must be a JSON object, not {type(data).__name__}")
    version = _version(data)
    rules = data.get("rules")
    if not isinstance(rules, Mapping):
        raise ArtifactError("The decisioning artifact has no rules: it is not one, or it is cut short")
    tokens = _strings(data.get("responseTokens")) or ()
    own_tokens = tuple(token for token in tokens if token not in GEO_TOKENS)
    mboxes, views = (Places(kind, _sources(kind, rules), own_tokens, note) for kind in ("mboxes", "views"))
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


def _sources(kind: str, rules: Mapping[Any, Any]) -> dict[str, Any]:
    """The rules of all mboxes or all views. Raises ArtifactError where they are no object."""
    places = rules.get(kind)
    if places is None:
        return {}
    if not isinstance(places, Mapping):
        raise ArtifactError(f"rules.{kind} of the decisioning artifact must be a JSON object")
    return {str(name): source for name, source in places.items()}


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
        meta = copy_json(value)
    except Undecidable:
        return {}
    return meta if isinstance(meta, dict) else {}


def _strings(value: Any) -> tuple[str, ...] | None:
    """The texts in a list, each once; None for anything but a list."""
    if not isinstance(value, list | tuple):
        return None
    return tuple(dict.fromkeys(item for item in value if isinstance(item, str)))
