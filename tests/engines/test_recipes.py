"""The recipes of docs/batch.md for Polars, DuckDB and Daft, run as they stand: the rows of the decider alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.engines.test_engines import PYTHON, expected, in_order, rules, skip_without, visitors
from tests.kit.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

PAGE = (ROOT / "docs/batch.md").read_text(encoding="utf-8")
#: By the name of the file that each block begins with.
BLOCKS = {
    match[2]: match[1] for match in re.finditer(r"^```py\n(# (\w+)\.py\n.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
}


def test_each_library_has_a_recipe() -> None:
    assert sorted(BLOCKS) == ["shared", "with_daft", "with_duckdb", "with_polars"]


@pytest.mark.parametrize("recipe", sorted(BLOCKS.keys() - {"shared"}))
def test_a_recipe_decides_every_row(recipe: str, tmp_path: Path) -> None:
    if recipe == "with_daft":  # which alone is not among what development needs
        skip_without(recipe)
    people = visitors()
    (tmp_path / "visitors").mkdir()
    for number in range(3):
        pq.write_table(people.slice(number * 1_500, 1_500), tmp_path / "visitors" / f"{number}.parquet")
    (tmp_path / "rules.json").write_text(json.dumps(rules()))
    for name in ("shared", recipe):
        (tmp_path / f"{name}.py").write_text(BLOCKS[name])
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'generated'}"}
    command = [str(PYTHON) if recipe == "with_daft" else sys.executable, f"{recipe}.py"]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    (written,) = tmp_path.glob("decided*")
    assert in_order(pq.read_table(written).to_pylist()) == in_order(expected(rules(), people))
