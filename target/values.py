"""How single values are read: what each kind of option may hold, and the error for anything else."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from target.errors import OptionsError
from target.events import EVENT_NAMES, EventHandler
from target.foreign import (
    UNREADABLE,
    exact_dict,
    exact_number,
    exact_text,
    is_a,
    is_function,
    is_number,
    is_text,
    items_of,
    kind_of,
    plain_copy,
    shown,
    text_of_id,
)

if TYPE_CHECKING:
    import urllib3

TRANSPORTS = ("auto", "threads", "aiohttp")
DECISIONING_METHODS = ("hybrid", "on-device", "server-side")

_CLIENT_CODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)(?::([0-9]{1,5}))?")
_CLUSTER = re.compile(r"[0-9]{1,4}")
# The API's rule: 1 to 128 printable ASCII characters but space ? / { }
_SESSION_ID = re.compile(r"[!-.0->@-z|~]{1,128}")

#: The largest number that other parts of a system hold: a count, a size, an id.
MAX_COUNT = 2**63 - 1
_MOST_COMPARED = 99  # of a name that may be misspelt
_SHORTEST_KEY = 16
_MAX_MS = 1e10  # 115 days
_MAX_DEADLINE_MS = 2.0**31 - 1  # what the operating system's poll() takes, 24 days


def parse_cluster(value: object) -> str | None:
    """The edge cluster in ``value``: one to four ASCII digits, or None. Nothing else ever gets into a host."""
    return value if isinstance(value, str) and _CLUSTER.fullmatch(value) else None


def is_session_id(value: object) -> bool:
    """Whether the API takes ``value`` as a session id."""
    return isinstance(value, str) and _SESSION_ID.fullmatch(value) is not None


def nearest_of(name: str, known: Iterable[str]) -> str:
    """The one of ``known`` that ``name``, which is none of them, may be meant for: case and underscores aside."""
    import difflib  # only a mistake needs it

    by_letters = {_letters_of(each): each for each in known}
    return by_letters[difflib.get_close_matches(_letters_of(name[:_MOST_COMPARED]), by_letters, n=1, cutoff=0.0)[0]]


def _letters_of(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


def reject_unknown(options: Mapping[Any, Any], known: Mapping[str, Any], what: str = "option") -> None:
    """Raise OptionsError for a key that is not in ``known``; the message names the nearest one that is."""
    if options.keys() <= known.keys():
        return
    name = next(key for key in options if key not in known)
    text = exact_text(name) if is_text(name) else shown(name)
    raise OptionsError(f"Unknown {what} {shown(name)}: did you mean {nearest_of(text, known)!r}?")


def _wrong(name: str, expected: str, value: object) -> NoReturn:
    raise OptionsError(f"Option {name!r} must be {expected}, not {kind_of(value)}")


def _shown(number: float) -> str:
    return f"{number:g}" if -1e15 < number < 1e15 else "a number so large"


def parse_string(name: str, value: object) -> str:
    """Any string."""
    if type(value) is str:
        return value
    if not is_text(value):
        _wrong(name, "a string", value)
    return exact_text(value)


def parse_text(name: str, value: object) -> str | None:
    """Any string; None for the empty one."""
    return parse_string(name, value) or None


def parse_printable(name: str, value: object) -> str | None:
    """A string that can stand in a URL; None for the empty one."""
    text = parse_string(name, value)
    if not text.isprintable():
        raise OptionsError(f"Option {name!r} must be printable text, without line breaks")
    return text or None


def parse_flag(name: str, value: object) -> bool:
    """True or False, nothing that merely counts as such."""
    if value is not True and value is not False:
        _wrong(name, "True or False", value)
    return value


def parse_integer(name: str, value: object) -> int:
    """A whole number of 64 bits."""
    if not is_number(value) or not isinstance(value, int):
        _wrong(name, "a whole number", value)
    number = int.__int__(value)
    if not -MAX_COUNT <= number <= MAX_COUNT:
        raise OptionsError(f"Option {name!r} must be a whole number of at most 64 bits")
    return number


def parse_at_least(minimum: int, maximum: int = MAX_COUNT) -> Callable[[str, object], int]:
    """A reader of whole numbers from ``minimum`` up, and to ``maximum``."""

    def parse(name: str, value: object) -> int:
        number = parse_integer(name, value)
        if number < minimum:
            raise OptionsError(f"Option {name!r} must be at least {minimum}, not {number}")
        if number > maximum:
            raise OptionsError(f"Option {name!r} must be at most {maximum}, not {number}")
        return number

    return parse


def parse_milliseconds(name: str, value: object) -> float:
    """A duration in milliseconds, 0 included."""
    return _parse_duration(name, value, "milliseconds", _MAX_MS)


def parse_seconds(name: str, value: object) -> float:
    """A duration in seconds, 0 included; for what follows an interface of Python's, where durations are seconds."""
    return _parse_duration(name, value, "seconds", _MAX_MS / 1000)


def _parse_duration(name: str, value: object, unit: str, most: float) -> float:
    if not is_number(value):
        _wrong(name, f"a number of {unit}", value)
    number = exact_number(value)
    if not 0 <= number <= most:  # also refuses NaN and infinity
        raise OptionsError(f"Option {name!r} must be a number of {unit} from 0 to {most:.0f}, not {_shown(number)}")
    return number


def parse_deadline_ms(name: str, value: object) -> float:
    """A duration in milliseconds, more than 0, that a socket can wait."""
    number = parse_milliseconds(name, value)
    if not 0 < number <= _MAX_DEADLINE_MS:
        raise OptionsError(
            f"Option {name!r} must be more than 0 milliseconds, since every call has a deadline, and at most "
            f"{_MAX_DEADLINE_MS:.0f}, not {_shown(number)}"
        )
    return number


