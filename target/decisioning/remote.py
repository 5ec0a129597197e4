"""What of a request only the server can decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeGuard

from target.decisioning.artifact import Artifact
from target.decisioning.consequence import EXECUTE, PREFETCH
from target.decisioning.places import Place

LEFT_TO_SERVER = "the rules leave it to the server, since it shares an activity that only that can decide"
UNKNOWN = "the rules do not know it"
HAS_GAP = "one of its rules cannot be decided here"


class Remote(NamedTuple):
    """Mboxes and views, each once and in the order asked, that an artifact cannot decide or not fully."""

    mboxes: list[str]
    views: list[str]


def find_remote(body: Mapping[str, Any], artifact: Artifact) -> Remote:
    """What in a request in wire form the artifact cannot decide. The page load is its global mbox.

    A name counts as remote when the artifact says so, when it does not know it, and when it has a rule for it that
    this engine cannot decide. A request for all views has every view that the artifact calls remote.
    """
    token = property_token_of(body)
    mboxes = [name for name in _asked_mboxes(body, artifact) if _is_remote_mbox(name, artifact, token)]
    return Remote(once_each(mboxes), find_remote_views(section(body, PREFETCH), artifact, token))


def find_remote_views(prefetch: Mapping[str, Any], artifact: Artifact, token: str | None) -> list[str]:
    """The views among what ``prefetch`` asks for that the artifact cannot decide, each once."""
    views: list[str] = []
    for view in objects(prefetch, "views"):
        name = view.get("name")
        if name is None:
            views += artifact.remote_views
            views += [known for known in artifact.views if has_gap(artifact.views[known], token)]
        elif _is_remote_view(str(name), artifact, token):
            views.append(str(name))
    return once_each(views)


def why_remote_mbox(name: str, artifact: Artifact, token: str | None) -> str | None:
    """Why only the server can decide the mbox ``name``, for the property ``token``; None where the rules can."""
    if not _is_remote_mbox(name, artifact, token):
        return None
    if name in artifact.remote_mboxes:
        return LEFT_TO_SERVER
    return HAS_GAP if has_gap(artifact.mboxes[name], token) else UNKNOWN


def why_remote_view(name: str, artifact: Artifact, token: str | None) -> str | None:
    """The same for a view."""
    if not _is_remote_view(name, artifact, token):
        return None
    if name in artifact.remote_views:
        return LEFT_TO_SERVER
    return HAS_GAP if has_gap(artifact.views[name], token) else UNKNOWN


def is_local_mbox(name: str, artifact: Artifact) -> bool:
    """Whether the artifact says of the mbox ``name`` that it can decide it; see ``has_gap`` for whether that is so."""
    local = artifact.mboxes if artifact.local_mboxes is None else artifact.local_mboxes
    return name in local and name not in artifact.remote_mboxes


def has_gap(place: Place, token: str | None) -> bool:
    """Whether a rule of ``place`` that would count for the property ``token`` cannot be decided."""
    return bool(place.gaps) and any(gap.property_tokens is None or token in gap.property_tokens for gap in place.gaps)


def needs_remote(body: Mapping[str, Any], artifact: Artifact) -> bool:
    """Whether a hybrid call has to go to the server: something in it cannot be decided here.

    QA mode and preview show activities that no artifact holds, to the one visitor who has the link.
    """
    asks_for_more = body.get("qaMode") is not None or body.get("preview") is not None
    return asks_for_more or any(find_remote(body, artifact))


def needs_reading(body: Mapping[str, Any], artifact: Artifact) -> bool:
    """Whether to decide a request has to wait until rules that were never needed before are compiled."""
    asked = objects(section(body, PREFETCH), "views")
    names = (view.get("name") for view in asked)
    views = [known for name in names for known in (artifact.views if name is None else (str(name),))]
    return any(map(artifact.mboxes.is_slow, _asked_mboxes(body, artifact))) or any(map(artifact.views.is_slow, views))


def section(body: Mapping[str, Any], mode: str) -> Mapping[str, Any]:
    """``execute`` or ``prefetch`` of a request; empty where it has none."""
    value = body.get(mode)
    if value is None:
        return {}
    return value if value.__class__ is dict or isinstance(value, Mapping) else {}


def is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether ``value`` is a JSON object. Of what nearly all are, or lack, that is known without asking its class."""
    return value.__class__ is dict or (value is not None and isinstance(value, Mapping))


def objects(parent: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects in a list of a request; none where it has no such list."""
    value = parent.get(key)
    if value is None or not (value.__class__ is list or isinstance(value, list | tuple)):
        return []
    return [item for item in value if item.__class__ is dict or isinstance(item, Mapping)]


def once_each(names: list[str]) -> list[str]:
    """``names`` in the order in which they come up first."""
    return list(dict.fromkeys(names)) if names else names


def property_token_of(body: Mapping[str, Any]) -> str | None:
    """The property that a request is for; an empty token names none."""
    given = body.get("property")
    token = given.get("token") if is_object(given) else None
    return token if isinstance(token, str) and token else None


def _asked_mboxes(body: Mapping[str, Any], artifact: Artifact) -> Iterator[str]:
    for mode in (EXECUTE, PREFETCH):
        asked = section(body, mode)
        if asked.get("pageLoad") is not None:
            yield artifact.global_mbox
        for mbox in objects(asked, "mboxes"):
            yield str(mbox.get("name"))


def _is_remote_mbox(name: str, artifact: Artifact, token: str | None) -> bool:
    return not is_local_mbox(name, artifact) or has_gap(artifact.mboxes[name], token)


def _is_remote_view(name: str, artifact: Artifact, token: str | None) -> bool:
    local = artifact.views if artifact.local_views is None else artifact.local_views
    return name not in local or name in artifact.remote_views or has_gap(artifact.views[name], token)
