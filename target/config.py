"""What the code reads: the client's options and a call's options, parsed and validated once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from target.artifact_headers import parse_artifact_headers
from target.errors import OptionsError
from target.events import EventHandler
from target.foreign import exact_dict, exact_text, is_a, is_text, kind_of
from target.values import (
    parse_at_least,
    parse_callback,
    parse_client_code,
    parse_deadline_ms,
    parse_default_attributes,
    parse_domain,
    parse_events,
    parse_flag,
    parse_integer,
    parse_location_hint,
    parse_logger,
    parse_mapping,
    parse_method,
    parse_milliseconds,
    parse_path,
    parse_pool,
    parse_printable,
    parse_session_id,
    parse_string,
    parse_text,
    parse_transport,
    reject_unknown,
)

if TYPE_CHECKING:
    import urllib3

    from target.on_device_config import OnDeviceConfig
    from target.outbox import Outbox

SERVER_SIDE = "server-side"
ON_DEVICE = "on-device"
HYBRID = "hybrid"


class Runtime(NamedTuple):
    """Where time, ids and locks come from, so that a test or a replay can fix them."""

    now_s: Callable[[], float]
    new_id: Callable[[], str]
    utc_offset_minutes: Callable[[], int]
    new_lock: Callable[[], AbstractContextManager[Any]] = nullcontext


#: The operating system's, for a Visitor, which is made before any client is asked. ``target._background.runtime`` puts
#: it here as it is imported, which ``import target`` does first.
system_runtime: Runtime


class ClientConfig(NamedTuple):
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
    trust_env: bool
    max_idle_s: float
    ca_certs: str | None
    max_response_bytes: int
    max_response_values: int | None
    async_workers: int
    background_concurrency: int
    background_queue: int
    breaker_failures: int
    breaker_reset_s: float
    default_attributes: Mapping[str, Mapping[str, Any]]
    outbox: Outbox | None
    on_device: OnDeviceConfig | None


class AsyncClientConfig(NamedTuple):
    """Options of one asyncio client, validated."""

    client: ClientConfig
    transport: str
    max_concurrency: int


class RequestConfig(NamedTuple):
    """Options of one call, validated; ``request`` is still as the caller wrote it."""

    request: Any
    target_cookie: str | None
    target_location_hint: str | None
    visitor: Any
    visitor_cookie: str | None  # None where the call names none; "" where its visitor has none
    consumer_id: str | None
    customer_ids: list[dict[str, Any]] | None  # in wire form
    session_id: str | None
    callback: Callable[[Any], object] | None
    err_callback: Callable[[Exception], object] | None
    decisioning_method: str | None


def parse_client_options(options: Mapping[str, Any]) -> ClientConfig:
    """Validate what ``TargetClient.create`` was given. Raises OptionsError."""
    if not is_a(options, Mapping):
        raise OptionsError("Options are required: pass at least client and organization_id, as keywords or as one dict")
    options = exact_dict(options, "Options")
    if not options:
        raise OptionsError("Options are required: pass at least client and organization_id")
    for name in _ASYNC_OPTIONS.keys() & options.keys():
        raise OptionsError(f"Option {name!r} belongs to AsyncTargetClient: leave it out, or use that client")
    reject_unknown(options, _CLIENT_OPTIONS)  # first, since a missing option is often a misspelt one
    for name, label in (("client", "Client"), ("organization_id", "Organization Id")):
        if options.get(name) is None or (is_text(options[name]) and not exact_text(options[name])):
            raise OptionsError(f"{label} is required: pass it as the option {name!r}")
    values = {
        name: default if options.get(name) is None else parse(name, options[name])
        for name, (parse, default) in _CLIENT_OPTIONS.items()
    }
    for name in ("proxy", "ca_certs", "pool_size"):
        if values["pool"] is not None and options.get(name) is not None:
            raise OptionsError(f"Option {name!r} has no effect together with 'pool': set it on your own pool")
    if options.get("pool_size") is None and (values["decisioning_method"] != SERVER_SIDE or values["outbox"]):
        values["pool_size"] += values["background_concurrency"]  # calls and senders each keep theirs
    on_device = None
    if values["decisioning_method"] != SERVER_SIDE:
        from target.on_device_config import parse_on_device  # most clients decide on the server

        on_device = parse_on_device(options)
    return ClientConfig(
        on_device=on_device,
        timeout_s=values.pop("timeout") / 1000,
        max_idle_s=values.pop("max_idle") / 1000,
        breaker_reset_s=values.pop("breaker_reset") / 1000,
        **{name: value for name, value in values.items() if name not in _ON_DEVICE},
    )


def parse_async_client_options(options: Mapping[str, Any]) -> AsyncClientConfig:
    """Validate what ``AsyncTargetClient.create`` was given. Raises OptionsError."""
    given = exact_dict(options, "Options") if is_a(options, Mapping) else {}
    if given.get("async_workers") is not None:
        raise OptionsError("Option 'async_workers' belongs to TargetClient, for callbacks: use 'max_concurrency' here")
    own = {name: given.pop(name, None) for name in _ASYNC_OPTIONS}
    values = {
        name: default if own[name] is None else parse(name, own[name])
        for name, (parse, default) in _ASYNC_OPTIONS.items()
    }
    config = parse_client_options(given)
    if given.get("pool_size") is None:  # a thread without a kept connection would make a new one for each call
        config = config._replace(pool_size=max(config.pool_size, values["max_concurrency"]))
    if config.pool is not None and values["transport"] == "aiohttp":
        raise OptionsError("Option 'pool' is a pool of urllib3, which aiohttp cannot use: set transport to 'threads'")
    return AsyncClientConfig(client=config, **values)


def parse_request_options(options: Mapping[str, Any]) -> RequestConfig:
    """Validate what ``get_offers``, ``get_attributes`` or ``send_notifications`` was given. Raises OptionsError."""
    if type(options) is not dict and not is_a(options, Mapping):
        raise OptionsError(f"Options must be a dict, not {kind_of(options)}")
    if not options:
        raise OptionsError("Options are required: pass at least request")
    if not options.keys() <= _REQUEST_OPTIONS.keys():
        reject_unknown(options, _REQUEST_OPTIONS)
    values: dict[str, Any] = dict.fromkeys(_REQUEST_OPTIONS)
    for name, value in options.items():
        if value is not None:
            values[name] = _REQUEST_OPTIONS[name](name, value)
        elif name == "visitor_cookie":
            values[name] = ""  # the visitor has none yet, which is not the same as a call without a visitor
    if values["err_callback"] is not None and values["callback"] is None:
        raise OptionsError("Option 'err_callback' is only used together with 'callback': pass both, or catch the error")
    return RequestConfig(**values)


def _parse_outbox(name: str, value: object) -> Outbox:
    from target.outbox import Outbox  # few clients have one

    if not issubclass(type(value), Outbox):
        raise OptionsError(f"Option {name!r} must be an Outbox: Outbox.memory() or Outbox.sqlite(path)")
    return value  # type: ignore[return-value]


def _parse_customer_ids(_: str, value: object) -> list[dict[str, Any]]:
    from target.customer_ids import parse_customer_ids  # few calls have some

    return parse_customer_ids(value)


# Option -> (how it is read, its default). The names, and their order in help texts, are those of ClientOptions.
_CLIENT_OPTIONS: dict[str, tuple[Callable[[str, Any], Any], Any]] = {
    "client": (parse_client_code, None),
    "organization_id": (parse_printable, None),
    "timeout": (parse_deadline_ms, 3000),
    "server_domain": (parse_domain, None),
    "secure": (parse_flag, True),
    "target_location_hint": (parse_location_hint, None),
    "property_token": (parse_printable, None),
    "environment_id": (parse_integer, None),
    "version": (parse_printable, None),
    "logger": (parse_logger, logging.getLogger("target")),
    "events": (parse_events, {}),
    "telemetry_enabled": (parse_flag, True),
    "decisioning_method": (parse_method, SERVER_SIDE),
    "polling_interval": (parse_milliseconds, 300_000),
    "artifact_location": (parse_text, None),
    "artifact_headers": (parse_artifact_headers, None),
    "artifact_payload": (parse_mapping, None),
    "environment": (parse_printable, "production"),
    "cdn_environment": (parse_printable, "production"),
    "cdn_base_path": (parse_text, "https://assets.adobetarget.com"),
    "maximum_wait_ready": (parse_milliseconds, 5000),
    "artifact_cache": (parse_path, None),
    "edge_routing": (parse_flag, True),
    "retries": (parse_at_least(0, 1000), 1),
    "pool_size": (parse_at_least(1, 10_000), 32),
    "pool": (parse_pool, None),
    "proxy": (parse_text, None),
    "trust_env": (parse_flag, True),
    "max_idle": (parse_milliseconds, 50_000),
    "ca_certs": (parse_text, None),
    "max_response_bytes": (parse_at_least(1), 64 * 1024 * 1024),
    "max_response_values": (parse_at_least(1), None),
    "async_workers": (parse_at_least(1, 1000), 8),
    "background_concurrency": (parse_at_least(1, 1000), 32),
    "background_queue": (parse_at_least(1), 10_000),
    "breaker_failures": (parse_at_least(0), 0),
    "breaker_reset": (parse_milliseconds, 30_000),
    "default_attributes": (parse_default_attributes, {}),
    "outbox": (_parse_outbox, None),
}
# The same for what AsyncClientOptions adds.
_ASYNC_OPTIONS: dict[str, tuple[Callable[[str, Any], Any], Any]] = {
    "transport": (parse_transport, "auto"),
    "max_concurrency": (parse_at_least(1, 10_000), 64),
}
# Checked for every client, so that a mistake shows early; parse_on_device reads them for those that use them.
_ON_DEVICE = frozenset(
    {
        "polling_interval",
        "artifact_location",
        "artifact_headers",
        "artifact_payload",
        "environment",
        "cdn_environment",
        "cdn_base_path",
        "maximum_wait_ready",
        "artifact_cache",
    }
)

_REQUEST_OPTIONS: dict[str, Callable[[str, Any], Any]] = {
    "request": lambda _, value: value,
    "target_cookie": parse_text,
    "target_location_hint": parse_text,
    "visitor": lambda _, value: value,
    "visitor_cookie": parse_string,
    "consumer_id": parse_text,
    "customer_ids": _parse_customer_ids,
    "session_id": parse_session_id,
    "callback": parse_callback,
    "err_callback": parse_callback,
    "decisioning_method": parse_method,
}
