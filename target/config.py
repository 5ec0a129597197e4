"""What the code reads: the client's options and a call's options, parsed and validated once."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from target.errors import OptionsError
from target.events import EVENT_NAMES, EventHandler

if TYPE_CHECKING:
    import urllib3

DECISIONING_METHODS = ("hybrid", "on-device", "server-side")
SERVER_SIDE = "server-side"

_CLIENT_CODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)(?::([0-9]{1,5}))?")
_CLUSTER = re.compile(r"[0-9]{1,4}")
# The API's rule: 1 to 128 printable ASCII characters but space ? / { }
_SESSION_ID = re.compile(r"[!-.0->@-z|~]{1,128}")


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where time and ids come from, so that a test or a replay can fix them."""

    now_s: Callable[[], float]
    new_id: Callable[[], str]
    utc_offset_minutes: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """Options of one client, validated; durations in seconds."""

    client: str
    organization_id: str
    timeout_s: float
    server_domain: str | None
    secure: bool
    target_location_hint: str | None
    property_token: str | None
    environment_id: int | None
    version: str | None
    logger: logging.Logger
    events: Mapping[str, EventHandler]
    telemetry_enabled: bool
    decisioning_method: str
    edge_routing: bool
    retries: int
    pool_size: int
    pool: urllib3.PoolManager | None
    proxy: str | None
    ca_certs: str | None
    max_response_bytes: int
    async_workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestConfig:
    """Options of one call, validated; ``request`` is still as the caller wrote it."""

    request: Any
    target_cookie: str | None
    target_location_hint: str | None
    consumer_id: str | None
    customer_ids: Any
    session_id: str | None
    callback: Callable[[Any], object] | None
    err_callback: Callable[[Exception], object] | None


def parse_cluster(value: object) -> str | None:
    """The edge cluster in ``value``: one to four ASCII digits, or None. Nothing else ever gets into a host."""
    return value if isinstance(value, str) and _CLUSTER.fullmatch(value) else None


def is_session_id(value: object) -> bool:
    """Whether the API takes ``value`` as a session id."""
    return isinstance(value, str) and _SESSION_ID.fullmatch(value) is not None


def parse_client_options(options: Mapping[str, Any]) -> ClientConfig:
    """Validate what ``TargetClient.create`` was given. Raises OptionsError."""
    if not isinstance(options, Mapping) or not options:
        raise OptionsError("Options are required: pass at least client and organization_id")
    for name, label in (("client", "Client"), ("organization_id", "Organization Id")):
        if options.get(name) in (None, ""):
            raise OptionsError(f"{label} is required: pass it as the option {name!r}")
    _reject_unknown(options, _CLIENT_OPTIONS)
    values = {
        name: default if options.get(name) is None else parse(name, options[name])
        for name, (parse, default) in _CLIENT_OPTIONS.items()
    }
    _require_working_method(values["decisioning_method"])
    for name in ("proxy", "ca_certs", "pool_size"):
        if values["pool"] is not None and options.get(name) is not None:
            raise OptionsError(f"Option {name!r} has no effect together with 'pool': set it on your own pool")
    timeout_ms = values.pop("timeout")
    return ClientConfig(timeout_s=timeout_ms / 1000, **{k: v for k, v in values.items() if k not in _ON_DEVICE})


def parse_request_options(options: Mapping[str, Any]) -> RequestConfig:
    """Validate what ``get_offers``, ``get_attributes`` or ``send_notifications`` was given. Raises OptionsError."""
    if not isinstance(options, Mapping):
        raise OptionsError(f"Options must be a dict, not {_kind(options)}")
    _reject_unknown(options, _REQUEST_OPTIONS)
    values = {
        name: None if options.get(name) is None else parse(name, options[name])
        for name, parse in _REQUEST_OPTIONS.items()
    }
    method = values.pop("decisioning_method")
    if method is not None:
        _require_working_method(method)
    if values["err_callback"] is not None and values["callback"] is None:
        raise OptionsError("Option 'err_callback' is only used together with 'callback': pass both, or catch the error")
    return RequestConfig(**values)


def _require_working_method(method: str) -> None:
    if method != SERVER_SIDE:
        raise OptionsError(f"Decisioning method {method!r} is not available yet: use {SERVER_SIDE!r}")


def _reject_unknown(options: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    if options.keys() <= known.keys():
        return
    import difflib  # only a mistake needs it

    name = next(key for key in options if key not in known)
    nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)[0]
    raise OptionsError(f"Unknown option {name!r}: did you mean {nearest!r}?")


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _wrong(name: str, expected: str, value: object) -> NoReturn:
    raise OptionsError(f"Option {name!r} must be {expected}, not {_kind(value)}")


def _string(name: str, value: object) -> str:
    if not isinstance(value, str):
        _wrong(name, "a string", value)
    return value


def _text(name: str, value: object) -> str | None:
    return _string(name, value) or None


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        _wrong(name, "True or False", value)
    return value


