"""Steps about providers that come and go, their events, and tracking."""

from __future__ import annotations

import json
import time
from typing import Any

import openfeature.exception
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode
from openfeature.provider import ProviderStatus
from openfeature.track import TrackingEventDetails

from tests.kit.calls import eventually
from tests.openfeature.scenarios import step
from tests.openfeature.world import World

#: In which a handler that must not run would have run: others that were told at the same time have run by then.
QUIET_S = 0.05


def _error(what: str) -> Exception:
    if what == "an error of its own":
        return ValueError("broken")
    made: Exception = getattr(openfeature.exception, what)("said so")
    return made


def _replace(provider: Any, call: Any) -> None:
    """All that the provider resolves, by another function."""
    for kind in ("boolean", "string", "integer", "float", "object"):
        setattr(provider, f"resolve_{kind}_details", call)

        async def resolve(*arguments: Any, **keywords: Any) -> Any:
            return call(*arguments, **keywords)

        setattr(provider, f"resolve_{kind}_details_async", resolve)


@step("a ready provider")
def ready_provider(world: World) -> None:
    api.set_provider_and_wait(world.make_provider())
    assert world.client.get_provider_status() is ProviderStatus.READY


@step("a ready provider of the domain {domain}")
def ready_provider_of_domain(world: World, domain: str) -> None:
    api.set_provider_and_wait(world.make_provider(), json.loads(domain))


@step('a ready provider of the domain "{domain}" for the property "{token}"')
def ready_provider_of_property(world: World, domain: str, token: str) -> None:
    api.set_provider_and_wait(world.make_provider(token), domain)


@step("the same provider for the domain {domain}")
def same_provider(world: World, domain: str) -> None:
    api.set_provider_and_wait(world.providers[-1], json.loads(domain))


@step("a provider that is set without waiting")
def provider_set(world: World) -> None:
    api.set_provider(world.make_provider())


@step("a provider whose initialization is held up")
def held_provider(world: World) -> None:
    provider = world.make_provider()
    begin = provider.initialize

    def initialize(context: EvaluationContext) -> None:
        world.held.wait(20)
        begin(context)

    provider.initialize = initialize
    api.set_provider(provider)


@step("the initialization goes on")
def initialization_goes_on(world: World) -> None:
    world.held.set()
    assert eventually(lambda: world.client.get_provider_status() is ProviderStatus.READY, 10)


@step("a provider that cannot be initialized, with {what}")
def failing_provider(world: World, what: str) -> None:
    provider = world.make_provider()

    def initialize(context: EvaluationContext) -> None:
        raise _error(what)

    provider.initialize = initialize
    api.set_provider(provider)
    assert eventually(lambda: world.client.get_provider_status() is not ProviderStatus.NOT_READY, 10)


@step("the provider breaks with {what}")
def provider_breaks(world: World, what: str) -> None:
    def resolve(*_: Any, **__: Any) -> Any:
        raise _error(what)

    _replace(world.providers[-1], resolve)


@step("another provider is set")
def another_provider(world: World) -> None:
    api.set_provider_and_wait(world.make_provider())


@step("the API is shut down")
def api_shut_down(world: World) -> None:
    api.shutdown()


@step("the same provider is set again")
def set_again(world: World) -> None:
    api.set_provider_and_wait(world.providers[0])


@step("the first provider is soon shut down")
def first_is_shut_down(world: World) -> None:
    assert eventually(lambda: world.shutdowns == [world.providers[0]], 10)


@step("the first provider is not shut down")
def first_is_not_shut_down(world: World) -> None:
    time.sleep(QUIET_S)
    assert world.shutdowns == []


@step("every provider was shut down")
def all_are_shut_down(world: World) -> None:
    assert sorted(map(id, world.shutdowns)) == sorted(map(id, world.providers))


@step("the status is {status}")
def status_is(world: World, status: str) -> None:
    soon = status.startswith("soon ")
    expected = ProviderStatus[json.loads(status.removeprefix("soon "))]
    assert eventually(lambda: world.client.get_provider_status() is expected, 10 if soon else 0)


@step("the name of the provider is its own")
def provider_has_name(world: World) -> None:
    assert api.get_provider_metadata().name == world.providers[-1].get_metadata().name != "No-op Provider"


@step("the clients of the domains have providers of their own")
def domains_have_providers(world: World) -> None:
    assert [world.client.provider, world.client_of("shop").provider] == world.providers
    assert world.providers[0] is not world.providers[1]


