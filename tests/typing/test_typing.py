"""The types a user sees: user_code.py passes mypy --strict, and finds every mistake in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.processes import ROOT

USER_CODE = Path(__file__).with_name("user_code.py")
IGNORE = "  # type: ignore"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def mypy(path: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=", "--strict", f"--cache-dir={cache}", str(path)],
        cwd=cache,
        env={**os.environ, "MYPYPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")])},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )


@pytest.mark.slow
def test_user_code_passes_mypy_strict(cache: Path) -> None:
    run = mypy(USER_CODE, cache)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Success: no issues found in 1 source file" in run.stdout


@pytest.mark.waits
def test_each_mistake_is_an_error_on_its_line(cache: Path, tmp_path: Path) -> None:
    lines = USER_CODE.read_text(encoding="utf-8").splitlines()
    mistakes = {number for number, line in enumerate(lines, 1) if line.endswith(IGNORE)}
    assert len(mistakes) > 10
    expectation = "    assert_type(client.get_offers(request=request), TargetDeliveryResponse)"
    wrong = lines.index(expectation) + 1
    lines[wrong - 1] = expectation.replace("TargetDeliveryResponse", "DeliveryResponse")
    path = tmp_path / "mistaken.py"
    path.write_text("\n".join(line.removesuffix(IGNORE) for line in lines), encoding="utf-8")
    run = mypy(path, cache)
    found = {int(number) for number in re.findall(r"mistaken\.py:([0-9]+): error", run.stdout)}
    assert found == {*mistakes, wrong}, run.stdout
