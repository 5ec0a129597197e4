"""The shape of the code: layers that hold, modules that say what they own, none too long, no drawer for the rest."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.kit.processes import ROOT

MODULES = sorted((ROOT / "target").rglob("*.py"))
PACKAGES = sorted(str(path.parent.relative_to(ROOT)) for path in MODULES if path.name == "__init__.py")
FORBIDDEN = {"utils", "util", "helper", "helpers", "common", "manager", "managers", "misc", "shared", "tools"}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "generated")])},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def contracts() -> list[dict[str, Any]]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = pyproject["tool"]["importlinter"]["contracts"]
    return found


def plant(folder: Path, lines: dict[str, str]) -> str:
    """What import-linter says, in one line, where these lines stand at the end of these files (made where absent)."""
    for name in ("target", "generated"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for module, line in lines.items():
        path = folder / module
        for package in list(path.relative_to(folder).parents)[-2::-1]:
            (folder / package).mkdir(exist_ok=True)
            (folder / package / "__init__.py").touch()
        path.write_text(f"{path.read_text(encoding='utf-8') if path.exists() else ''}\n{line}\n", encoding="utf-8")
    run = lint_imports(folder)
    assert (run.returncode == 0) == (" 0 broken" in run.stdout), run.stdout + run.stderr
    return re.sub(r"\s+", " ", run.stdout)


@pytest.mark.waits
def test_the_layers_hold(tmp_path: Path) -> None:
    assert " 0 broken" in plant(tmp_path, {})


#: Every room that is, or may come to be, with all that it may import of ours.
ROOMS = {
    "target/batch/tables.py": "import target.decisioning.decide, target.reading, target.errors, target.protocols",
    "target/cli/root.py": "from target import TargetClient\nimport target, target.batch.tables, target.emulator.server",
    "target/integrations/flask.py": "import target\nfrom target import TargetClient",
    "target/integrations/openfeature/_provider.py": "from target import Visitor",
    "target/stores/redis.py": "import target.protocols.stores\nfrom target import OutboxFull",
    "target/testing/stores.py": "import target.protocols, target.emulator\nfrom target import TargetClient",
}


def test_the_rooms_that_may_come_have_their_rows(tmp_path: Path) -> None:
    assert " 0 broken" in plant(tmp_path, ROOMS)


#: Where a line breaks which rule, and what is said of it. All are planted at once.
VIOLATIONS = [
    # the layers
    ("target/errors.py", "import target.config", "target.errors -> target.config"),
    (
        "target/delivery/identity.py",
        "import target._http.transport",
        "target.delivery.identity -> target._http.transport",
    ),
    ("target/_background/ends.py", "import target._outbox.handle", "target._background.ends -> target._outbox.handle"),
    ("target/protocols.py", "import target.client", "target.protocols -> target.client"),
    # what is pure
    ("target/delivery/retry.py", "import time", "target.delivery.retry -> time"),
    ("target/delivery/request.py", "import random", "target.delivery.request -> random"),
    ("target/decisioning/allocation.py", "import socket", "target.decisioning.allocation -> socket"),
    ("target/amcv.py", "import threading", "target.amcv -> threading"),
    ("target/visitor.py", "import time", "target.visitor -> time"),
    ("target/headers.py", "import uuid", "target.headers -> uuid"),
    ("target/qa_mode.py", "import subprocess", "target.qa_mode -> subprocess"),
    ("target/values.py", "import secrets", "target.values -> secrets"),  # which reading a request needs
    ("target/foreign.py", "import concurrent.futures", "target.foreign -> concurrent"),
    # nothing of the core imports the rooms around it
    ("target/client.py", "import target.emulator", "target.client -> target.emulator"),
    ("target/aio.py", "import target.testing", "target.aio -> target.testing"),
    ("target/services.py", "import target.stores.redis", "target.services -> target.stores.redis"),
    ("target/_outbox/handle.py", "import target.testing", "target._outbox.handle -> target.testing"),
    ("target/on_device.py", "import target.batch", "target.on_device -> target.batch"),
    ("target/config.py", "import target.cli", "target.config -> target.cli"),
    ("target/__init__.py", "import target.integrations.flask", "target -> target.integrations.flask"),
    # each room imports only what its row says
    ("target/emulator/offers.py", "import target.errors", "target.emulator.offers -> target.errors"),
    ("target/batch/tables.py", "import target._http.transport", "target.batch.tables -> target._http.transport"),
    ("target/batch/more.py", "import target", "target.batch.more -> target (l"),
    ("target/cli/root.py", "import target._outbox.handle", "target.cli.root -> target._outbox.handle"),
    ("target/hooks.py", "import target.config", "target.hooks -> target.config"),
    ("target/integrations/django.py", "import target.client", "target.integrations.django -> target.client"),
    ("target/integrations/flask.py", "import target.integrations.django", "flask -> target.integrations.django"),
    ("target/stores/redis.py", "import target._outbox.memory", "target.stores.redis -> target._outbox.memory"),
    ("target/testing/stores.py", "import target.calls", "target.testing.stores -> target.calls"),
    ("target/values.py", "from target import TargetError", "target.values -> target (l"),
    # what is generated, and what nobody has a row for
    ("generated/target_delivery_api/types.py", "import target.errors", "target_delivery_api.types -> target.errors"),
    *((f"{package}/planted.py", "import json", f"- {package.replace('/', '.')}.planted ") for package in PACKAGES),
    ("target/planted_room/planted.py", "import json", "- target.planted_room "),
    # one direction within a room
    ("target/_http/deadline.py", "import target._http.pools", "target._http.deadline -> target._http.pools"),
    ("target/decisioning/geo.py", "import target.decisioning.decide", "decisioning.geo -> target.decisioning.decide"),
]


def test_each_planted_violation_is_found(tmp_path: Path) -> None:
    lines: dict[str, str] = {}
    for module, line, _ in VIOLATIONS:
        lines[module] = f"{lines[module]}\n{line}" if module in lines else line
    complaints = plant(tmp_path, lines)
    assert [row for row in VIOLATIONS if row[2] not in complaints] == []


def test_an_integration_is_one_module_to_import() -> None:
    inner = [path.name for path in (ROOT / "target").glob("integrations/*/*.py")]
    assert [name for name in inner if not name.startswith("_")] == []


@pytest.mark.waits
def test_a_module_says_in_one_sentence_what_it_owns() -> None:
    wrong = []
    for path in MODULES:
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        opening = docstring.split("\n\n")[0].replace("\n", " ")
        if not (20 < len(opening) < 240 and opening.endswith((".", ":"))):
            wrong.append(str(path))
    assert wrong == []


def test_durations_are_measured_by_one_clock() -> None:
    """Which no tool for tests stops; see target/_background/clock.py."""
    clocks = re.compile(r"\b(?:monotonic|perf_counter)(?:_ns)?\(|import (?:monotonic|perf_counter)\b")
    others = [path for path in MODULES if path.name != "clock.py" and "emulator" not in path.parts]
    assert [str(path) for path in others if clocks.search(path.read_text(encoding="utf-8"))] == []


def test_what_is_pure_asks_no_date_and_no_system() -> None:
    """By ways that are no import of a clock or of chance, which the contract finds."""
    asks = re.compile(r"\.(?:now|today|utcnow|localtime|urandom|getenv|getpid)\(|^import os\b", re.M)
    (pure,) = [contract["source_modules"] for contract in contracts() if contract["id"] == "pure"]
    folders = tuple(f"{name.replace('.', '/')}{end}" for name in pure for end in ("/", ".py"))
    modules = [path for path in MODULES if str(path.relative_to(ROOT)).startswith(folders)]
    assert len(modules) > 30
    assert [str(path) for path in modules if asks.search(path.read_text(encoding="utf-8"))] == []


STARTERS = {"Thread", "Timer", "start_new_thread", "start_joinable_thread", "ThreadPoolExecutor", "to_thread"}


def starts_threads(text: str) -> bool:
    """Whether a module makes threads itself. An annotation that names the type makes none."""
    for node in ast.walk(ast.parse(text)):
        made = [node.func] if isinstance(node, ast.Call) else node.bases if isinstance(node, ast.ClassDef) else []
        names = {getattr(each, "attr", getattr(each, "id", "")) for each in made}
        if isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
        if names & STARTERS:
            return True
    return False


@pytest.mark.waits
def test_one_module_starts_threads() -> None:
    """Where they begin, are woken, forked, ended and waited for; emulator and command are programs of their own."""
    ours = [path for path in MODULES if path.relative_to(ROOT).parts[1] not in ("cli", "emulator", "testing")]
    found = [str(path.relative_to(ROOT)) for path in ours if starts_threads(path.read_text(encoding="utf-8"))]
    assert found == ["target/_background/service.py"]


@pytest.mark.parametrize(
    ("line", "starts"),
    [
        ("import threading\nthreading.Thread(target=print).start()", True),
        ("threading.Timer(1, print).start()", True),
        ("class Own(threading.Thread):\n    pass", True),
        ("from threading import Thread as Worker\nWorker().start()", True),
        ("_thread.start_new_thread(print, ())", True),
        ("from concurrent.futures import ThreadPoolExecutor", True),
        ("asyncio.to_thread(print)", True),
        ("def join(thread: threading.Thread) -> None: ...", False),
        ("threading.current_thread()", False),
    ],
)
def test_a_planted_thread_is_found(line: str, starts: bool) -> None:
    assert starts_threads(line) is starts


@pytest.mark.parametrize(("folder", "most"), [("target", 300), ("tests", 400)])
def test_no_file_is_long(folder: str, most: int) -> None:
    counts = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert counts
    assert {path: count for path, count in counts.items() if count > most} == {}


def test_no_module_is_a_drawer_for_the_rest() -> None:
    names = {part for path in MODULES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert not names & FORBIDDEN
    assert not {name for name in names if name.endswith(("_utils", "_helper", "_helpers", "_manager"))}
