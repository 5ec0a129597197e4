"""The front door: what `target` exports, how little importing it costs, and which version it says it is."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import target
from target import errors, hooks
from target._http.transport import SDK_VERSION
from target_delivery_api import models
from tests.kit.loopback import serving
from tests.kit.processes import ROOT, run_script

CLIENT = {
    "ClientStatus",
    "TargetClient",
    "AsyncTargetClient",
    "TargetDeliveryResponse",
    "TargetCookie",
    "AttributesProvider",
    "AsyncResult",
    "Explanation",
    "Meta",
}
OPTIONS = {"ClientOptions", "RequestOptions"}
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type)}
WEB = {"AsyncVisit", "Site", "SiteOptions", "Visit", "WebRequest"}
OUTBOX = {"Outbox", "DeadLetter", "OutboxHandle"}
HOOKS = {name for name, value in vars(hooks).items() if isinstance(value, type) and value.__module__ == hooks.__name__}
OVERRIDES = {"Experience", "Override"}
TOLD = {"ArtifactInfo", "PartDecision"}
VISITOR = {"Visitor", "qa_mode_from_cookie", "qa_mode_from_url", "qa_mode_to_cookie"}


def test_all_is_sorted_and_has_no_name_twice() -> None:
    assert target.__all__ == sorted(set(target.__all__))


def test_all_is_our_own_names_and_every_model_and_enum() -> None:
    own = set(target.__all__) - set(models.__all__)
    assert own >= CLIENT | ERRORS
    assert own <= CLIENT | ERRORS | VISITOR | OUTBOX | OPTIONS | WEB | HOOKS | OVERRIDES | TOLD
    assert set(models.__all__) <= set(target.__all__)


def test_every_error_is_exported() -> None:
    for name in ERRORS:
        assert issubclass(getattr(target, name), target.TargetError)
    documented = "OptionsError TransportError TargetTimeout ApiError AttributeNotFound ClientClosed TargetError"
    assert set(documented.split()) <= ERRORS


@pytest.mark.parametrize("name", target.__all__)
def test_every_name_can_be_imported(name: str) -> None:
    value = getattr(target, name)
    assert getattr(target, name) is value
    assert name in dir(target)
    if name in models.__all__:
        assert value is getattr(models, name)
    if isinstance(value, type):
        assert pickle.loads(pickle.dumps(value)) is value


def test_another_name_does_not_exist() -> None:
    for name in ("Nothing", "MboxRequests", "import_modules"):
        with pytest.raises(AttributeError, match=f"module 'target' has no attribute '{name}'"):
            getattr(target, name)


def test_star_import_gives_all() -> None:
    names: dict[str, object] = {}
    exec("from target import *", names)
    assert set(target.__all__) <= set(names)


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after ``code``."""
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=30,
    )
    return set(run.stdout.split())


CREATE = "from target import TargetClient as C; C.create(client='acme', organization_id='o')"
SLOW = {"dateutil", "starlette", "uvicorn", "asyncio", "requests", "httpx", "attr", "dataclasses", "target.emulator"}


def test_importing_the_client_loads_no_model_and_creating_one_nothing_else_that_is_slow() -> None:
    loaded = modules_after("from target import TargetClient")
    assert "urllib3" in loaded
    assert not {name for name in loaded if name.startswith("target_delivery_api.models.")}
    assert not modules_after(CREATE) & SLOW


FIRST_CALL = """
import sys
from target import TargetClient
client = TargetClient.create(client="acme", organization_id="o", server_domain=sys.argv[1], secure=False)
before = set(sys.modules)
client.get_offers(request={"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 0, "name": "home"}]}})
print(*(set(sys.modules) - before))
"""


def test_a_first_call_imports_nothing() -> None:
    """It would take several times as long as one of urllib3 alone; who creates a client waits for imports anyway."""
    with serving() as server:
        assert run_script(FIRST_CALL, server.domain).split() == []


def test_importing_target_loads_no_client_and_no_library_of_http() -> None:
    """So that a command that shows its help is quick."""
    loaded = modules_after("import target; target.TargetError, target.__version__")
    assert not loaded & {"urllib3", "http.client", "ssl", "target.client", "target.response", "dateutil"}


@pytest.mark.parametrize(
    "code",
    [
        "import target; target.response.TargetCookie is target.TargetCookie or exit(1)",
        "import target; target._http.transport.Transport",
        "from target.visitor import Visitor; Visitor.new('1@AdobeOrg')",
        "from target.made import make_result; make_result",
    ],
)
def test_modules_are_there_as_if_all_were_imported(code: str) -> None:
    assert "target._background.runtime" in modules_after(code)


def test_a_model_is_loaded_when_it_is_asked_for() -> None:
    loaded = modules_after("from target import MetricType")
    assert {name for name in loaded if name.startswith("target_delivery_api.models.")} == {
        "target_delivery_api.models.enums"
    }


def test_the_version_is_said_in_one_place() -> None:
    """Which the build reads, too: tests/packaging/test_wheel.py."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in pyproject["project"]["dynamic"]
    said = ROOT / pyproject["tool"]["hatch"]["version"]["path"]
    assert f'__version__ = "{SDK_VERSION}"' in said.read_text(encoding="utf-8")
    assert target.__version__ == SDK_VERSION
    sources = [path for room in ("target", "openapi", "generated") for path in (ROOT / room).rglob("*.py")]
    assert [path for path in sources if f'"{SDK_VERSION}"' in path.read_text(encoding="utf-8")] == [said]


def test_typed_marker_is_there() -> None:
    for package in ("target", "target_delivery_api"):
        folder = Path(str(importlib.import_module(package).__file__)).parent
        assert (folder / "py.typed").is_file()
