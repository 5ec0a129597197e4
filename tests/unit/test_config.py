"""Options of a client and of a call: defaults, units, and an error that helps for anything wrong."""

from __future__ import annotations

import logging
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import urllib3

from target import DecisioningMethod, OptionsError, Outbox, config
from target.config import (
    AsyncClientConfig,
    ClientConfig,
    RequestConfig,
    parse_async_client_options,
    parse_client_options,
    parse_request_options,
)
from target.loggers import LOG
from target.on_device_config import OnDeviceOptions
from tests.kit.built_calls import PAGE_LOAD

REQUIRED = {"client": "acme", "organization_id": "1234@AdobeOrg"}


async def coroutine_function(_: object) -> None: ...


class AwaitedWhenCalled:
    async def __call__(self, _: object) -> None: ...


@pytest.mark.parametrize("handler", [coroutine_function, AwaitedWhenCalled()], ids=["function", "object"])
def test_a_handler_that_nobody_would_await_is_refused(handler: Any) -> None:
    with pytest.raises(OptionsError, match="in option 'events' must be callable, not a coroutine function"):
        parse(events={"client_ready": handler})


def parse(**options: Any) -> Any:
    return parse_client_options({**REQUIRED, **options})


NUMBERS = ("pool_size", "max_response_bytes", "async_workers", "background_concurrency", "background_queue")
DEFAULTS: dict[str, Any] = {
    "timeout_s": 3.0,
    "server_domain": None,
    "secure": True,
    "target_location_hint": None,
    "property_token": None,
    "environment_id": None,
    "version": None,
    "logger": LOG,
    "events": {},
    "telemetry_enabled": True,
    "decisioning_method": "server-side",
    "edge_routing": True,
    "retries": 1,
    "pool_size": 32,
    "background_concurrency": 32,
    "background_queue": 10_000,
    "pool": None,
    "proxy": None,
    "ca_certs": None,
    "max_response_bytes": 64 * 1024 * 1024,
    "async_workers": 8,
}


@pytest.mark.parametrize(("name", "default"), DEFAULTS.items(), ids=list(DEFAULTS))
def test_defaults(name: str, default: Any) -> None:
    assert getattr(parse(), name) == default
    option = name.removesuffix("_s")
    assert getattr(parse(**{option: None}), name) == default


def changed(name: str, default: Any) -> Any:
    """Another default of the same kind."""
    match default:
        case bool():
            return not default
        case int():
            return default + 7
        case dict():
            return {"another": {}}
        case logging.Logger():
            return logging.getLogger("another")
        case None if name == "artifact_source":
            return SimpleNamespace(location="another", fetch=print)
        case "server-side":
            return "on-device"
        case str():
            return "staging"
        case _:
            return "https://another.example/path"


@pytest.mark.parametrize("name", config._CLIENT_OPTIONS)
def test_every_default_of_create_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {**REQUIRED, "decisioning_method": "on-device"}
    options["allow_overrides"] = name == "overrides"
    before = parse_client_options({**options, name: None} if name not in REQUIRED else options)
    reader, default = config._CLIENT_OPTIONS[name]
    monkeypatch.setitem(config._CLIENT_OPTIONS, name, (reader, changed(name, default)))
    assert parse_client_options({**options, name: None}) != before


@pytest.mark.parametrize("name", config._ASYNC_OPTIONS)
def test_every_default_of_the_asyncio_clients_create_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = parse_async_client_options(REQUIRED)
    reader, default = config._ASYNC_OPTIONS[name]
    monkeypatch.setitem(config._ASYNC_OPTIONS, name, (reader, changed(name, default)))
    assert parse_async_client_options(REQUIRED) != before


@pytest.mark.parametrize("name", config._REQUEST_DEFAULTS)
def test_every_default_of_a_call_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(config._REQUEST_DEFAULTS, name, "another")
    assert getattr(parse_request_options({"callback": print}), name) == ("another" if name != "callback" else print)


def test_every_row_is_an_option() -> None:
    """None hides behind another's name: ``timeout`` and ``timeout_s`` would be one option."""
    rows = (*ClientConfig._field_defaults, *OnDeviceOptions._field_defaults)
    assert len(config._CLIENT_OPTIONS) == len(rows)
    assert set(ClientConfig._fields) - set(ClientConfig._field_defaults) == {"on_device", "notices"}
    assert set(AsyncClientConfig._fields) - set(AsyncClientConfig._field_defaults) == {"client"}
    assert set(RequestConfig._fields) == set(config._REQUEST_OPTIONS)
    assert set(OnDeviceOptions._fields) == set(OnDeviceOptions._field_defaults)


