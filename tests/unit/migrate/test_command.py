"""`python -m target.migrate`: what it finds, writes, says and how it ends."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from target.migrate.__main__ import main
from tests.kit.processes import ROOT, environment

OLD, NEW = "from target_python_sdk import TargetClient\n", "from target import TargetClient\n"


def test_files_that_cannot_be_read_stay_and_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.py").write_text(f"{OLD}print 1\n")
    (tmp_path / "good.py").write_text(OLD)
    assert main(["--write", str(tmp_path)]) == 1
    assert (tmp_path / "bad.py").read_text() == f"{OLD}print 1\n"
    assert (tmp_path / "good.py").read_text() == NEW
    said = capsys.readouterr().err
    assert f"{tmp_path / 'bad.py'}: left as it is: SyntaxError" in said
    assert "1 files changed, 0 comments for you to decide, 1 files left unread" in said


def test_what_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing.py")]) == 1
    assert "nothing.py: there is no such file or folder" in capsys.readouterr().err


def test_other_peoples_code_is_left_out(tmp_path: Path) -> None:
    paths = [".git/a.py", "__pycache__/a.py", "env/a.py", "lib/site-packages/a.py", "shop/a.py", "shop/a.txt"]
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True) if not (tmp_path / path).parent.exists() else None
        (tmp_path / path).write_text(OLD)
    (tmp_path / "env/pyvenv.cfg").touch()
    assert main(["--write", str(tmp_path)]) == 0
    assert [path for path in paths if (tmp_path / path).read_text() == NEW] == ["shop/a.py"]


def test_mode_and_link_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_text(OLD)
    real.chmod(0o755)
    link.symlink_to(real)
    assert main(["--write", str(link)]) == 0
    assert link.is_symlink()
    assert real.read_text() == NEW
    assert stat.S_IMODE(real.stat().st_mode) == 0o755
    assert sorted(os.listdir(tmp_path)) == ["link.py", "real.py"], "nothing else is left behind"


def test_requirements_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "requirements-web.txt").write_text("flask\ntarget_python_sdk==1.1.0\n")
    (tmp_path / "pyproject.toml").write_text('dependencies = ["target-python-sdk"]\n')
    assert main([str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert f"{tmp_path / 'requirements-web.txt'}:2: requires target-python-sdk" in said
    assert f"{tmp_path / 'pyproject.toml'}:1: requires target-python-sdk" in said


@pytest.mark.waits
def test_a_terminal_without_the_letters(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f"{OLD}x = 'é'", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "target.migrate", str(tmp_path)],
        env=environment(PYTHONIOENCODING="ascii"),
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert b"+from target import TargetClient\n x = '\\xe9'\n\\ No newline at end of file\n" in run.stdout


def test_without_its_extra_it_says_which(tmp_path: Path) -> None:
    (tmp_path / "libcst.py").write_text("raise ModuleNotFoundError('no', name='libcst')\n")
    run = subprocess.run(
        [sys.executable, "-m", "target.migrate", str(tmp_path)],
        env=environment(PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT), str(ROOT / "generated")])),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert run.returncode == 2
    assert run.stderr == "migrating needs the package libcst: run pip install 'target-delivery[migrate]'\n"