@step("the client of {domain} says its domain")
def client_says_domain(world: World, domain: str) -> None:
    assert world.client_of(json.loads(domain)).get_metadata().domain == json.loads(domain)


class Handler:
    """Notes what it is told."""

    def __init__(self, fails: bool = False) -> None:
        self.told: list[EventDetails] = []
        self._fails = fails

    def __call__(self, details: EventDetails) -> None:
        self.told.append(details)
        if self._fails:
            raise ValueError("a handler that fails")


@step("handlers of {event}, of the API and of the client")
def handlers(world: World, event: str) -> None:
    for name, where in (("API", api), ("client", world.client)):
        world.handlers[name] = (Handler(), ProviderEvent[event], where)
        where.add_handler(ProviderEvent[event], world.handlers[name][0])


@step("a handler of {event} of the client of the domain {domain}")
def handler_of_domain(world: World, event: str, domain: str) -> None:
    world.handlers["domain"] = (Handler(), ProviderEvent[event], None)
    world.client_of(json.loads(domain)).add_handler(ProviderEvent[event], world.handlers["domain"][0])


@step("a handler of {event} that fails")
def failing_handler(world: World, event: str) -> None:
    for where in (api, world.client):
        where.add_handler(ProviderEvent[event], Handler(fails=True))


@step("a handler of {event} of the client that stays")
def staying_handler(world: World, event: str) -> None:
    world.handlers["stays"] = (Handler(), ProviderEvent[event], None)
    world.client.add_handler(ProviderEvent[event], world.handlers["stays"][0])


@step("the handlers are removed")
def handlers_removed(world: World) -> None:
    for name in ("API", "client"):
        handler, event, where = world.handlers[name]
        where.remove_handler(event, handler)


def _told(world: World, name: str) -> list[EventDetails]:
    told: list[EventDetails] = world.handlers[name][0].told
    return told


@step("the handlers ran, and were told the name of the provider")
def handlers_ran(world: World) -> None:
    name = world.providers[-1].get_metadata().name

    def ran() -> bool:
        return all(name in {told.provider_name for told in _told(world, level)} for level in ("API", "client"))

    assert eventually(ran, 10)


@step("the handlers were told a message")
def handlers_told_message(world: World) -> None:
    assert all(_told(world, level)[-1].message for level in ("API", "client"))


@step("the handler of the domain {domain} did not run")
def domain_handler_did_not_run(world: World, domain: str) -> None:
    time.sleep(QUIET_S)
    assert _told(world, "domain") == []


@step("the handler that stays ran")
def staying_handler_ran(world: World) -> None:
    assert eventually(lambda: _told(world, "stays"), 10)


@step("the removed handlers did not run")
def removed_did_not_run(world: World) -> None:
    time.sleep(QUIET_S)
    assert _told(world, "API") == _told(world, "client") == []


@step("the provider tells {what}")
def provider_tells(world: World, what: str) -> None:
    provider = world.providers[-1]
    if what == "that it is stale":
        provider.emit_provider_stale(ProviderEventDetails(message="old"))
    elif what == "of an error":
        provider.emit_provider_error(ProviderEventDetails(message="broken", error_code=ErrorCode.GENERAL))
    else:
        provider.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=["flags"]))


@step("a visitor {visitor}")
def visitor(world: World, visitor: str) -> None:
    world.context = EvaluationContext(json.loads(visitor))


@step("the event {event} is tracked")
def track(world: World, event: str) -> None:
    world.attempt(lambda: world.way.track(world.client, json.loads(event), world.context))


@step("the event {event} is tracked with the value {value}")
def track_value(world: World, event: str, value: str) -> None:
    number, _, field = value.partition(" and the field ")
    details = TrackingEventDetails(float(number))
    if field:
        details.add(*map(json.loads, field.split(" as ")))
    world.attempt(lambda: world.way.track(world.client, json.loads(event), world.context, details))


@step("the event {event} is tracked after the API is shut down")
def track_after(world: World, event: str) -> None:
    api.shutdown()
    track(world, event)


@step("the event {event} reached the provider for {visitor}")
def event_reached(world: World, event: str, visitor: str) -> None:
    assert world.raised is None
    assert world.way.tracked(world.providers[-1], json.loads(event))[0] == json.loads(visitor)


@step("the event {event} reached the provider with the value {value}")
def event_reached_with(world: World, event: str, value: str) -> None:
    assert world.raised is None
    assert world.way.tracked(world.providers[-1], json.loads(event))[1] == json.loads(value)
