"""What results are: records that can only be read; and what they hold, as plain JSON-ready data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

from target.errors import OptionsError

T = TypeVar("T")


def plain(value: Any) -> Any:
    """``value`` as plain JSON-ready data, as far as it is known."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def written(write: Callable[[], T]) -> T:
    """What ``write`` returns. An answer as it came can be written: only its reader can have made it what cannot."""
    try:
        return write()
    except (RecursionError, ValueError) as error:
        if isinstance(error, OptionsError):
            raise
    raise OptionsError("The result cannot be written: something that was put into it is nested too deeply")


class Record(Mapping[str, Any]):
    """A fixed set of keys, each readable as ``record["key"]`` and ``record.key``."""

    __slots__: tuple[str, ...] = ()
    _keys: ClassVar[tuple[str, ...]]
    _setters: ClassVar[tuple[Any, ...]]

    def __init_subclass__(cls) -> None:
        cls._setters = tuple(cls.__dict__[slot].__set__ for slot in cls.__slots__)

    def __getitem__(self, key: str) -> Any:
        if key in self._keys:
            return getattr(self, key)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is read-only")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is read-only")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, slot) for slot in type(self).__slots__)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON-ready data.

        Raises:
            OptionsError: What its reader has put into it is nested too deeply, or holds itself.
        """
        return written(lambda: {key: plain(self[key]) for key in self})

    def to_str(self) -> str:
        """What ``to_dict`` gives, laid out for people. It holds ids: print it where they may be seen.

        Raises:
            OptionsError: As ``to_dict``.
        """
        from pprint import pformat  # only who looks closely needs it

        return written(lambda: pformat(self.to_dict(), sort_dicts=False))
