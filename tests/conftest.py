"""Fixtures every test may use."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import target
from target import TargetClient
from target.loggers import FIELDS, LOG
from tests.kit import properties
from tests.kit.calls import MakeClient, client_of
from tests.kit.either import Blocking, Make
from tests.kit.loopback import LoopbackServer, serving
from tests.kit.shop import Shop
from tests.kit.threads import forget_threads
from tests.kit.tls import Authority

pytest_plugins = ["pytester"]  # by which tests of fixtures run tests

# Servers of tests are on this machine, and so are those of the processes that tests start: no proxy leads to them.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]

#: What the addopts of pyproject.toml choose.
QUICK = "not slow and not waits"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="all examples of each property, not a fifth")


def pytest_configure(config: pytest.Config) -> None:
    properties.begin(thorough=config.option.thorough or config.option.markexpr != QUICK)


def pytest_collection() -> None:
    """Nearly all that is made while tests are collected stays: to look for garbage then takes a second."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What was collected stays: leave it out where a test looks for garbage, which would take a quarter of a second."""
    gc.enable()
    gc.collect()
    gc.freeze()


def pytest_runtest_setup() -> None:
    forget_threads()


_PACKAGE = str(Path(target.__file__).parent)


class _Bare(logging.Handler):
    """Keeps the lines that a module of this package wrote without a field."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        is_ours = record.pathname.startswith(_PACKAGE)
        if is_ours and not vars(record).keys() >= set(FIELDS):
            self.lines.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def every_line_has_its_fields() -> Iterator[None]:
    """Whatever a test makes this package log, a format may name every field."""
    bare = _Bare()
    LOG.logger.addHandler(bare)
    yield
    LOG.logger.removeHandler(bare)
    assert bare.lines == []


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """A loopback server that answers with success; set ``server.answer`` for anything else."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure(authority: Authority) -> dict[str, Any]:
    """Options of a client that trusts the authority."""
    return {"secure": True, "ca_certs": authority.ca_certs}


@pytest.fixture
def shop(server: LoopbackServer) -> Shop:
    """What clients that decide in process ask, on ``server``."""
    return Shop(server)


@pytest.fixture
def make_client(server: LoopbackServer) -> Iterator[MakeClient]:
    """Makes clients of ``server``, closed at the end; keywords are options of ``TargetClient.create``."""
    clients: list[TargetClient] = []

    def make(**options: Any) -> TargetClient:
        clients.append(client_of(server.domain, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> TargetClient:
    """A client of ``server`` with default options."""
    return make_client()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how to run these tests in this order again; pytest-randomly says so only without -q."""
    if config.pluginmanager.hasplugin("randomly"):
        terminalreporter.write_line(f"in this order again: --randomly-seed={config.option.randomly_seed}")


@pytest.fixture(params=["threads", "asyncio"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes clients of either kind, used alike and closed at the end."""
    made: list[Any] = []

    def client(options: dict[str, Any]) -> Any:
        made.append(TargetClient.create(options) if request.param == "threads" else Blocking(options))
        return made[-1]

    yield client
    for each in made:
        each.close()
