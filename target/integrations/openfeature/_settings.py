"""What users say of a provider."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from openfeature.evaluation_context import EvaluationContext
from openfeature.hook import Hook

from target import OptionsError
from target.integrations.openfeature._flag_keys import MOST_MBOXES, parse_names
from target.integrations.openfeature._seldom import Seldom
from target.loggers import Log

#: What the targeting key is; a function gives the ``id`` of the request, in wire form.
TargetingKey = (
    Literal["thirdPartyId", "tntId", "ECID", "customerId"] | Callable[[EvaluationContext], Mapping[str, Any] | None]
)
Exposure = Literal["prefetch", "execute"]

logger = Seldom(Log(logging.getLogger("target.openfeature")))

_ID_FIELDS = {"thirdPartyId": "thirdPartyId", "tntId": "tntId", "ECID": "marketingCloudVisitorId", "customerId": ""}


class ProviderOptions(TypedDict, total=False):
    """Options of both providers. Durations are milliseconds."""

    mboxes: Collection[str] | None
    """Names of the mboxes that flags are of. They are asked for together, and a key of none of them is no flag.
    Default: what a key may mean is asked for, beside what was asked for lately."""
    exposure: Exposure
    """``"prefetch"``: an mbox counts as shown when a value of it is read. ``"execute"``: when it is asked for; needs
    ``mboxes``. Default ``"prefetch"``."""
    targeting_key: TargetingKey
    """What the targeting key is: ``"thirdPartyId"``, ``"tntId"``, ``"ECID"``, ``"customerId"`` (with
    ``integration_code``), or a function that makes the ``id`` of the request from the evaluation context. Default
    ``"thirdPartyId"``."""
    integration_code: str | None
    """Of customer ids, where the targeting key is one."""
    requires_targeting_key: bool
    """Whether an evaluation without a targeting key is an error, TARGETING_KEY_MISSING. Default False: it is of a
    visitor of its own."""
    ready_timeout: float
    """How long ``initialize`` waits for the first rules. Default 5000."""
    max_age: float
    """How long the evaluations of one transaction share an answer. Default 5000; 0: never."""
    hooks: Sequence[Hook]
    """OpenFeature hooks of the provider."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``ProviderOptions`` say, checked."""

    mboxes: tuple[str, ...] | None
    known: frozenset[str] | None
    exposure: Exposure
    id_field: str
    integration_code: str | None
    function: Callable[[EvaluationContext], Mapping[str, Any] | None] | None
    requires_targeting_key: bool
    ready_timeout_s: float
    max_age_s: float
    hooks: tuple[Hook, ...]

    def identify(self, context: EvaluationContext, key: str | None) -> dict[str, Any] | None:
        """What the function of the application says of the visitor; None without one."""
        if self.function is None:
            return None
        return dict(self.function(EvaluationContext(key, context.attributes)) or {})


def parse_settings(options: Mapping[str, Any]) -> Settings:
    """Check the options of a provider. Raises OptionsError."""
    known = ProviderOptions.__annotations__
    if unknown := [name for name in options if name not in known]:
        raise OptionsError(f"The provider has no option {unknown[0]!r}: known are {', '.join(known)}")
    try:
        mboxes = parse_names(options.get("mboxes"))
    except (TypeError, ValueError) as error:
        raise OptionsError(f"mboxes must be names of mboxes: {error}") from None
    if mboxes is not None and not 0 < len(mboxes) <= MOST_MBOXES:
        raise OptionsError(f"mboxes must name 1 to {MOST_MBOXES} mboxes, as many as one call may ask for")
    exposure = options.get("exposure", "prefetch")
    if exposure not in ("prefetch", "execute"):
        raise OptionsError("exposure must be 'prefetch' or 'execute'")
    if exposure == "execute" and mboxes is None:
        raise OptionsError("exposure='execute' counts all that is asked for: name that in mboxes")
    key, code = options.get("targeting_key", "thirdPartyId"), options.get("integration_code")
    if not callable(key) and (not isinstance(key, str) or key not in _ID_FIELDS):
        raise OptionsError(f"targeting_key must be one of {', '.join(map(repr, _ID_FIELDS))}, or a function")
    if (key == "customerId") != (code is not None) or not isinstance(code, str | None) or code == "":
        raise OptionsError("targeting_key='customerId' needs an integration_code, and nothing else has one")
    if not isinstance(requires := options.get("requires_targeting_key", False), bool):
        raise OptionsError("requires_targeting_key must be True or False")
    if not isinstance(hooks := options.get("hooks", ()), list | tuple):
        raise OptionsError("hooks must be a list of hooks of OpenFeature's")
    return Settings(
        mboxes,
        None if mboxes is None else frozenset(mboxes),
        exposure,
        "" if callable(key) else _ID_FIELDS[key],
        code,
        key if callable(key) else None,
        requires,
        _seconds("ready_timeout", options.get("ready_timeout", 5000)),
        _seconds("max_age", options.get("max_age", 5000)),
        tuple(hooks),
    )


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise OptionsError(f"{name} must be milliseconds, 0 or more")
    return value / 1000
