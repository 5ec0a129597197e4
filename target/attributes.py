"""AttributesProvider: the JSON offers of an answer as plain values, by mbox and key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from target.errors import AttributeNotFound, TargetError
from target.foreign import copied, exact_number, exact_text, is_number, is_text, kind_of, shown
from target.notices import Notices
from target.parts import objects_in
from target.response import TargetDeliveryResponse
from target.values import parse_string

if TYPE_CHECKING:
    from target_delivery_api.models import DeliveryResponse

D = TypeVar("D")

_MISSING: Any = object()
_MOST_FLOAT = 10**308  # beyond, a whole number is no float


class AttributesProvider:
    """JSON offers of an answer, merged by mbox: prefetch first, then execute, later options over earlier ones.

    Attributes:
        is_default: Whether these are the client's ``default_attributes``, since the call failed; or some are, of what
            nobody was asked about (``offline``, ``exclude_bots``).
        error: Why it failed; None when it did not.
    """

    def __init__(
        self,
        result: TargetDeliveryResponse,
        defaults: Mapping[str, Mapping[str, Any]] | None = None,
        error: TargetError | None = None,
        notices: Notices | None = None,
    ) -> None:
        self._result = result
        self._alone: dict[str, Any] = {}
        self._by_mbox = found = _index(result, self._alone)
        if defaults:  # beside which stands what overrides and rules show
            self._by_mbox = {name: copied(of) for name, of in defaults.items()}
            self._by_mbox |= {name: of for name, of in found.items() if of or name not in self._by_mbox}
        self._notices = notices or Notices()
        self.is_default = defaults is not None
        self.error = error

    def get_value(self, mbox: str, key: str, default: Any = _MISSING) -> Any:
        """The value of ``key`` in the offers of ``mbox``: yours to change.

        Args:
            mbox: Its name.
            key: The attribute's.
            default: What to return where there is no such mbox, key or offer, as when no activity applies.

        Raises:
            AttributeNotFound: There is none, and no ``default`` was given; also a KeyError.
            OptionsError: ``mbox`` or ``key`` is no string.
        """
        mbox, key = parse_string("mbox", mbox), parse_string("key", key)
        value = self._find(mbox, key, default)
        if value is _MISSING:
            raise AttributeNotFound(
                f"Attribute '{key}' does not exist for mbox '{mbox}': use as_object() to see what the answer holds"
            )
        return value

    def get_bool(self, mbox: str, key: str, default: D) -> bool | D:
        """True or False; ``default`` where there is none, or a value of another type, which is logged once per client.

        Raises OptionsError when ``mbox`` or ``key`` is no string, as do all of these.
        """
        return self._typed("bool", mbox, key, default)  # type: ignore[no-any-return]

    def get_int(self, mbox: str, key: str, default: D) -> int | D:
        """A whole number, likewise; True and False are none, nor is 1.0."""
        return self._typed("int", mbox, key, default)  # type: ignore[no-any-return]

    def get_float(self, mbox: str, key: str, default: D) -> float | D:
        """A number as a float, likewise, whole or not; True and False are none."""
        return self._typed("float", mbox, key, default)  # type: ignore[no-any-return]

    def get_str(self, mbox: str, key: str, default: D) -> str | D:
        """A text, likewise."""
        return self._typed("str", mbox, key, default)  # type: ignore[no-any-return]

    def get_json(self, mbox: str, key: str, default: D) -> dict[str, Any] | list[Any] | D:
        """An object or a list, likewise, yours to change. ``get_value`` with a default gives values of every type."""
        return self._typed("json", mbox, key, default)  # type: ignore[no-any-return]

    def _typed(self, kind: str, mbox: str, key: str, default: Any) -> Any:
        mbox, key = parse_string("mbox", mbox), parse_string("key", key)
        value = self._find(mbox, key, _MISSING)
        if value is _MISSING:
            return default
        if (read := _READ[kind](value)) is not None:
            return read
        where = (shown(key), shown(mbox))
        self._notices.warn_once(
            (kind, *where),
            "The attribute %s of mbox %s is of the type %s: get_%s gives its default instead",
            *(*where, kind_of(value), kind),
        )
        return default

    def _find(self, mbox: str, key: str, default: Any) -> Any:
        attributes = self._by_mbox.get(mbox, {})
        return copied(attributes[key]) if key in attributes else default

    @overload
    def as_object(self, mbox: None = None) -> dict[str, Any] | None: ...
    @overload
    def as_object(self, mbox: str) -> Any: ...
    def as_object(self, mbox: str | None = None) -> Any:
        """All attributes of ``mbox``, None when the answer does not hold it; without ``mbox``, those of every one.

        A JSON offer that is a list or a plain value has no attributes: it stands here as it is, where it is the only
        JSON offer of its mbox. What is returned is yours to change. Raises OptionsError when ``mbox`` is no string.
        """
        if mbox is None:
            return copied({**self._by_mbox, **self._alone})
        name = parse_string("mbox", mbox)
        return copied(self._alone[name] if name in self._alone else self._by_mbox.get(name))

    def get_response(self) -> TargetDeliveryResponse:
        """The whole answer, with the cookies to set. Of default attributes: the cookies alone, ``response`` None."""
        return self._result


def _index(result: TargetDeliveryResponse, alone: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The attributes of each mbox; in ``alone`` is put what is the only JSON offer of its mbox, and no object."""
    by_mbox: dict[str, dict[str, Any]] = {}
    with_objects: set[str] = set()
    others: dict[str, list[Any]] = {}
    data = result._answer.data
    for name, offers in _offers_of(result.response) if data is None else _offers_in(data):
        if not isinstance(name, str):
            continue
        attributes = by_mbox.setdefault(name, {})
        for kind, content in offers:
            if kind != "json" or content is None:
                continue
            if isinstance(content, dict):
                with_objects.add(name)
                attributes.update(copied(content))
            else:
                others.setdefault(name, []).append(content)
    if others:
        alone |= {name: copied(of[0]) for name, of in others.items() if len(of) == 1 and name not in with_objects}
    return by_mbox


def _offers_of(response: DeliveryResponse | None) -> Iterator[tuple[Any, list[tuple[Any, Any]]]]:
    """The name of each mbox, and kind and content of each of its options: of prefetch first."""
    for part in (response.prefetch, response.execute) if response is not None else ():
        for mbox in (part.mboxes or ()) if part is not None else ():
            yield mbox.name, [(option.type, option.content) for option in mbox.options or ()]


def _offers_in(data: Mapping[str, Any]) -> Iterator[tuple[Any, list[tuple[Any, Any]]]]:
    """The same of an answer in wire form."""
    for mode in ("prefetch", "execute"):
        if mode in data:
            for mbox in objects_in(data[mode], "mboxes"):
                options = objects_in(mbox, "options")
                yield mbox.get("name"), [(option.get("type"), option.get("content")) for option in options]


def _as_float(value: Any) -> float | None:
    return float(value) if is_number(value) and -_MOST_FLOAT <= value <= _MOST_FLOAT else None


#: What each getter takes, as a value of the type that it promises; None for anything else.
_READ: dict[str, Callable[[Any], Any]] = {
    "bool": lambda value: value if type(value) is bool else None,
    "int": lambda value: exact_number(value) if is_number(value) and isinstance(value, int) else None,
    "float": _as_float,
    "str": lambda value: exact_text(value) if is_text(value) else None,
    "json": lambda value: value if isinstance(value, dict | list) else None,
}
