"""Provider events: what becomes of the rules, told besides the handlers that are the application's own."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from typing import Any

import pytest
from openfeature import api
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import Reason
from openfeature.provider import ProviderStatus

from target import ArtifactInfo, AsyncTargetClient
from target.integrations.openfeature import AsyncTargetProvider, TargetProvider
from target.integrations.openfeature._readiness import Readiness
from tests.kit.calls import MakeClient, eventually, options_of
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer
from tests.kit.shop import Shop, events_of
from tests.unit.integrations.openfeature.pages import VISITOR, flags_of


def listening() -> list[tuple[ProviderEvent, EventDetails]]:
    """What handlers of the API are told from now on."""
    told: list[tuple[ProviderEvent, EventDetails]] = []
    for event in ProviderEvent:
        api.add_handler(event, lambda details, event=event: told.append((event, details)))  # type: ignore[misc]
    return told


def names(told: list[tuple[ProviderEvent, EventDetails]]) -> list[str]:
    return [event.value.removeprefix("PROVIDER_") for event, _ in told]


def gone(_: Any) -> Answer:
    return Answer(b"", 503)


@pytest.mark.waits
def test_rules_that_fail_change_and_come_back_are_events(
    shop: Shop, make_client: MakeClient, quick_tries: None
) -> None:
    handlers, handled = events_of("artifact_download_failed", "artifact_download_succeeded")
    client = make_client(**{**shop.options, "polling_interval": 1000}, events=handlers)
    with flags_of(TargetProvider(client)) as flags:
        told = listening()
        assert flags.get_string_details("home.from", "", VISITOR).reason is Reason.TARGETING_MATCH
        working, shop.cdn = shop.cdn, gone
        assert eventually(lambda: "STALE" in names(told))
        details = flags.get_string_details("home.from", "", VISITOR)
        assert (details.value, details.reason) == ("home", Reason.STALE)
        assert flags.get_provider_status() is ProviderStatus.STALE
        shop.cdn = working
        assert eventually(lambda: flags.get_provider_status() is ProviderStatus.READY)
        assert flags.get_string_details("home.from", "", VISITOR).reason is Reason.TARGETING_MATCH
        assert "CONFIGURATION_CHANGED" not in names(told), "they are the same rules"
        shop.cdn = lambda _: Answer(artifact("new"), headers={"ETag": '"two"'})
        assert eventually(lambda: "CONFIGURATION_CHANGED" in names(told))
        assert flags.get_string_value("new.from", "", VISITOR) == "new"
        assert {details.provider_name for _, details in told} == {"Adobe Target"}
    assert {event["type"] for event in handled} == {"artifact_download_failed", "artifact_download_succeeded"}


@pytest.mark.waits
def test_without_rules_a_provider_is_not_ready_until_they_come(
    shop: Shop, make_client: MakeClient, quick_tries: None
) -> None:
    working, shop.cdn = shop.cdn, gone
    client = make_client(**shop.options, maximum_wait_ready=0)
    provider = TargetProvider(client, ready_timeout=50)
    told = listening()
    try:
        started = time.monotonic()
        api.set_provider(provider, "shop")
        flags = api.get_client("shop")
        assert eventually(lambda: flags.get_provider_status() is ProviderStatus.ERROR)
        assert time.monotonic() - started < 1
        details = flags.get_string_details("home.from", "d", VISITOR)
        assert (details.value, details.error_code) == ("d", ErrorCode.PROVIDER_NOT_READY)
        shop.cdn = working
        assert eventually(lambda: flags.get_provider_status() is ProviderStatus.READY)
        assert flags.get_string_value("home.from", "d", VISITOR) == "home"
        assert eventually(lambda: names(told)[-1] == "READY")
        assert "CONFIGURATION_CHANGED" not in names(told)
    finally:
        api.shutdown()


def test_a_provider_that_waits_for_nothing_may_be_set_on_an_event_loop(shop: Shop) -> None:
    shop.cdn = gone

    async def run() -> None:
        options = options_of(shop.server.domain, **shop.options, maximum_wait_ready=0)
        async with await AsyncTargetClient.create(**options) as client:
            started = time.monotonic()
            with pytest.raises(ProviderNotReadyError), flags_of(AsyncTargetProvider(client)):
                pass
            assert time.monotonic() - started < 0.5

    asyncio.run(run())
    api.shutdown()


def test_a_client_keeps_no_provider(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options)
    provider = weakref.ref(TargetProvider(client))
    gc.collect()
    assert provider() is None


def test_domains_have_providers_of_their_own(shop: Shop, make_client: MakeClient) -> None:
    clients = [make_client(**shop.options, artifact_payload=artifact(name)) for name in ("a", "b")]
    try:
        for name, client in zip("ab", clients, strict=True):
            api.set_provider_and_wait(TargetProvider(client), name)
        for name, other in ("ab", "ba"):
            flags = api.get_client(name)
            assert flags.get_string_value(f"{name}.from", "", VISITOR) == name
            assert flags.get_string_details(f"{other}.from", "", VISITOR).error_code is ErrorCode.FLAG_NOT_FOUND
    finally:
        api.shutdown()
    assert all(client.wait_until_ready(0) for client in clients), "they stay the application's to close"


def test_rules_that_whoever_waited_had_already_are_no_change(shop: Shop, make_client: MakeClient) -> None:
    """They are there before they are told of."""
    told: list[ProviderEvent] = []
    client = make_client(**shop.options)
    readiness = Readiness(client, lambda event, _: told.append(event))
    readiness.begin(is_ready=client.wait_until_ready(5000))
    readiness.took(ArtifactInfo("new"))
    assert told == []
