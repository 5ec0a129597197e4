"""AttributesProvider: the JSON offers of an answer as plain values, by mbox and key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from target.errors import AttributeNotFound, TargetError
from target.foreign import copied
from target.response import TargetDeliveryResponse
from target.values import parse_string


class AttributesProvider:
    """JSON offers of an answer, merged by mbox: prefetch first, then execute, later options over earlier ones.

    Attributes:
        is_default: Whether these are the client's ``default_attributes``, since the call failed.
        error: Why it failed; None when it did not.
    """

    def __init__(
        self,
        result: TargetDeliveryResponse,
        defaults: Mapping[str, Mapping[str, Any]] | None = None,
        error: TargetError | None = None,
    ) -> None:
        self._result = result
        self._by_mbox = _index(result) if defaults is None else {name: copied(of) for name, of in defaults.items()}
        self.is_default = defaults is not None
        self.error = error

    def get_value(self, mbox: str, key: str) -> Any:
        """The value of ``key`` in the offers of ``mbox``: yours to change.

        Raises:
            AttributeNotFound: There is none; also a KeyError.
            OptionsError: ``mbox`` or ``key`` is no string.
        """
        mbox, key = parse_string("mbox", mbox), parse_string("key", key)
        attributes = self._by_mbox.get(mbox)
        if attributes is None or key not in attributes:
            raise AttributeNotFound(
                f"Attribute '{key}' does not exist for mbox '{mbox}': use as_object() to see what the answer holds"
            )
        return copied(attributes[key])

    def as_object(self, mbox: str | None = None) -> dict[str, Any] | None:
        """All attributes of ``mbox``, None when the answer does not hold it; without ``mbox``, those of every one.

        What is returned is yours to change. Raises OptionsError when ``mbox`` is no string.
        """
        held: dict[str, Any] | None = self._by_mbox
        if mbox is not None:
            held = self._by_mbox.get(parse_string("mbox", mbox))
        return copied(held)  # type: ignore[no-any-return]

    def get_response(self) -> TargetDeliveryResponse:
        """The whole answer, with the cookies to set. Of default attributes: the cookies alone, ``response`` None."""
        return self._result


def _index(result: TargetDeliveryResponse) -> dict[str, dict[str, Any]]:
    response = result.response
    by_mbox: dict[str, dict[str, Any]] = {}
    for part in (response.prefetch, response.execute) if response is not None else ():
        for mbox in (part.mboxes or ()) if part is not None else ():
            if not isinstance(mbox.name, str):
                continue
            attributes = by_mbox.setdefault(mbox.name, {})
            for option in mbox.options or ():
                if option.type == "json" and isinstance(option.content, dict):
                    attributes.update(copied(option.content))
    return by_mbox
