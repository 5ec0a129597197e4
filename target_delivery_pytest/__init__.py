"""Fixtures for tests of services that use Target, which pytest finds by itself where target-delivery is installed.

pytest imports this in every run, whatever is tested: so nothing else is imported before a test asks for a fixture, and
it is no part of ``target``, which something else may be named. See also ``target.testing.plugin``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from target import TargetClient
    from target.emulator import Emulator
    from target.testing._fixtures import (
        AssertNotified,
        ForceExperience,
        OpenAsyncClient,
        TargetFaults,
        UseOffers,
        UseRules,
    )

_INSTALL = "pip install 'target-delivery[testing]'"


@pytest.fixture(scope="session")
def target_server_domain(_target_emulator_of_run: Emulator) -> str:
    """HOST:PORT of the emulator of ``target_emulator``, the same for the whole run: for what is made once."""
    return _target_emulator_of_run.server_domain


@pytest.fixture(scope="session")
def _target_emulator_of_run() -> Iterator[Emulator]:
    try:
        from target.testing._fixtures import serving
    except ImportError as error:
        _fail_for("target_emulator", error)
    try:
        started = serving()
        emulator = started.__enter__()
    except ImportError as error:
        _fail_for("target_emulator", error)
    yield emulator
    started.__exit__(None, None, None)


@pytest.fixture
def target_emulator(_target_emulator_of_run: Emulator) -> Iterator[Emulator]:
    """An emulated Target on this machine, fresh for each test: no offers, no rules, nothing received.

    It is one server for the whole run (of each worker of pytest-xdist), so its address stays.
    """
    from target.testing._fixtures import begin_anew

    begin_anew(_target_emulator_of_run)
    yield _target_emulator_of_run
    begin_anew(_target_emulator_of_run)


@pytest.fixture
def target_client_options(target_emulator: Emulator) -> dict[str, Any]:
    """Options of clients of ``target_emulator``: for ``TargetClient.create`` and for integrations."""
    from target.testing._fixtures import options_for

    return options_for(target_emulator.server_domain)


@pytest.fixture
def target_client(target_client_options: dict[str, Any]) -> Iterator[TargetClient]:
    """A TargetClient of ``target_emulator``, closed after the test."""
    from target import TargetClient

    with TargetClient.create(**target_client_options) as client:
        yield client


@pytest.fixture
def async_target_client(target_client_options: dict[str, Any]) -> OpenAsyncClient:
    """Makes AsyncTargetClients of ``target_emulator``: ``async with async_target_client() as client``."""
    from target.testing._fixtures import OpenAsyncClient

    return OpenAsyncClient(target_client_options)


@pytest.fixture
def target_offers(target_emulator: Emulator) -> UseOffers:
    """What ``target_emulator`` answers: ``target_offers({"mboxes": {"home": "<h1>Sale</h1>"}})``."""
    from target.testing._fixtures import UseOffers

    return UseOffers(target_emulator)


@pytest.fixture
def target_rules(target_emulator: Emulator) -> UseRules:
    """The rules that ``target_emulator`` decides by: ``target_rules("rules.json")``; the sample shop without a file."""
    from target.testing._fixtures import UseRules

    return UseRules(target_emulator)


@pytest.fixture
def force_experience(target_emulator: Emulator) -> ForceExperience:
    """Shows an experience of the rules to everybody, or to one visitor: ``force_experience("flags", "B: legacy")``."""
    from target.testing._fixtures import ForceExperience

    return ForceExperience(target_emulator)


@pytest.fixture
def target_faults(target_emulator: Emulator) -> TargetFaults:
    """What goes wrong next: ``target_faults(503)``, ``target_faults("reset", n=2)``, or ``latency_ms=500``."""
    from target.testing._fixtures import TargetFaults

    return TargetFaults(target_emulator)


@pytest.fixture
def assert_notified(target_emulator: Emulator) -> AssertNotified:
    """Fails unless Target was told: ``assert_notified("home", type="click", times=1)``."""
    from target.testing._fixtures import AssertNotified

    return AssertNotified(target_emulator)


@pytest.fixture(scope="session")
def target_vcr_config() -> dict[str, Any]:
    """What vcrpy needs to record and play back calls to Target: see ``target.testing.target_vcr_config``."""
    try:
        from target.testing import target_vcr_config
    except ImportError as error:
        _fail_for("target_vcr_config", error)
    return target_vcr_config()


def _fail_for(fixture: str, error: ImportError) -> NoReturn:
    """Say in one line what is missing."""
    if (error.name or "").partition(".")[0] == "target":
        why = "the module 'target' that is found first is not that of target-delivery: see `python -m target`"
    else:
        why = f"it needs the package {error.name}: {_INSTALL}"
    pytest.fail(f"the fixture {fixture} cannot be had: {why}", pytrace=False)
