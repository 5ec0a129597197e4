"""CONTRIBUTING.md: it names every module and every row of the layers, and nothing that is no more."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MODULES = {str(path.relative_to(ROOT)) for path in (ROOT / "target").rglob("*.py") if path.name != "__init__.py"}
OPEN = TEXT.partition("## To change X, open Y\n")[2].partition("\n## ")[0]
LAYERS = TEXT.partition("## Layers\n")[2].partition("\n## ")[0]


def named(text: str) -> set[str]:
    return set(re.findall(r"`(target/[\w./]+\.py)`", text))


def test_every_module_is_named_where_one_looks_for_it() -> None:
    assert sorted(MODULES - named(OPEN)) == []


def test_what_is_named_is_there() -> None:
    assert [name for name in sorted(named(TEXT) - {"target/module.py"}) if not (ROOT / name).is_file()] == []
    paths = set(re.findall(r"`((?:openapi|scripts|tests|docs|benchmarks|examples|\.ci)/[\w./-]*)`", TEXT))
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_row_of_the_contracts_is_told_in_its_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract["id"] == "layers"]
    rows = [re.findall(r"[\w.]+", layer) for layer in layers]
    told = [
        re.findall(r"`target\.(\w+)`", line.split("|")[1]) for line in LAYERS.splitlines() if line.startswith("| `")
    ]
    core = [row for row in rows if row[0] not in ("cli", "integrations", "emulator")]
    assert [set(row) for row in told if row] == [set(row) for row in core]