@pytest.mark.parametrize("name", ["artifact_location", "cdn_base_path", "cdn_environment", "environment"])
def test_what_an_on_device_option_comes_to_is_seen_where_something_decides_from_rules(name: str) -> None:
    wrong = {"environment": ".."}.get(name, "neither a URL nor a CDN")
    assert parse(**{name: wrong}).on_device is None
    with pytest.raises(OptionsError, match=f"Option '{name}' must be"):
        parse(**{name: wrong, "decisioning_method": "hybrid"})


@pytest.mark.parametrize(("ms", "seconds"), [(3000, 3.0), (500, 0.5), (0.5, 0.0005), (1, 0.001)])
def test_timeout_is_milliseconds(ms: float, seconds: float) -> None:
    assert parse(timeout=ms).timeout_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(None, "Options are required", id="none"),
        pytest.param({}, "Options are required", id="empty"),
        pytest.param([("client", "x")], "Options are required", id="list"),
        pytest.param({"organization_id": "o"}, "Client is required", id="no-client"),
        pytest.param({**REQUIRED, "client": ""}, "Client is required", id="empty-client"),
        pytest.param({**REQUIRED, "client": None}, "Client is required", id="null-client"),
        pytest.param({"client": "acme"}, "Organization Id is required", id="no-organization"),
        pytest.param({**REQUIRED, "organization_id": ""}, "Organization Id is required", id="empty-organization"),
        pytest.param(
            {**REQUIRED, "decisioning_method": "bad decisions"},
            "Invalid Decisioning Method.  Must be set to one of: hybrid,on-device,server-side",
            id="bad-method",
        ),
    ],
)
def test_known_messages_of_create(options: Any, message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        parse_client_options(options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("method", ["on-device", "hybrid", DecisioningMethod.HYBRID])
def test_rules_are_fetched_only_where_something_decides_from_them(method: str) -> None:
    on_device = parse(decisioning_method=method).on_device
    assert on_device is not None
    assert on_device.artifact_location == "https://assets.adobetarget.com/acme/production/v1/rules.json"
    assert parse().on_device is None


@pytest.mark.parametrize("method", ["server-side", DecisioningMethod.SERVER_SIDE], ids=repr)
def test_the_method_may_be_text_or_enum(method: str) -> None:
    config = parse(decisioning_method=method)
    assert config.decisioning_method == "server-side"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("time_out", "timeout"),
        ("timeOut", "timeout"),
        ("organisation_id", "organization_id"),
        ("organizationId", "organization_id"),
        ("clint", "client"),
        ("serverDomain", "server_domain"),
        ("propertyToken", "property_token"),
        ("zzz", None),
        ("", None),
        (5, None),
    ],
)
def test_an_unknown_option_names_the_nearest_known_one(name: Any, nearest: str | None) -> None:
    with pytest.raises(OptionsError, match=f"Unknown option {name!r}: did you mean '{nearest or ''}"):
        parse_client_options({**REQUIRED, name: 1})


@pytest.mark.parametrize(
    ("parse_options", "table"),
    [
        (parse_client_options, config._CLIENT_OPTIONS),
        (parse_async_client_options, config._CLIENT_OPTIONS | config._ASYNC_OPTIONS),
        (parse_request_options, config._REQUEST_OPTIONS),
    ],
)
def test_every_option_is_proposed_to_who_misspells_it(parse_options: Any, table: dict[str, Any]) -> None:
    for name in table:
        with pytest.raises(OptionsError, match=f"Unknown option '{name}z': did you mean '{name}'"):
            parse_options({f"{name}z": 1})


@pytest.mark.parametrize(("given", "wrong"), [("clint", "client"), ("organisation_id", "organization_id")])
def test_a_misspelt_required_option_is_called_misspelt_not_missing(given: str, wrong: str) -> None:
    options = {given if name == wrong else name: value for name, value in REQUIRED.items()}
    with pytest.raises(OptionsError, match=f"Unknown option '{given}': did you mean '{wrong}'"):
        parse_client_options(options)