def parse_timeout_s(value: object) -> float:
    """The argument ``timeout`` of a method, which is milliseconds, in seconds."""
    return parse_milliseconds("timeout", value) / 1000


def parse_client_code(name: str, value: object) -> str:
    """A client code, which is also the first label of a host name."""
    if not _CLIENT_CODE.fullmatch(text := parse_string(name, value)):
        raise OptionsError(f"Option {name!r} must be a client code of letters, digits, hyphens and underscores")
    return text


def parse_domain(name: str, value: object) -> str | None:
    """A host with an optional port; None for the empty string."""
    text = parse_string(name, value)
    match = _DOMAIN.fullmatch(text)
    if text and (not match or len(text) > 260 or int(match[1] or 0) > 65535):
        raise OptionsError(f"Option {name!r} must be a host, with a port if needed: no scheme, path or credentials")
    return text or None


def parse_location_hint(name: str, value: object) -> str | None:
    """An edge cluster; None for the empty string."""
    text = parse_string(name, value)
    if text and parse_cluster(text) is None:
        raise OptionsError(f"Option {name!r} must be an edge cluster of 1 to 4 digits")
    return text or None


def parse_session_id(name: str, value: object) -> str | None:
    """A session id that the API takes, or a whole number that stands for one; None for the empty string."""
    text = text_of_id(value)
    if text is None:
        _wrong(name, "a string", value)
    if text and not is_session_id(text):
        raise OptionsError(f"Option {name!r} must be 1 to 128 printable ASCII characters, without space ? / {{ }}")
    return text or None


def parse_events(name: str, value: object) -> Mapping[str, EventHandler]:
    """Handlers by the name of the event."""
    if not is_a(value, Mapping):
        _wrong(name, "a dict of handlers", value)
    handlers = parse_mapping(name, value)
    reject_unknown(handlers, dict.fromkeys(EVENT_NAMES), f"event in option {name!r}:")
    for event, handler in handlers.items():
        if not is_function(handler):
            raise OptionsError(
                f"The handler of event {event!r} in option {name!r} must be callable, not {_callable_kind_of(handler)}"
            )
    return handlers


def parse_mapping(name: str, value: object) -> Mapping[str, Any]:
    """A dict, or what behaves like one."""
    if not is_a(value, Mapping):
        _wrong(name, "a dict", value)
    return exact_dict(value, f"Option {name!r}")


def parse_path(name: str, value: object) -> str | None:
    """The path of a file, which need not exist; None for the empty string."""
    path: object = value
    if not is_text(value):
        try:
            path = os.fspath(value)  # type: ignore[call-overload]
        except UNREADABLE:
            path = None
    if not is_text(path):
        _wrong(name, "the path of a file", value)
    if "\0" in path:
        raise OptionsError(f"Option {name!r} must be the path of a file, without the character NUL")
    return exact_text(path) or None


def parse_default_attributes(name: str, value: object) -> Mapping[str, Mapping[str, Any]]:
    """Attributes by mbox, copied all the way down."""
    attributes: dict[Any, Any] = plain_copy(parse_mapping(name, value), f"Option {name!r}")
    if not all(is_text(mbox) and isinstance(of, dict) for mbox, of in attributes.items()):
        raise OptionsError(f"Option {name!r} must be a dict of dicts: {{mbox: {{key: value}}}}")
    return attributes


def parse_method(name: str, value: object) -> str:
    """The name of a decisioning method, whether or not it works yet."""
    if not is_text(value) or exact_text(value) not in DECISIONING_METHODS:
        known = ",".join(DECISIONING_METHODS)
        raise OptionsError(f"Invalid Decisioning Method.  Must be set to one of: {known} (option {name!r})")
    return exact_text(value)


def parse_transport(name: str, value: object) -> str:
    """The name of a way to send."""
    if not is_text(value) or exact_text(value) not in TRANSPORTS:
        raise OptionsError(f"Option {name!r} must be one of: {', '.join(TRANSPORTS)}")
    return exact_text(value)


def parse_keys(name: str, value: object) -> tuple[str, ...] | None:
    """Secrets of yours: one text, or several; None for none."""
    keys = [value] if is_text(value) else value
    if not is_a(keys, list | tuple):
        raise OptionsError(f"Option {name!r} must be a secret text, or a list of them, not {kind_of(value)}")
    found = tuple(exact_text(key) if is_text(key) else "" for key in items_of(keys, 100, name))
    if any(len(key) < _SHORTEST_KEY for key in found):
        raise OptionsError(f"Option {name!r} must hold texts of at least {_SHORTEST_KEY} characters")
    return found or None


def parse_callback(name: str, value: object) -> Callable[[Any], object]:
    """Something that can be called, and whose result nothing would have to await."""
    if not is_function(value):
        kind = _callable_kind_of(value)
        raise OptionsError(f"{name.capitalize()} must be a callable function, not {kind} (option {name!r})")
    return value


def parse_pool(name: str, value: object) -> urllib3.PoolManager:
    """A PoolManager of urllib3, a ProxyManager included."""
    urllib3: Any = sys.modules.get("urllib3")  # whoever has a pool has imported it; nothing here touches a socket
    if urllib3 is None or not issubclass(type(value), urllib3.PoolManager):
        _wrong(name, "a urllib3.PoolManager or ProxyManager", value)
    return value  # type: ignore[return-value]


def _callable_kind_of(value: object) -> str:
    return "a coroutine function, which nobody would await" if callable(value) else kind_of(value)
