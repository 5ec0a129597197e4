"""What of an answer a flag is: its value, its variant, the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from openfeature.exception import FlagNotFoundError, ParseError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagType, Reason

from target import Option, PartDecision
from target.integrations.openfeature._answers import Answer
from target.integrations.openfeature._flag_keys import find, path_in, shown

#: Response tokens that are flag metadata. No other is: many tell of the visitor.
TOKENS = ("activity.id", "activity.name", "experience.id", "experience.name", "offer.id", "offer.name")

_REASONS = {
    "split": Reason.SPLIT,
    "targeting": Reason.TARGETING_MATCH,
    "server": Reason.TARGETING_MATCH,
    "override": Reason.DISABLED,
    "offline": Reason.DISABLED,
    "bot": Reason.DISABLED,
    "default": Reason.DEFAULT,
    "remote": Reason.DEFAULT,
}
_TEXT_OFFERS = (None, "html", "redirect", "dynamic")
_MOST_FLOAT = 10**308  # beyond, a whole number is no float


class _Metadata(dict[str, Any]):
    """Metadata of a flag, which nobody can change (Requirement 1.4.15.1 of the specification), but copy, and write as
    JSON, which the proxy of ``types`` does not let."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> Any:
        raise TypeError("The metadata of a flag cannot be changed: take a copy, dict(metadata)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return type(self), (dict(self),)


class Reading(NamedTuple):
    """A flag as it is in an answer.

    Attributes:
        details: What the provider returns.
        mbox: Where it is from.
        is_shown: Whether the visitor sees an experience by it, of which Target is to hear.
    """

    details: FlagResolutionDetails[Any]
    mbox: str
    is_shown: bool


def read_flag(
    key: str, kind: FlagType, default: Any, names: Sequence[str], answers: Mapping[str, Answer], is_cached: bool
) -> Reading:
    """Read the flag ``key`` from the answers for the mboxes that it may mean, the longest name first.

    Raises:
        FlagNotFoundError: The answer has no such mbox, or its offer no such attribute.
        ParseError: The offer has no value that a flag can have.
        TypeMismatchError: Its value is of another type.
    """
    mbox, answer, options = _choose(key, names, answers)
    decision = _decision(answer, mbox)
    reason = _REASONS[decision.reason] if decision is not None else Reason.TARGETING_MATCH
    filled = [option for option in options if option.content is not None]
    if not filled:  # no activity, or one that shows the default content
        reason = reason if reason is Reason.DISABLED else Reason.DEFAULT
        value = float(default) if kind is FlagType.FLOAT and type(default) is int else default
    else:
        path = path_in(key, mbox)
        offer = _offer(mbox, filled)
        if path and not isinstance(offer, Mapping):
            raise ParseError(f"The offer of mbox {shown(mbox)} is no JSON object: it has no attributes")
        is_there, value = find(offer, path)
        if not is_there:
            raise FlagNotFoundError(f"The offer of mbox {shown(mbox)} has no attribute {shown(path)}")
        value = _typed(kind, value, key)
        if reason is not Reason.DISABLED:
            reason = Reason.STALE if answer.is_stale else Reason.CACHED if is_cached else reason
    metadata = _metadata(mbox, answer, (filled or options)[:1], decision)
    variant = metadata.get("experience.name", metadata.get("experience.id"))
    details = FlagResolutionDetails(value, reason=reason, variant=variant, flag_metadata=_Metadata(metadata))
    return Reading(details, mbox, bool(options) and reason is not Reason.DISABLED)


def _choose(key: str, names: Sequence[str], answers: Mapping[str, Answer]) -> tuple[str, Answer, list[Option]]:
    """The mbox that the flag is of: the longest name that shows something, else one of which the answer says why."""
    silent: list[tuple[str, Answer]] = []
    for name in names:
        answer = answers.get(name)
        if answer is None:
            continue
        if options := answer.result.options(name):
            return name, answer, options
        decision = _decision(answer, name)
        if decision.reason != "remote" if decision is not None else answer.result.mbox(name) is not None:
            silent.append((name, answer))
    if silent:
        return *silent[-1], []
    raise FlagNotFoundError(
        f"The answer has nothing for the flag {shown(key)}: no mbox of this name is known, or only the server can "
        "decide it (decisioning method hybrid)"
    )


def _decision(answer: Answer, mbox: str) -> PartDecision | None:
    """What became of ``mbox``; None where the server decided, which does not say."""
    return next((each for each in answer.result.meta.decisions if each.kind == "mbox" and each.name == mbox), None)


def _offer(mbox: str, filled: Sequence[Option]) -> Any:
    """What an mbox shows: its JSON offers, of several the objects merged as in ``get_attributes``; else its text."""
    values = [option.content for option in filled if option.type == "json"]
    if len(values) == 1:
        return values[0]
    if values:
        return {name: value for each in values if isinstance(each, Mapping) for name, value in each.items()}
    for option in filled:
        if option.type in _TEXT_OFFERS and isinstance(option.content, str):
            return option.content
    raise ParseError(f"The offer of mbox {shown(mbox)} is of the type {filled[0].type!s:.40}, which is no flag's value")


def _typed(kind: FlagType, value: Any, key: str) -> Any:
    """``value`` where it is of the flag's type: True and False are no numbers, a whole number is a float, too."""
    of = type(value)
    if kind is FlagType.BOOLEAN and of is bool:
        return value
    if kind is FlagType.STRING and of is str:
        return value
    if kind is FlagType.INTEGER and of is int:
        return value
    if kind is FlagType.FLOAT and (of is float or (of is int and abs(value) <= _MOST_FLOAT)):
        return float(value)
    if kind is FlagType.OBJECT and of in (dict, list):
        return deepcopy(value)  # the caller may change it, and others read this answer
    raise TypeMismatchError(f"The flag {shown(key)} is of the type {of.__name__}, not {kind.value.lower()}")


def _metadata(mbox: str, answer: Answer, option: Sequence[Option], decision: PartDecision | None) -> dict[str, Any]:
    """Where a value is from: names and ids of the account's, none of the visitor."""
    metadata = {"mbox": mbox, "decisioning_method": answer.result.meta.decisioning_method}
    if decision is not None:
        metadata["decision"] = decision.reason
        for name in TOKENS[:4]:
            if (value := getattr(decision, name.replace(".", "_"))) is not None:
                metadata[name] = value
    elif option:
        metadata["decision"] = "server"
    tokens = option[0].response_tokens if option else None
    for name in TOKENS:
        if isinstance(tokens, Mapping) and isinstance(value := tokens.get(name), str | int | float):
            metadata.setdefault(name, str(value))
    return metadata