INFINITY = float("inf")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("client", bad)
            for bad in (5, "a b", "a.b", "a/b", "a@b", "-a", "a-", "ü", "a\n", "a" * 64, "evil.com/", b"a")
        ),
        *(("organization_id", bad) for bad in (5, b"x", "a\nb", "a\ud800", ["x"])),
        *(("timeout", bad) for bad in ("3000", 0, -1, -0.0, True, INFINITY, float("nan"), 1e10, [1], 1j)),
        *(("server_domain", bad) for bad in ("https://a.com", "a.com/", "a b", "u@a.com", "a.com:", "a.com:99999", 5)),
        *(
            ("server_domain", bad)
            for bad in ("a.com\n", "a..com", ".a", "a.com?x", "a.com#x", "ü.com", "a\\b", "a" * 64)
        ),
        *(("secure", bad) for bad in (0, 1, "false", "")),
        *(("target_location_hint", bad) for bad in ("x", "12345", 21, " 1", "1\n", "x@127.0.0.1:1/", "٣", "-1")),
        *(("property_token", bad) for bad in (5, b"x")),
        *(("environment_id", bad) for bad in ("5", 5.0, True)),
        *(("version", bad) for bad in (1, "a\r\nb")),
        *(("logger", bad) for bad in ("target", urllib3, print, logging.Logger)),
        *(("events", bad) for bad in ([], "x", {"client_ready": 5}, {"client_redy": print}, print)),
        *(("telemetry_enabled", bad) for bad in (1, "no")),
        *(("polling_interval", bad) for bad in ("1", -1, True)),
        *(("maximum_wait_ready", bad) for bad in ("1", -1)),
        *((name, 5) for name in ("artifact_location", "environment", "cdn_environment", "cdn_base_path")),
        *(("artifact_payload", bad) for bad in ("{}", [1])),
        *(("edge_routing", bad) for bad in (0, "yes")),
        *(("retries", bad) for bad in (-1, 1.0, "1", True)),
        *((name, bad) for name in NUMBERS for bad in (0, -1, 1.5, "8")),
        *(("pool", bad) for bad in ("pool", 5, urllib3.PoolManager, urllib3.HTTPConnectionPool("127.0.0.1"))),
        *((name, 5) for name in ("proxy", "ca_certs")),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_wrong_value_is_refused_and_the_option_named(name: str, value: Any) -> None:
    with pytest.raises(OptionsError, match=f"'{'client_ready' if isinstance(value, dict) else name}'"):
        parse(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("client", good) for good in ("a", "acme", "Acme-1_x", "a" * 63)),
        *(("server_domain", good) for good in ("a", "a.b-c.com", "127.0.0.1:8080", "[::1]:80", "localhost:1", "a_b.c")),
        *(("target_location_hint", good) for good in ("1", "38", "9999")),
        ("property_token", "token"),
        ("environment_id", 0),
        ("version", "v1"),
        ("retries", 0),
        ("organization_id", "Ü @AdobeOrg"),
    ],
)
def test_good_values_are_kept(name: str, value: Any) -> None:
    assert getattr(parse(**{name: value}), name) == value


@pytest.mark.parametrize(
    "name", ["server_domain", "target_location_hint", "property_token", "version", "proxy", "ca_certs"]
)
def test_an_empty_text_counts_as_none(name: str) -> None:
    assert getattr(parse(**{name: ""}), name) is None


def test_on_device_options_are_accepted() -> None:
    parse(
        polling_interval=0,
        artifact_location="https://assets.adobetarget.com/acme/production/v1/rules.json",
        artifact_payload=MappingProxyType({"version": "1.0.0"}),
        environment="staging",
        cdn_environment="staging",
        cdn_base_path="https://cdn.example",
        maximum_wait_ready=100,
    )


def test_what_sends_in_the_background_keeps_connections_of_its_own() -> None:
    assert parse(decisioning_method="on-device").pool_size == 64
    assert parse(outbox=Outbox.memory(), background_concurrency=4).pool_size == 36
    assert parse(outbox=Outbox.memory(), pool_size=5).pool_size == 5


@pytest.mark.parametrize(("name", "value"), [("proxy", "http://p"), ("ca_certs", "x.pem"), ("pool_size", 4)])
def test_what_has_no_effect_on_a_pool_of_ones_own_is_refused(name: str, value: Any) -> None:
    with pytest.raises(OptionsError, match=f"Option '{name}' has no effect together with 'pool'"):
        parse(**{name: value, "pool": urllib3.PoolManager()})


