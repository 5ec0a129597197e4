"""Options from environment variables: which there are, how they are read, and what is wrong without showing it."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import AsyncTargetClient, OptionsError, TargetClient
from target.config import ALL_CLIENT_OPTIONS
from target.environment import read_environment
from tests.kit.calls import REQUEST
from tests.kit.loopback import LoopbackServer

ACCOUNT = {"TARGET_CLIENT": "acme", "TARGET_ORGANIZATION_ID": "1234@AdobeOrg"}
READ = {"client": "acme", "organization_id": "1234@AdobeOrg"}
# Options that take objects: a new option is one of these, or can be set.
OBJECTS = {"logger", "events", "hooks", "pool", "outbox", "default_attributes", "overrides"} | {
    f"artifact_{name}" for name in ("headers", "payload", "source")
}


def read(**variables: str) -> dict[str, Any]:
    return read_environment("TARGET_", {}, {**ACCOUNT, **variables, "PATH": "x", "TARGETS": "x", "target_x": "x"})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("timeout", "500", 500),
        ("timeout", " 1.5e3 ", 1500.0),
        ("breaker_reset", ".5", 0.5),
        ("retries", "0", 0),
        ("environment_id", "-7", -7),
        ("server_domain", "127.0.0.1:8080", "127.0.0.1:8080"),
        ("decisioning_method", "hybrid", "hybrid"),
        ("version", "1", "1"),
        ("property_token", "yes", "yes"),
        ("artifact_cache", "/var/rules", "/var/rules"),
        ("transport", "threads", "threads"),
        ("max_concurrency", "7", 7),
        *(("secure", text, True) for text in ("true", "1", "YES", "On")),
        *(("edge_routing", text, False) for text in ("false", "0", "No", "off")),
    ],
)
def test_values_are_read_as_what_the_option_is(name: str, text: str, value: Any) -> None:
    found = read(**{f"TARGET_{name.upper()}": text})
    assert found == {**READ, name: value}
    assert type(found[name]) is type(value)


@pytest.mark.parametrize("name", ALL_CLIENT_OPTIONS)
def test_every_option_can_be_set_or_takes_an_object(name: str) -> None:
    samples = ("1", "true", "server-side", "auto", "a secret of yours")

    def is_taken(text: str) -> bool:
        try:
            return name in read(**{f"TARGET_{name.upper()}": text})
        except OptionsError:
            return False

    assert any(map(is_taken, samples)) == (name not in OBJECTS)


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_an_option_that_takes_an_object_is_named(name: str) -> None:
    with pytest.raises(OptionsError, match=f"TARGET_{name.upper()} names the option '{name}', which is no text"):
        read(**{f"TARGET_{name.upper()}": "SECRET"})


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("TARGET_TIMEOUTT", "TARGET_TIMEOUT"),
        ("TARGET_ORGANISATION_ID", "TARGET_ORGANIZATION_ID"),
        ("TARGET_", "TARGET_"),
    ],
)
def test_an_unknown_variable_names_the_nearest(variable: str, nearest: str) -> None:
    with pytest.raises(
        OptionsError, match=f"Unknown environment variable '{variable}': did you mean '{nearest}"
    ) as caught:
        read(**{variable: "SECRET"})
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "texts", "problem"),
    [
        ("secure", ("maybe", "2", "truee"), "true or false, 1 or 0, yes or no, on or off"),
        ("timeout", ("fast", "1_0", "nan", "inf", "0x10", "9" * 500, "1e9999"), "number"),
        ("timeout", ("-77", "0"), "Option 'timeout' must be"),
        ("retries", ("77.5",), "a whole number"),
        ("retries", ("-77",), "at least 0"),
        ("decisioning_method", ("device77",), "hybrid,on-device,server-side"),
        ("server_domain", ("https://user77@host",), "a host"),
        ("client", ("a b77",), "a client code"),
    ],
)
def test_what_cannot_be_read_names_the_variable_and_quotes_nothing(
    name: str, texts: tuple[str, ...], problem: str
) -> None:
    variable = f"TARGET_{name.upper()}"
    for text in texts:
        with pytest.raises(OptionsError, match=f"{variable} cannot be used: .*{problem}") as caught:
            read(**{variable: text})
        assert len(text) == 1 or text not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", ["timeout", "secure", "version", "retries"])
def test_an_empty_value_sets_nothing(name: str) -> None:
    assert read(**{f"TARGET_{name.upper()}": " "}) == READ


def test_keywords_win_and_the_prefix_may_be_another() -> None:
    environment = {"SHOP_CLIENT": "acme", "SHOP_ORGANIZATION_ID": "1234@AdobeOrg", "SHOP_TIMEOUT": "5", **ACCOUNT}
    found = read_environment("SHOP_", {"timeout": 7, "organization_id": "2", "retries": None}, environment)
    assert found == {"client": "acme", "timeout": 7, "organization_id": "2", "retries": None}


def test_what_is_missing_names_the_variable() -> None:
    with pytest.raises(OptionsError, match="organization_id is required: set the environment variable SHOP_ORGAN"):
        read_environment("SHOP_", {}, {"SHOP_CLIENT": "acme"})


@pytest.mark.parametrize("prefix", ["", None, 1, b"TARGET_"])
def test_without_a_prefix_there_is_no_client(prefix: Any) -> None:
    with pytest.raises(OptionsError, match="prefix must be a text"):
        read_environment(prefix, {}, ACCOUNT)


def ask(**options: Any) -> Any:
    with TargetClient.from_env(**options) as client:
        return client.get_offers(request=REQUEST)


def ask_on_a_loop(**options: Any) -> Any:
    async def main() -> Any:
        async with await AsyncTargetClient.from_env(**options) as client:
            return await client.get_offers(request=REQUEST)

    return asyncio.run(main())


@pytest.mark.parametrize("call", [ask, ask_on_a_loop])
def test_both_clients_are_made_from_it(
    call: Callable[..., Any], server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {**ACCOUNT, "TARGET_SERVER_DOMAIN": "127.0.0.1:9", "TARGET_SECURE": "no", "TARGET_EDGE_ROUTING": "0"}
    for variable, text in {**variables, "TARGET_TIMEOUT": "5000", "TARGET_VERSION": "8"}.items():
        monkeypatch.setenv(variable, text)
    assert call(server_domain=server.domain).response.status == 200
    assert server.received[0].query["version"] == "8"
    other = "MAX_CONCURRENCY" if call is ask else "ASYNC_WORKERS"
    monkeypatch.setenv(f"TARGET_{other}", "5")
    with pytest.raises(OptionsError, match=f"{other.lower()}' belongs to"):
        call()


@given(st.sampled_from(sorted(ALL_CLIENT_OPTIONS)), st.text(max_size=30))
def test_whatever_a_variable_holds_is_read_or_refused_unquoted(name: str, text: str) -> None:
    told = ""
    try:
        read(**{f"TARGET_{name.upper()}": f"7316{text}9527"})
    except OptionsError as error:
        told = str(error)
    assert not any(part in told for part in ("7316", "9527"))
