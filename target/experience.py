"""What users say of overrides as values of their own, apart from what is always loaded: dataclasses take long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from target.errors import OptionsError
from target.foreign import shown, text_of_id


@dataclass(frozen=True, slots=True)
class Experience:
    """An experience of an activity, to be shown whoever asks: what the rules have for it at the mbox.

    Attributes:
        experience: Its id or name.
        activity: The id or name of its activity; None where only one activity of the mbox has such an experience.

    Raises:
        OptionsError: One of them is no text, or an empty one. A whole number is the text of its digits.
    """

    experience: str
    activity: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "experience", _name_or_id("experience", self.experience))
        if self.activity is not None:
            object.__setattr__(self, "activity", _name_or_id("activity", self.activity))


@dataclass(frozen=True, slots=True)
class Override:
    """An override of a client.

    Attributes:
        mbox: Name of the mbox.
        what: An Experience, or the content that is shown: text, None for the default content, or the value of a JSON
            offer.
        visitor: Ids of the one visitor it is for, in wire form; None for everybody.
    """

    mbox: str
    what: Any
    visitor: Mapping[str, Any] | None = field(default=None, repr=False)


def _name_or_id(name: str, value: object) -> str:
    text = text_of_id(value)
    if text is None or not text:
        raise OptionsError(f"{name} of an Experience must be its id or its name, not {shown(value)}")
    return text
