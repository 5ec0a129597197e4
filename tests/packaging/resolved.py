"""Runs tests with the lowest or the newest versions that pyproject.toml declares, in a venv of their own.

``lowest``: each dependency of the package and its extras in the lowest version declared, on this Python. ``newest``:
everything in the newest that the declared ranges allow, on the newest Python that is installed. What follows are
arguments for pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: But for the engines, which are tested in a venv of their own.
EXTRAS = tuple(extra for extra in PROJECT["optional-dependencies"] if extra not in ("dask", "ray", "spark"))
#: What rests on other packages most, and takes a minute.
TESTS = ("tests/unit", "tests/contract", "tests/faults")
PYTHONS = ("3.14", "3.13", "3.12", "3.11")


def find_python(version: str) -> str | None:
    """The interpreter of that version that is installed, by the system, uv or pyenv; none is downloaded."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for wanted in (version, *map(str, sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True))):
        command = [UV, "python", "find", "--no-python-downloads", "--no-project", wanted]
        found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if found.returncode == 0:
            return found.stdout.strip()
    return None


def find_newest() -> str:
    """The newest interpreter that is installed; this one where uv knows of none."""
    return next((found for found in map(find_python, PYTHONS) if found), sys.executable)


def make_venv(folder: Path, resolution: str, python: str) -> str:
    """An interpreter with this checkout, installed in ``resolution``, and what its tests need, which is the newest.

    In the highest, both are resolved together: each may keep the other from what has been released today.
    """
    inside = str(folder / "bin/python")
    subprocess.run([UV, "venv", "--quiet", "--clear", "--python", python, str(folder)], check=True)
    constraints = folder / "constraints.txt"
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    group = ["--group", "dev"] if resolution == "highest" else []
    resolve = [UV, "pip", "compile", "--quiet", "--resolution", resolution, "--python", inside, *extras, *group]
    subprocess.run([*resolve, "--output-file", str(constraints), "pyproject.toml"], check=True, cwd=ROOT)
    install = [UV, "pip", "install", "--quiet", "--python", inside, "--constraint", str(constraints)]
    subprocess.run([*install, "--group", "dev", "--editable", f".[{','.join(EXTRAS)}]"], check=True, cwd=ROOT)
    return inside


def main(which: str, *arguments: str) -> int:
    """The exit code of pytest."""
    lowest = which == "lowest"
    python = sys.executable if lowest else find_newest()
    inside = make_venv(ROOT / f".venv-{which}", "lowest-direct" if lowest else "highest", python)
    version = subprocess.run([inside, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{which} versions, {version}", flush=True)  # noqa: T201
    environment = {**os.environ, "PYTHONHASHSEED": "random"}
    command = [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(arguments or ("-n", "3", *TESTS))]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
