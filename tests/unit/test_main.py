"""`python -m target`: what it says of this package, and of anything else of the same name."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import target.__main__ as command
from target.version import __version__

OWN = Path(command.__file__).parent


def run(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{OWN.parent}{os.pathsep}{OWN.parent / 'generated'}"}
    return subprocess.run(
        [sys.executable, *flags, "-m", "target"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def said(places: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    code = command.main(places)
    return code, capsys.readouterr().out.splitlines()


def test_it_says_what_runs_and_from_where(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"target-delivery {__version__} in {OWN}"
    assert lines[-1] == "Nothing else is named target."
    assert any(line.startswith("Extra aiohttp: ") for line in lines)


def test_a_file_of_that_name_is_found_where_the_current_folder_is_left_out(tmp_path: Path) -> None:
    tmp_path.joinpath("target.py").write_text("print('my own')", encoding="utf-8")
    assert run(tmp_path).stdout == "my own\n"
    done = run(tmp_path, "-P")
    assert done.returncode == 1
    assert f"Also named target: {tmp_path.resolve() / 'target.py'}" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("name", "counts"), [("target.py", True), ("target/__init__.py", True), ("target/x.txt", False)]
)
def test_files_and_packages_count_and_folders_without_code_do_not(
    name: str, counts: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    code, lines = said([str(tmp_path), str(tmp_path), "/nowhere", str(OWN.parent)], capsys)
    assert code == int(counts)
    assert sum(line.startswith("Also named target: ") for line in lines) == counts


def test_another_package_of_that_name_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both = {"target": ["target-delivery", "target"], "urllib3": ["urllib3"]}
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: both)
    code, lines = said([], capsys)
    assert code == 1
    assert "Also named target: the installed package target" in lines


def test_extras_that_lack_something_say_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    requires: Any = ["urllib3<3,>=2.6", 'pytest>=1; extra == "there"', "no-such-thing<2; extra == 'on-device'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: requires)
    _, lines = said([], capsys)
    assert [line for line in lines if line.startswith("Extra")] == [
        "Extra there: installed",
        "Extra on-device: needs no-such-thing: pip install 'target-delivery[on-device]'",
    ]


def test_without_an_installation_extras_are_unknown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("target.installed.DISTRIBUTION", "no-such-thing")
    _, lines = said([], capsys)
    assert lines[2].startswith("Extras: unknown")