def test_events_are_copied() -> None:
    events = {"client_ready": print}
    config = parse(events=events)
    events.clear()
    assert config.events == {"client_ready": print}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({}, "Options are required", id="empty"),
        pytest.param({"request": PAGE_LOAD, "callback": "str"}, "Callback must be a callable function", id="callback"),
        pytest.param(
            {"request": PAGE_LOAD, "callback": print, "err_callback": 5},
            "Err_callback must be a callable function",
            id="err-callback",
        ),
        pytest.param(
            {"request": PAGE_LOAD, "err_callback": print},
            "Option 'err_callback' is only used together with 'callback'",
            id="err-callback-alone",
        ),
        pytest.param(
            {"request": PAGE_LOAD, "callback": coroutine_function},
            "Callback must be a callable function, not a coroutine function",
            id="callback-nobody-awaits",
        ),
        pytest.param({"reqest": PAGE_LOAD}, "Unknown option 'reqest': did you mean 'request'?", id="misspelt"),
        pytest.param(
            {"request": PAGE_LOAD, "location_hint_cookie": {}}, "Unknown option 'location_hint_cookie'", id="sample-app"
        ),
        pytest.param({"request": PAGE_LOAD, "targetCookie": ""}, "did you mean 'target_cookie'?", id="camel-case"),
        pytest.param({"request": PAGE_LOAD, "session_id": "a b"}, "Option 'session_id' must be 1 to 128", id="session"),
        pytest.param({"request": PAGE_LOAD, "session_id": 5.0}, "Option 'session_id' must be", id="session-float"),
        pytest.param({"request": PAGE_LOAD, "session_id": True}, "Option 'session_id' must be", id="session-bool"),
        pytest.param(
            {"request": PAGE_LOAD, "target_cookie": 5}, "Option 'target_cookie' must be a string", id="cookie"
        ),
        pytest.param(
            {"request": PAGE_LOAD, "target_cookie": b"x"}, "Option 'target_cookie' must be", id="cookie-bytes"
        ),
        pytest.param({"request": PAGE_LOAD, "target_location_hint": 5}, "Option 'target_location_hint'", id="hint"),
        pytest.param({"request": PAGE_LOAD, "consumer_id": 5}, "Option 'consumer_id' must be a string", id="consumer"),
        pytest.param(
            {"request": PAGE_LOAD, "decisioning_method": "bad"}, "Invalid Decisioning Method.", id="decisioning-method"
        ),
        pytest.param([("request", 1)], "Options must be a dict, not list", id="list"),
    ],
)
def test_messages_of_a_call(options: Any, message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        parse_request_options(options)
    assert message in str(caught.value)


@pytest.mark.parametrize("bad", ["a b", "a?b", "a/b", "a{b", "a}b", "a" * 129, "ü", "a\n", "\x00", "a\x7f"], ids=repr)
def test_a_session_id_that_breaks_the_rules_is_refused_without_showing_it(bad: str) -> None:
    with pytest.raises(OptionsError, match="session_id") as caught:
        parse_request_options({"request": PAGE_LOAD, "session_id": bad})
    assert bad not in str(caught.value)


@pytest.mark.parametrize("good", ["a", "~" * 128, "!\"#$%&'()*+,-.:;<=>@[\\]^_`|~"])
def test_a_session_id_within_the_rules_is_kept(good: str) -> None:
    assert parse_request_options({"request": PAGE_LOAD, "session_id": good}).session_id == good


@pytest.mark.parametrize("name", ["target_cookie", "target_location_hint", "session_id", "consumer_id"])
def test_an_empty_option_of_a_call_counts_as_none(name: str) -> None:
    assert getattr(parse_request_options({"request": PAGE_LOAD, name: ""}), name) is None


def test_options_of_a_call_are_read_in_the_order_of_their_fields() -> None:
    given = dict.fromkeys(reversed(RequestConfig._fields))
    parsed = parse_request_options({**given, "request": {"a": 1}, "session_id": "s", "target_cookie": "c"})
    assert (parsed.request, parsed.session_id, parsed.target_cookie) == ({"a": 1}, "s", "c")
    assert (parsed.callback, parsed.decisioning_method, parsed.visitor_cookie) == (None, None, "")
