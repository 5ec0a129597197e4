"""The shape of the code: layers that hold, modules that say what they own, none too long, no drawer for the rest."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "target").rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]
MOST_LINES = 300
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


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copied")
    for name in ("target", "generated"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_layers_hold(copied: Path) -> None:
    run = lint_imports(copied)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


@pytest.mark.parametrize(
    ("module", "line", "says"),
    [
        ("target/errors.py", "import target.config", "target.errors -> target.config"),
        (
            "target/delivery/identity.py",
            "import target._http.transport",
            "target.delivery.identity -> target._http.transport",
        ),
        ("target/delivery/reply.py", "import time", "target.delivery.reply -> time"),
        ("target/delivery/mboxes.py", "import random", "target.delivery.mboxes -> random"),
        ("target/values.py", "import secrets", "target.values -> secrets"),  # which reading a request needs
        ("target/amcv.py", "import threading", "target.amcv -> threading"),
        ("target/client.py", "import target.emulator", "target.client -> target.emulator"),
    ],
)
def test_a_planted_violation_is_found(copied: Path, module: str, line: str, says: str) -> None:
    path = copied / module
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    try:
        run = lint_imports(copied)
    finally:
        path.write_text(text, encoding="utf-8")
    assert run.returncode != 0, run.stdout
    assert re.search("[12] broken", run.stdout)
    assert says in re.sub(r"\s+", " ", run.stdout)


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_a_module_says_in_one_sentence_what_it_owns(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    opening = docstring.split("\n\n")[0].replace("\n", " ")
    assert len(opening) > 20
    assert opening.endswith((".", ":"))
    assert len(opening) < 240


def test_durations_are_measured_by_one_clock() -> None:
    """Which no tool for tests stops; see target/_background/clock.py."""
    clocks = re.compile(r"\b(?:monotonic|perf_counter)(?:_ns)?\(|import (?:monotonic|perf_counter)\b")
    others = [path for path in MODULES if path.name != "clock.py" and "emulator" not in path.parts]
    assert [str(path) for path in others if clocks.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_no_module_is_a_drawer_for_the_rest() -> None:
    names = {part for path in MODULES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert not names & FORBIDDEN
    assert not {name for name in names if name.endswith(("_utils", "_helper", "_helpers", "_manager"))}
