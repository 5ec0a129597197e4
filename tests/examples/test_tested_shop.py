"""The example of a service with tests: they pass, on one worker and on two, and its cassette gives nothing away."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.contract.leaks import find_leaks
from tests.kit.processes import ROOT, environment

SHOP = ROOT / "examples" / "tested_shop"


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_its_own_tests_pass(options: list[str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "target_delivery_pytest", "-p", "no:cacheprovider", *options]
    ran = subprocess.run(command, cwd=SHOP, env=environment(), capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed is not None
    assert int(passed[1]) >= 40


def test_every_file_of_its_tests_is_told() -> None:
    told = set(re.findall(r"`(tests/\w+\.py)`", (SHOP / "README.md").read_text(encoding="utf-8")))
    assert told == {f"tests/{path.name}" for path in (SHOP / "tests").glob("test_*.py")}


def test_its_cassette_gives_nothing_away() -> None:
    (cassette,) = (SHOP / "tests" / "cassettes").glob("*.yaml")
    assert find_leaks(cassette.read_text(encoding="utf-8"), ["acme", "127.0.0.1"]) == []