def _integer(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        _wrong(name, "a whole number", value)
    return value


def _at_least(minimum: int) -> Callable[[str, object], int]:
    def parse(name: str, value: object) -> int:
        number = _integer(name, value)
        if number < minimum:
            raise OptionsError(f"Option {name!r} must be at least {minimum}, not {number}")
        return number

    return parse


def _milliseconds(name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        _wrong(name, "a number of milliseconds", value)
    if not 0 <= value < 1e10:  # also refuses NaN and infinity
        raise OptionsError(f"Option {name!r} must be a number of milliseconds from 0 up, not {value}")
    return value


def _deadline(name: str, value: object) -> float:
    if (number := _milliseconds(name, value)) <= 0:
        raise OptionsError(f"Option {name!r} must be more than 0 milliseconds: every call has a deadline")
    return number


def _client_code(name: str, value: object) -> str:
    if not _CLIENT_CODE.fullmatch(text := _string(name, value)):
        raise OptionsError(f"Option {name!r} must be a client code of letters, digits, hyphens and underscores")
    return text


def _domain(name: str, value: object) -> str | None:
    text = _string(name, value)
    match = _DOMAIN.fullmatch(text)
    if text and (not match or len(text) > 260 or int(match[1] or 0) > 65535):
        raise OptionsError(f"Option {name!r} must be a host, with a port if needed: no scheme, path or credentials")
    return text or None


def _cluster(name: str, value: object) -> str | None:
    text = _string(name, value)
    if text and parse_cluster(text) is None:
        raise OptionsError(f"Option {name!r} must be an edge cluster of 1 to 4 digits")
    return text or None


def _session(name: str, value: object) -> str | None:
    text = _string(name, value)
    if text and not is_session_id(text):
        raise OptionsError(f"Option {name!r} must be 1 to 128 printable ASCII characters, without space ? / {{ }}")
    return text or None


def _logger(name: str, value: object) -> logging.Logger:
    if not isinstance(value, logging.Logger):
        _wrong(name, "a logging.Logger", value)
    return value


def _events(name: str, value: object) -> Mapping[str, EventHandler]:
    if not isinstance(value, Mapping):
        _wrong(name, "a dict of handlers", value)
    _reject_unknown(value, dict.fromkeys(EVENT_NAMES))
    for event, handler in value.items():
        if not callable(handler):
            raise OptionsError(f"The handler of event {event!r} must be callable, not {_kind(handler)}")
    return dict(value)


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        _wrong(name, "a dict", value)
    return value


def _method(_: str, value: object) -> str:
    if value not in DECISIONING_METHODS:
        raise OptionsError(f"Invalid Decisioning Method.  Must be set to one of: {','.join(DECISIONING_METHODS)}")
    return str(value)


def _callback(name: str, value: object) -> Callable[[Any], object]:
    if not callable(value):
        raise OptionsError(f"{name.capitalize()} must be a callable function, not {_kind(value)}")
    return value


def _pool(name: str, value: object) -> urllib3.PoolManager:
    import urllib3  # named in the check only; `create` imports it anyway

    if not isinstance(value, urllib3.PoolManager):
        _wrong(name, "a urllib3.PoolManager or ProxyManager", value)
    return value


def _customer_ids(name: str, value: object) -> object:
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        _wrong(name, "a list of CustomerId or a dict by integration code", value)
    return value


# Option -> (how it is read, its default). The names, and their order in help texts, are those of ClientOptions.
_CLIENT_OPTIONS: dict[str, tuple[Callable[[str, Any], Any], Any]] = {
    "client": (_client_code, None),
    "organization_id": (_string, None),
    "timeout": (_deadline, 3000),
    "server_domain": (_domain, None),
    "secure": (_flag, True),
    "target_location_hint": (_cluster, None),
    "property_token": (_text, None),
    "environment_id": (_integer, None),
    "version": (_text, None),
    "logger": (_logger, logging.getLogger("target")),
    "events": (_events, {}),
    "telemetry_enabled": (_flag, True),
    "decisioning_method": (_method, SERVER_SIDE),
    "polling_interval": (_milliseconds, 300_000),
    "artifact_location": (_text, None),
    "artifact_payload": (_mapping, None),
    "environment": (_text, "production"),
    "cdn_environment": (_text, "production"),
    "cdn_base_path": (_text, "https://assets.adobetarget.com"),
    "maximum_wait_ready": (_milliseconds, 5000),
    "edge_routing": (_flag, True),
    "retries": (_at_least(0), 1),
    "pool_size": (_at_least(1), 32),
    "pool": (_pool, None),
    "proxy": (_text, None),
    "ca_certs": (_text, None),
    "max_response_bytes": (_at_least(1), 64 * 1024 * 1024),
    "async_workers": (_at_least(1), 8),
}
# Validated so that a mistake shows early; nothing reads them while decisions are made on the server only.
_ON_DEVICE = frozenset(
    {
        "polling_interval",
        "artifact_location",
        "artifact_payload",
        "environment",
        "cdn_environment",
        "cdn_base_path",
        "maximum_wait_ready",
    }
)

_REQUEST_OPTIONS: dict[str, Callable[[str, Any], Any]] = {
    "request": lambda _, value: value,
    "target_cookie": _text,
    "target_location_hint": _text,
    "consumer_id": _text,
    "customer_ids": _customer_ids,
    "session_id": _session,
    "callback": _callback,
    "err_callback": _callback,
    "decisioning_method": _method,
}
