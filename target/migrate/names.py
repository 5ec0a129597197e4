"""What Adobe's packages call something, and what it is called here."""

from __future__ import annotations

import re

import target

#: The packages that a distribution of target-python-sdk installs, besides its own tests.
PACKAGES = frozenset({"target_python_sdk", "delivery_api_client", "target_tools", "target_decisioning_engine"})
#: What theirs logs to.
LOGGER = "adobe.target"
#: The modules of theirs whose classes are all in `target`.
_OURS = re.compile(
    r"target_python_sdk|target_tools\.enums|delivery_api_client(\.exceptions|\.(Model|models)(\.[a-z_0-9]+)?)?"
)
_RENAMED = {"ModelProperty": "Property", "ApiException": "ApiError"}
#: Milliseconds since 1970, of a module that is internal here as well.
EPOCH = ("target_tools.utils", "get_epoch_time_milliseconds")
#: What events hold; Adobe's pages read these as attributes.
EVENT_FIELDS = frozenset({"type", "artifact_payload", "artifact_location", "error", "geo_context"})
_EVENTS = ("client_ready", "artifact_download_succeeded", "artifact_download_failed", "geo_location_updated")
_OPTIONS = {*target.ClientOptions.__annotations__, *target.RequestOptions.__annotations__, "callback", "err_callback"}


def is_module_of_ours(dotted: str) -> bool:
    """Whether what is imported from this module of Adobe's is to be imported from `target`."""
    return _OURS.fullmatch(dotted) is not None


def new_name(module: str, name: str) -> str | None:
    """What a class of a module of Adobe's is called in `target`; None if there is nothing like it."""
    package, _, rest = module.partition(".")
    if package == "target_python_sdk":
        return name if name == "TargetClient" else None
    if package == "target_tools":
        return name if (rest, name) == ("enums", "DecisioningMethod") else None
    found = _RENAMED.get(name, name)
    return found if is_module_of_ours(module) and found[:1].isupper() and found in target.__all__ else None


def spell_option(name: str) -> str | None:
    """The option that is meant, however it is spelt: ``propertyToken`` is ``property_token``; None if it is none."""
    return _SPELLINGS.get(_plain(name))


def spell_event(name: str) -> str | None:
    """The event that is meant; None if it is none."""
    return {_plain(event): event for event in _EVENTS}.get(_plain(name))


def _plain(name: str) -> str:
    return re.sub("[_-]", "", name).lower()


_SPELLINGS = {_plain(option): option for option in _OPTIONS} | {"telemetryenable": "telemetry_enabled"}
