"""The suite for stores finds what is wrong with a store, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.kit.processes import run_script
from tests.unit.testing import wrong_stores
from tests.unit.testing.wrong_stores import WRONG, DictStore

ROOT = Path(__file__).parents[3]


def outcomes(folder: Path, *tests: str) -> dict[tuple[str, str], str]:
    """What became of each of these tests of wrong_stores.py: by class and name."""
    report = folder / "report.xml"
    ids = [f"{wrong_stores.__file__}::{test}" for test in tests]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *ids]
    subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=50)
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        failed, skipped = case.find("failure"), case.find("skipped")
        errors = "error" if case.find("error") is not None else "passed"
        outcome = "skipped" if skipped is not None else errors if failed is None else failed.get("message", "")
        found[(case.get("classname", "").rpartition(".")[2], case.get("name", ""))] = outcome
    return found


@pytest.mark.slow
def test_a_right_store_passes(tmp_path: Path) -> None:
    own = {name: outcome for (_, name), outcome in outcomes(tmp_path, f"Test{DictStore.__name__}").items()}
    assert {name for name, outcome in own.items() if outcome == "skipped"} == {
        "test_a_forked_child_uses_the_store",
        "test_a_process_may_be_killed_while_it_sends",
    }
    assert len(own) > 40
    assert set(own.values()) == {"passed", "skipped"}


@pytest.mark.waits
def test_each_store_that_breaks_a_promise_fails(tmp_path: Path) -> None:
    """One test for all: they run in a process of their own, which takes longer to begin than to end."""
    failing = [(f"Test{kind.__name__}", test) for kind, test in WRONG.items()]
    became = outcomes(tmp_path, *(f"{suite}::{test}" for suite, test in failing))
    refused = ("AssertionError", "assert", "Failed: DID NOT RAISE", "target.errors.OutboxFull")
    assert {test: became.get(test) for test in failing if not became.get(test, "").startswith(refused)} == {}


def test_the_suite_alone_needs_pytest() -> None:
    script = """
        import sys
        sys.modules["pytest"] = None  # as where it is not installed
        import target.aio, target.client, target.protocols, target.outbox, target._outbox.handle, target.on_device
        try:
            import target.testing.stores
        except ImportError as error:
            print(error.name)
    """
    assert run_script(script) == "pytest\n"
