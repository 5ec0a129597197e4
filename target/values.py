"""How single values are read: what each kind of option may hold, and the error for anything else."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from target.errors import OptionsError
from target.events import EVENT_NAMES, EventHandler

if TYPE_CHECKING:
    import urllib3

TRANSPORTS = ("auto", "threads", "aiohttp")
DECISIONING_METHODS = ("hybrid", "on-device", "server-side")

_CLIENT_CODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)(?::([0-9]{1,5}))?")
_CLUSTER = re.compile(r"[0-9]{1,4}")
# The API's rule: 1 to 128 printable ASCII characters but space ? / { }
_SESSION_ID = re.compile(r"[!-.0->@-z|~]{1,128}")


def parse_cluster(value: object) -> str | None:
    """The edge cluster in ``value``: one to four ASCII digits, or None. Nothing else ever gets into a host."""
    return value if isinstance(value, str) and _CLUSTER.fullmatch(value) else None


def is_session_id(value: object) -> bool:
    """Whether the API takes ``value`` as a session id."""
    return isinstance(value, str) and _SESSION_ID.fullmatch(value) is not None


def reject_unknown(options: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise OptionsError for a key that is not in ``known``; the message names the nearest one that is."""
    if options.keys() <= known.keys():
        return
    import difflib  # only a mistake needs it

    name = next(key for key in options if key not in known)
    nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)[0]
    raise OptionsError(f"Unknown option {name!r}: did you mean {nearest!r}?")


def kind_of(value: object) -> str:
    """The type of ``value`` in the words of a message."""
    return "None" if value is None else type(value).__name__


def _wrong(name: str, expected: str, value: object) -> NoReturn:
    raise OptionsError(f"Option {name!r} must be {expected}, not {kind_of(value)}")


def parse_string(name: str, value: object) -> str:
    """Any string."""
    if not isinstance(value, str):
        _wrong(name, "a string", value)
    return value


def parse_text(name: str, value: object) -> str | None:
    """Any string; None for the empty one."""
    return parse_string(name, value) or None


def parse_printable(name: str, value: object) -> str | None:
    """A string that can stand in a URL's query; None for the empty one."""
    text = parse_string(name, value)
    if not text.isprintable():
        raise OptionsError(f"Option {name!r} must be printable text, without line breaks")
    return text or None


def parse_flag(name: str, value: object) -> bool:
    """True or False, nothing that merely counts as such."""
    if not isinstance(value, bool):
        _wrong(name, "True or False", value)
    return value


def parse_integer(name: str, value: object) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        _wrong(name, "a whole number", value)
    return value


def parse_at_least(minimum: int) -> Callable[[str, object], int]:
    """A reader of whole numbers from ``minimum`` up."""

    def parse(name: str, value: object) -> int:
        number = parse_integer(name, value)
        if number < minimum:
            raise OptionsError(f"Option {name!r} must be at least {minimum}, not {number}")
        return number

    return parse


def parse_milliseconds(name: str, value: object) -> float:
    """A duration in milliseconds, 0 included."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        _wrong(name, "a number of milliseconds", value)
    if not 0 <= value < 1e10:  # also refuses NaN and infinity
        raise OptionsError(f"Option {name!r} must be a number of milliseconds from 0 up, not {value}")
    return value


def parse_deadline_ms(name: str, value: object) -> float:
    """A duration in milliseconds, more than 0."""
    if (number := parse_milliseconds(name, value)) <= 0:
        raise OptionsError(f"Option {name!r} must be more than 0 milliseconds: every call has a deadline")
    return number


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
    """A session id that the API takes; None for the empty string."""
    text = parse_string(name, value)
    if text and not is_session_id(text):
        raise OptionsError(f"Option {name!r} must be 1 to 128 printable ASCII characters, without space ? / {{ }}")
    return text or None


def parse_logger(name: str, value: object) -> logging.Logger:
    """A logger of the standard library."""
    if not isinstance(value, logging.Logger):
        _wrong(name, "a logging.Logger", value)
    return value


def parse_events(name: str, value: object) -> Mapping[str, EventHandler]:
    """Handlers by the name of the event."""
    if not isinstance(value, Mapping):
        _wrong(name, "a dict of handlers", value)
    reject_unknown(value, dict.fromkeys(EVENT_NAMES))
    for event, handler in value.items():
        if not callable(handler):
            raise OptionsError(f"The handler of event {event!r} must be callable, not {kind_of(handler)}")
    return dict(value)


def parse_mapping(name: str, value: object) -> Mapping[str, Any]:
    """A dict, or what behaves like one."""
    if not isinstance(value, Mapping):
        _wrong(name, "a dict", value)
    return value


def parse_path(name: str, value: object) -> str | os.PathLike[str]:
    """The path of a file."""
    if not isinstance(value, str | os.PathLike) or not str(value):
        _wrong(name, "the path of a file", value)
    return value


def parse_default_attributes(name: str, value: object) -> Mapping[str, Mapping[str, Any]]:
    """Attributes by mbox, copied."""
    for mbox, attributes in parse_mapping(name, value).items():
        if not isinstance(mbox, str) or not isinstance(attributes, Mapping):
            raise OptionsError(f"Option {name!r} must be a dict of dicts: {{mbox: {{key: value}}}}")
    return {mbox: dict(attributes) for mbox, attributes in parse_mapping(name, value).items()}


def parse_method(_: str, value: object) -> str:
    """The name of a decisioning method, whether or not it works yet."""
    if value not in DECISIONING_METHODS:
        raise OptionsError(f"Invalid Decisioning Method.  Must be set to one of: {','.join(DECISIONING_METHODS)}")
    return str(value)


def parse_transport(name: str, value: object) -> str:
    """The name of a way to send."""
    if value not in TRANSPORTS:
        raise OptionsError(f"Option {name!r} must be one of: {', '.join(TRANSPORTS)}")
    return str(value)


def parse_callback(name: str, value: object) -> Callable[[Any], object]:
    """Something that can be called."""
    if not callable(value):
        raise OptionsError(f"{name.capitalize()} must be a callable function, not {kind_of(value)}")
    return value


def parse_pool(name: str, value: object) -> urllib3.PoolManager:
    """A PoolManager of urllib3, a ProxyManager included."""
    import urllib3  # named in the check only; `create` imports it anyway

    if not isinstance(value, urllib3.PoolManager):
        _wrong(name, "a urllib3.PoolManager or ProxyManager", value)
    return value


def parse_id_list(name: str, value: object) -> object:
    """Something to iterate over that is not text; its items are read when the request is built."""
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        _wrong(name, "a list of CustomerId or a dict by integration code", value)
    return value
