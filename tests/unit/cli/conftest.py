from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from target.cli import main
from target.emulator import Emulator, running


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Target = Callable[..., Ended]


@pytest.fixture
def target(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Target:
    """Runs the command for somebody who has set nothing, in a folder that is empty."""
    for name in list(os.environ):
        if name.startswith("TARGET_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ended:
        code = main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ended(code, out, err)

    return run


@pytest.fixture
def profile(tmp_path: Path) -> Callable[[bytes | str], Path]:
    """Writes the file of profiles."""

    def write(content: bytes | str) -> Path:
        path = tmp_path / "config" / "target" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture(scope="session")
def served() -> Iterator[Emulator]:
    with running() as emulator:
        yield emulator


@pytest.fixture
def emulator(served: Emulator) -> Emulator:
    """One with the sample shop, which has received nothing."""
    served.reset()
    return served


@pytest.fixture
def rules(served: Emulator, tmp_path: Path) -> Path:
    """The rules of the sample shop, in a file."""
    path = tmp_path / "rules.json"
    assert served.stage.rules is not None
    path.write_bytes(served.stage.rules.text)
    return path
