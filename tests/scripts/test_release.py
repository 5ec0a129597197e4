"""`make release`: what it refuses, what it leaves behind, and that it uploads nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import target
from tests.scripts.clone import clone_into, git


def release(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TWINE_", "PYTHONPATH"))}
    command = [sys.executable, "scripts/release.py", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def edit(folder: Path, name: str, text: str, other: str) -> None:
    path = folder / name
    assert text in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(text, other), encoding="utf-8")


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone_into(tmp_path_factory.mktemp("release") / "checkout")


@pytest.fixture
def checkout(cloned: Path) -> Iterator[Path]:
    head, tags = git(cloned, "rev-parse", "HEAD").strip(), git(cloned, "tag").split()
    yield cloned
    git(cloned, "reset", "--quiet", "--hard", head)
    git(cloned, "clean", "--quiet", "-d", "--force")
    for tag in {*git(cloned, "tag").split()} - {*tags}:
        git(cloned, "tag", "--delete", tag)
    shutil.rmtree(cloned / "dist", ignore_errors=True)


def forget_the_entries(folder: Path) -> None:
    edit(folder, "CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n## 0.0.1 (2020-01-01)\n")
    git(folder, "commit", "--all", "--message", "CHANGELOG: forget")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "arguments", "says"),
    [
        (lambda folder: edit(folder, "README.md", "# target", "# Target"), (), "not committed:\nM README.md"),
        (lambda folder: (folder / "new.py").touch(), (), "not committed:\n?? new.py"),
        (lambda folder: git(folder, "tag", f"v{target.__version__}"), (), "is there already"),
        (lambda folder: git(folder, "tag", "v7.0.0"), ("--version", "7.0.0"), "v7.0.0 is there already"),
        (forget_the_entries, (), "no entries under '## Unreleased'"),
        (lambda folder: None, ("--version", "seven"), "'seven' is no version"),
    ],
    ids=["edited", "untracked", "tagged", "tagged as named", "no entries", "no version"],
)
def test_what_cannot_be_released_is_refused(
    checkout: Path, spoil: Callable[[Path], object], arguments: tuple[str, ...], says: str
) -> None:
    spoil(checkout)
    before = (git(checkout, "rev-parse", "HEAD"), git(checkout, "status", "--porcelain"), git(checkout, "tag"))
    done = release(checkout, *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("No release: ")
    assert says in done.stderr
    assert (git(checkout, "rev-parse", "HEAD"), git(checkout, "status", "--porcelain"), git(checkout, "tag")) == before
    assert not (checkout / "dist").exists()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_release_is_committed_tagged_and_built(checkout: Path) -> None:
    done = release(checkout, "--version", "7.1.0rc1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing was uploaded" in done.stdout
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "cat-file", "-t", "v7.1.0rc1") == "tag\n"
    assert git(checkout, "rev-parse", "v7.1.0rc1^{commit}") == git(checkout, "rev-parse", "HEAD")
    assert git(checkout, "show", "--stat", "--format=%s", "HEAD").split("\n")[0] == "release: Version 7.1.0rc1"
    changelog = (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## Unreleased\n\n## 7.1.0rc1 (" in changelog
    wheel, sdist = sorted((checkout / "dist").iterdir())
    with zipfile.ZipFile(wheel) as archive:
        assert b'__version__ = "7.1.0rc1"' in archive.read("target/version.py")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    assert "target_delivery-7.1.0rc1/CHANGELOG.md" in names
    assert not [name for name in names if "/.venv" in name or "/.git/" in name]
    again = release(checkout)
    assert "v7.1.0rc1 is there already" in again.stderr


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_cannot_be_built_leaves_everything_as_it_was(checkout: Path) -> None:
    edit(checkout, "target/__init__.py", "\n__all__ = [", "\nraise ImportError('broken')\n__all__ = [")
    git(checkout, "commit", "--all", "--message", "target: break it")
    before = git(checkout, "rev-parse", "HEAD")
    done = release(checkout, "--version", "7.1.0")
    assert done.returncode == 1
    assert "broken" in done.stderr
    assert (git(checkout, "rev-parse", "HEAD"), git(checkout, "status", "--porcelain")) == (before, "")
    assert git(checkout, "tag", "--list", "v7.1.0") == ""
