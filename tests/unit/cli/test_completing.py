"""What shells complete: each reads the script that `target completion` prints, and asks the command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from target.cli.root import COMMANDS
from tests.kit.processes import environment
from tests.unit.cli.conftest import Target

#: What bash does when somebody presses Tab at the end of these words.
PRESS_TAB = """
source ./completion
COMP_WORDS=(target "$@")
COMP_CWORD=$#
_target_completion target
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One where the command is a program."""
    program = tmp_path / "target"
    program.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -c 'import sys; from target.cli import main; sys.exit(main())' \"$@\"\n"
    )
    program.chmod(0o755)
    return tmp_path


def completed(folder: Path, *words: str) -> list[str]:
    path = f"{folder}:{environment()['PATH']}"
    command = ["bash", "--norc", "-c", PRESS_TAB, "bash", *words]
    done = subprocess.run(command, cwd=folder, env=environment(PATH=path), capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_flags_and_values(target: Target, folder: Path) -> None:
    (folder / "completion").write_text(target("completion", "bash").out)
    assert completed(folder, "") == list(COMMANDS)
    assert completed(folder, "o") == ["offers"]
    assert completed(folder, "artifact", "li") == ["lint"]
    assert "--emulator" in completed(folder, "offers", "home", "--em")
    assert completed(folder, "offers", "--decisioning-method", "on") == ["on-device"]
    assert completed(folder, "emulate", "--po") == ["--port"]
    assert completed(folder, "completion", "") == ["bash", "zsh", "fish"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_ask_the_command(target: Target, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = target("completion", shell).out
    assert f"_TARGET_COMPLETE={shell}_complete" in script
    if (program := shutil.which(shell)) is not None:
        Path("script").write_text(script)
        subprocess.run([program, "-n", "script"], check=True)
    monkeypatch.setenv("COMP_WORDS", "target emulate")
    monkeypatch.setenv("COMP_CWORD", "--st" if shell == "fish" else "2")
    if shell == "zsh":
        monkeypatch.setenv("COMP_WORDS", "target emulate --st")
    monkeypatch.setenv("_TARGET_COMPLETE", f"{shell}_complete")
    with pytest.raises(SystemExit) as end:
        target()
    assert end.value.code == 0


def test_a_shell_that_asks_gets_flags_with_what_they_are_for(
    target: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMP_WORDS", "target emulate --st")
    monkeypatch.setenv("COMP_CWORD", "2")
    monkeypatch.setenv("_TARGET_COMPLETE", "zsh_complete")
    with pytest.raises(SystemExit):
        target()
    kind, flag, told = capsys.readouterr().out.splitlines()
    assert (kind, flag) == ("plain", "--state")
    assert told.startswith("keep visitors and counts")
