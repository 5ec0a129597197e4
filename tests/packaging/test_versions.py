"""What is declared is what works: the lowest versions, every Python of the classifiers; and ids of tests that stay."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.resolved import PROJECT, ROOT, UV, find_python, make_venv

PROVEN = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r"Python :: 3\.[0-9]+$", text)]
needs_uv = pytest.mark.skipif(not Path(UV).exists(), reason="needs uv, which the group dev has")


def pytest_in(python: str, *arguments: str) -> str:
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout


@needs_uv
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_asyncio_calls_work_with_the_lowest_aiohttp_that_is_declared(tmp_path: Path) -> None:
    """``make lowest`` runs all unit tests so."""
    inside = make_venv(tmp_path, "lowest-direct", sys.executable)
    (declared,) = PROJECT["optional-dependencies"]["aiohttp"]
    (lowest,) = re.findall(r">=([0-9.]+)", declared)
    ask = [inside, "-c", "import aiohttp; print(aiohttp.__version__)"]
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout.startswith(lowest)
    assert " passed" in pytest_in(inside, "tests/unit/test_aio.py", "tests/unit/_http/test_aio_faults.py")


def test_what_serves_an_emulator_to_tests_brings_the_versions_that_it_needs() -> None:
    assert PROJECT["optional-dependencies"]["testing"] == PROJECT["optional-dependencies"]["emulator"]


@needs_uv
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_every_other_python(version: str, tmp_path: Path) -> None:
    """``make newest`` runs all unit tests on the newest."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} is installed here")
    inside = make_venv(tmp_path, "highest", python)
    tests = ["tests/unit/test_client.py", "tests/unit/test_aio.py", "tests/unit/test_client_outbox.py"]
    assert " passed" in pytest_in(inside, *tests)


def test_the_classifiers_name_what_was_proven() -> None:
    """3.14 joins them once an interpreter could be had to run the tests on."""
    assert PROVEN == ["3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == f">={PROVEN[0]}"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ids_are_the_same_whenever_and_however_they_are_collected() -> None:
    """pytest-xdist refuses a run whose workers collect different ones."""

    def ids(seed: str) -> list[str]:
        plugins = ("-p", "no:cacheprovider", "-p", "no:randomly")  # which gives all workers of a run one seed
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", *plugins]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=140, check=True
        )
        return [line for line in done.stdout.splitlines() if "::" in line]

    first = ids("1")
    assert len(first) > 1000
    assert ids("2") == first  # seconds later
