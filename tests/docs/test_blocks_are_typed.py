"""What README.md and docs/ show passes `mypy --strict`, and pyright's basic mode, as it stands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").glob("*.md") if "```python" in path.read_text())]
#: What a page takes from its reader, and its test gives.
GIVEN = {
    "visitor": """\
from target import TargetClient

client = TargetClient.create(client="acmeclient", organization_id="1234567890@AdobeOrg")
""",
    "outbox": """\
from tests.kit.json_store import JsonStore


def ShopStore(path: object, settings: object) -> JsonStore:
    raise NotImplementedError


""",
}
UNTYPED = ["billiard", "celery", "ddtrace", "django", "gevent", "opentelemetry", "prometheus_client", "pyarrow", "vcr"]
UNTYPED += ["sentry_sdk"]


def modules_of(page: Path) -> dict[str, str]:
    """The Python of a page: a module of its own for each block that begins with a file's name, one for all others."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    found: dict[str, str] = {}
    for block in blocks:
        named = re.match(r"# (\w+)\.py\n", block)
        stem = page.stem.replace("-", "_")
        name = named[1] if named else f"page_{stem}"
        found[name] = f"{found[name]}\n{block}" if name in found else GIVEN.get(stem, "") + block
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, as a user's checkout that has our package installed."""
    folder = tmp_path_factory.mktemp("pages")
    for page in PAGES:
        for name, text in modules_of(page).items():
            path = folder / f"{name}.py"
            assert not path.exists(), f"two pages have a file {name}.py"
            path.write_text(text, encoding="utf-8")
    return folder


def test_mypy(folder: Path) -> None:
    ignored = "".join(f"[mypy-{name}.*]\nignore_missing_imports = true\n" for name in UNTYPED)
    (folder / "mypy.ini").write_text(
        f"[mypy]\nstrict = true\nmypy_path = {ROOT}:{ROOT / 'generated'}\n{ignored}"
        "[mypy-tasks]\ndisallow_untyped_decorators = false\n",  # celery has no types
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--cache-dir", str(folder / "cache"), "."]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200)
    assert run.returncode == 0, run.stdout + run.stderr


def test_pyright(folder: Path) -> None:
    """basedpyright is pyright with Node.js in its wheel; in basic mode both find the same."""
    settings = {
        "typeCheckingMode": "basic",
        "include": ["*.py"],
        "extraPaths": [str(ROOT), str(ROOT / "generated")],
        "reportMissingTypeStubs": False,
        "reportMissingModuleSource": False,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200)
    said = json.loads(run.stdout)
    assert said["summary"]["filesAnalyzed"] >= len(PAGES)
    found = [
        f"{Path(each['file']).name}:{each['range']['start']['line'] + 1}: {each['message']}"
        for each in said["generalDiagnostics"]
        if each["severity"] in ("error", "warning")
    ]
    assert found == []
