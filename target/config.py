"""What the code reads: the client's options and a call's options, parsed and validated once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from target.customer_ids import parse_customer_ids
from target.errors import OptionsError
from target.events import EventHandler
from target.foreign import exact_dict, exact_text, is_a, is_text, kind_of
from target.loggers import LOG, Log, parse_logger
from target.notices import Notices
from target.on_device_config import OnDeviceConfig, OnDeviceOptions, parse_on_device
from target.option_rows import REQUIRED, option, read_rows, required, rows_of
from target.overrides import parse_overrides, require_allowed, require_rules
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
    parse_keys,
    parse_location_hint,
    parse_method,
    parse_milliseconds,
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

    from target.outbox import Outbox

SERVER_SIDE = "server-side"
ON_DEVICE = "on-device"
HYBRID = "hybrid"
ORGANIZATION_SUFFIX = "@AdobeOrg"
_LEAST_LIKELY_TIMEOUT_S = 0.02


class Runtime(NamedTuple):
    """Where time, ids and locks come from, so that a test or a replay can fix them."""

    now_s: Callable[[], float]
    new_id: Callable[[], str]
    utc_offset_minutes: Callable[[], int]
    new_lock: Callable[[], AbstractContextManager[Any]] = nullcontext
    draw_ids: Callable[[int], list[str]] | None = None  # several at once, where that is quicker

    def new_ids(self, count: int) -> list[str]:
        """So many of ``new_id``."""
        return [self.new_id() for _ in range(count)] if self.draw_ids is None else self.draw_ids(count)


#: What a Visitor asks, which is made before any client: the operating system's. ``target._background.runtime`` puts
#: it here as it is imported, which ``import target`` does first.
default_runtime: Runtime


def _parse_hooks(name: str, value: object) -> tuple[Any, ...]:
    from target.hooks import parse_hooks  # which few clients have

    return parse_hooks(name, value)


def _parse_outbox(name: str, value: object) -> Outbox:
    from target.outbox import Outbox  # few clients have one

    if not issubclass(type(value), Outbox):
        raise OptionsError(f"Option {name!r} must be an Outbox: Outbox.memory() or Outbox.sqlite(path)")
    return value  # type: ignore[return-value]


def _any(_: str, value: Any) -> Any:
    return value


class ClientConfig(NamedTuple):
    """Options of one client, validated; durations in seconds. Each row is one option of ``ClientOptions``."""

    on_device: OnDeviceConfig | None
    notices: Notices
    client: str = required(parse_client_code)
    organization_id: str = required(parse_printable)
    timeout_s: float = option(parse_deadline_ms, 3000)
    server_domain: str | None = option(parse_domain, None)
    secure: bool = option(parse_flag, True)
    target_location_hint: str | None = option(parse_location_hint, None)
    property_token: str | None = option(parse_printable, None)
    environment_id: int | None = option(parse_integer, None)
    version: str | None = option(parse_printable, None)
    logger: Log = option(parse_logger, LOG)
    events: Mapping[str, EventHandler] = option(parse_events, {})
    hooks: tuple[Any, ...] | None = option(_parse_hooks, None)
    debug_calls: bool = option(parse_flag, False)
    telemetry_enabled: bool = option(parse_flag, True)
    decisioning_method: str = option(parse_method, SERVER_SIDE)
    edge_routing: bool = option(parse_flag, True)
    retries: int = option(parse_at_least(0, 1000), 1)
    pool_size: int = option(parse_at_least(1, 10_000), 32)
    pool: urllib3.PoolManager | None = option(parse_pool, None)
    proxy: str | None = option(parse_text, None)
    trust_env: bool = option(parse_flag, True)
    max_idle_s: float = option(parse_milliseconds, 50_000)
    ca_certs: str | None = option(parse_text, None)
    max_response_bytes: int = option(parse_at_least(1), 64 * 1024 * 1024)
    max_response_values: int | None = option(parse_at_least(1), None)
    async_workers: int = option(parse_at_least(1, 1000), 8)
    background_concurrency: int = option(parse_at_least(1, 1000), 32)
    background_queue: int = option(parse_at_least(1), 10_000)
    breaker_failures: int = option(parse_at_least(0), 0)
    breaker_reset_s: float = option(parse_milliseconds, 30_000)
    default_attributes: Mapping[str, Mapping[str, Any]] = option(parse_default_attributes, {})
    outbox: Outbox | None = option(_parse_outbox, None)
    allow_overrides: bool = option(parse_flag, False)
    overrides: Mapping[str, Any] = option(parse_overrides, {})
    override_key: tuple[str, ...] | None = option(parse_keys, None)
    offline: bool = option(parse_flag, False)
    exclude_bots: bool = option(parse_flag, False)


class AsyncClientConfig(NamedTuple):
    """Options of one asyncio client, validated: what ``AsyncClientOptions`` adds, and the rest."""

    client: ClientConfig
    transport: str = option(parse_transport, "auto")
    max_concurrency: int = option(parse_at_least(1, 10_000), 64)


class RequestConfig(NamedTuple):
    """Options of one call, validated; ``request`` is still as the caller wrote it."""

    request: Any = option(_any, None)
    target_cookie: str | None = option(parse_text, None)
    target_location_hint: str | None = option(parse_text, None)
    visitor: Any = option(_any, None)
    visitor_cookie: str | None = option(parse_string, None)  # "" where the call's visitor has none
    consumer_id: str | None = option(parse_text, None)
    customer_ids: list[dict[str, Any]] | None = option(lambda _, value: parse_customer_ids(value), None)  # in wire form
    session_id: str | None = option(parse_session_id, None)
    callback: Callable[[Any], object] | None = option(parse_callback, None)
    err_callback: Callable[[Exception], object] | None = option(parse_callback, None)
    decisioning_method: str | None = option(parse_method, None)
    override_token: str | None = option(parse_text, None)


#: The options of both clients, and those of AsyncTargetClient alone, by name.
_CLIENT_OPTIONS = {**rows_of(ClientConfig), **rows_of(OnDeviceOptions)}
_ASYNC_OPTIONS = rows_of(AsyncClientConfig)
_DURATIONS = {name: name.removesuffix("_s") for name in ClientConfig._fields if name.endswith("_s")}
#: What ``create`` of either client takes.
ALL_CLIENT_OPTIONS = _CLIENT_OPTIONS | _ASYNC_OPTIONS
# Apart, as they are read in every call.
_REQUEST_OPTIONS = {name: parse for name, (parse, _) in rows_of(RequestConfig).items()}
REQUEST_OPTION_NAMES = frozenset(_REQUEST_OPTIONS)
_REQUEST_DEFAULTS = {name: default for name, (_, default) in rows_of(RequestConfig).items()}
_, *_DEFAULTS_BUT_REQUEST = _REQUEST_DEFAULTS.values()


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
    for name in (name for name, (_, default) in _CLIENT_OPTIONS.items() if default is REQUIRED):
        if options.get(name) is None or (is_text(options[name]) and not exact_text(options[name])):
            raise OptionsError(f"{name.replace('_', ' ').title()} is required: pass it as the option {name!r}")
    values = read_rows(options, _CLIENT_OPTIONS)
    for name in ("proxy", "ca_certs", "pool_size"):
        if values["pool"] is not None and options.get(name) is not None:
            raise OptionsError(f"Option {name!r} has no effect together with 'pool': set it on your own pool")
    if options.get("pool_size") is None and (values["decisioning_method"] != SERVER_SIDE or values["outbox"]):
        values["pool_size"] += values["background_concurrency"]  # calls and senders each keep theirs
    said = OnDeviceOptions(**{name: values.pop(name) for name in OnDeviceOptions._fields})
    on_device = None
    if values["decisioning_method"] != SERVER_SIDE:
        on_device = parse_on_device(said, values["client"], values["property_token"], values["logger"])
    if values["overrides"]:
        require_allowed(values["allow_overrides"], "Option 'overrides'")
        require_rules(values["overrides"], values["decisioning_method"])
    seconds = {name: values.pop(milliseconds) / 1000 for name, milliseconds in _DURATIONS.items()}
    notices = Notices(values["logger"])
    if seconds["timeout_s"] < _LEAST_LIKELY_TIMEOUT_S:
        notices.warn_once(
            ("timeout",),
            "Option 'timeout' is below 20 milliseconds, in which hardly any call is answered: if seconds are meant, "
            "multiply by 1000",
        )
    if values["debug_calls"]:
        from target.call_lines import CallLines  # which few clients have

        values["hooks"] = (*(values["hooks"] or ()), CallLines(values["logger"]))
    if not values["organization_id"].endswith(ORGANIZATION_SUFFIX):
        notices.warn_once(
            ("organization_id",),
            "Option 'organization_id' does not end in %s, as the ids of the Experience Cloud do: the API may refuse "
            "every call",
            ORGANIZATION_SUFFIX,
        )
    return ClientConfig(on_device, notices, **seconds, **values)


def parse_async_client_options(options: Mapping[str, Any]) -> AsyncClientConfig:
    """Validate what ``AsyncTargetClient.create`` was given. Raises OptionsError."""
    given = exact_dict(options, "Options") if is_a(options, Mapping) else {}
    if given.get("async_workers") is not None:
        raise OptionsError("Option 'async_workers' belongs to TargetClient, for callbacks: use 'max_concurrency' here")
    reject_unknown(given, ALL_CLIENT_OPTIONS)
    values = read_rows({name: given.pop(name, None) for name in _ASYNC_OPTIONS}, _ASYNC_OPTIONS)
    config = parse_client_options(given)
    if given.get("pool_size") is None:  # a thread without a kept connection would make a new one for each call
        config = config._replace(pool_size=max(config.pool_size, values["max_concurrency"]))
    if config.pool is not None and values["transport"] == "aiohttp":
        raise OptionsError("Option 'pool' is a pool of urllib3, which aiohttp cannot use: set transport to 'threads'")
    return AsyncClientConfig(config, **values)


def parse_request_options(options: Mapping[str, Any]) -> RequestConfig:
    """Validate what ``get_offers``, ``get_attributes`` or ``send_notifications`` was given. Raises OptionsError."""
    if type(options) is not dict and not is_a(options, Mapping):
        raise OptionsError(f"Options must be a dict, not {kind_of(options)}")
    if not options:
        raise OptionsError("Options are required: pass at least request")
    if len(options) == 1 and (request := options.get("request")) is not None:  # as in most calls
        # What _make does, but for a count of what is known to be enough.
        return tuple.__new__(RequestConfig, (request, *_DEFAULTS_BUT_REQUEST))
    if not options.keys() <= _REQUEST_OPTIONS.keys():
        reject_unknown(options, _REQUEST_OPTIONS)
    values = _REQUEST_DEFAULTS.copy()
    for name, value in options.items():
        if value is not None:
            values[name] = _REQUEST_OPTIONS[name](name, value)
        elif name == "visitor_cookie":
            values[name] = ""  # the visitor has none yet, which is not the same as a call without a visitor
    if values["err_callback"] is not None and values["callback"] is None:
        raise OptionsError("Option 'err_callback' is only used together with 'callback': pass both, or catch the error")
    return RequestConfig._make(values.values())  # which are in the order of its fields
