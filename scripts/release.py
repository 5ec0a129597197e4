"""Makes a release, up to its upload: version, changelog, sdist and wheel in dist/, what is in them tried, commit, tag.

Nothing leaves this machine, and where anything is wrong nothing is changed.
"""

from __future__ import annotations

import argparse
import datetime
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION_FILE = ROOT / "target" / "version.py"
CHANGELOG = ROOT / "CHANGELOG.md"
SAID = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")
UNRELEASED = "## Unreleased\n"


class ReleaseError(Exception):
    """Why there is no release, in words for whoever wanted one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the release; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", help="the version to release (default: the one of target/version.py)")
    options = parser.parse_args(arguments)
    kept = {path: path.read_bytes() for path in (VERSION_FILE, CHANGELOG)}
    try:
        version = options.version or current_version()
        check_ready(version)
        write_version(version)
        write_changelog(version, datetime.datetime.now(datetime.UTC).date())
        built = build(version)
    except ReleaseError as error:
        for path, content in kept.items():
            path.write_bytes(content)
        sys.stderr.write(f"No release: {error}\n")
        return 1
    git("commit", "--quiet", "--all", "--message", f"release: Version {version}")
    git("tag", "--annotate", f"v{version}", "--message", f"Version {version}")
    names = " ".join(str(path.relative_to(ROOT)) for path in built)
    print(f"Version {version} is tagged v{version} and built: {names}\nNothing was uploaded. When you want it to be:")
    print(f"  git push --follow-tags\n  twine upload {names}")
    return 0


def current_version() -> str:
    """The version that the tree has."""
    said = SAID.search(VERSION_FILE.read_text(encoding="utf-8"))
    if said is None:
        raise ReleaseError(f"{VERSION_FILE.name} has no line __version__ = ...")
    return said[1]


def check_ready(version: str) -> None:
    """Raise ReleaseError unless this tree can become that version."""
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{version!r} is no version such as 1.2.0 or 1.2.0rc1")
    if changes := git("status", "--porcelain").splitlines():
        raise ReleaseError("there are changes that are not committed:\n" + "\n".join(changes))
    if git("tag", "--list", f"v{version}"):
        raise ReleaseError(f"the tag v{version} is there already: name another with VERSION=...")
    _, begins, rest = CHANGELOG.read_text(encoding="utf-8").partition(UNRELEASED)
    if not begins or not re.search(r"^- \S", rest.partition("\n## ")[0], re.MULTILINE):
        raise ReleaseError(f"CHANGELOG.md has no entries under {UNRELEASED.strip()!r}")


def write_version(version: str) -> None:
    """Say the version where the tree says it."""
    text = VERSION_FILE.read_text(encoding="utf-8")
    VERSION_FILE.write_text(SAID.sub(f'__version__ = "{version}"', text), encoding="utf-8")


def write_changelog(version: str, day: datetime.date) -> None:
    """Put what was unreleased under the version."""
    text = CHANGELOG.read_text(encoding="utf-8")
    CHANGELOG.write_text(text.replace(UNRELEASED, f"{UNRELEASED}\n## {version} ({day})\n", 1), encoding="utf-8")


def build(version: str) -> list[Path]:
    """Build sdist and wheel, try both, and put them into dist/."""
    with tempfile.TemporaryDirectory() as folder:
        run("-m", "build", "--outdir", folder, ".")
        built = sorted(Path(folder).iterdir())
        names = [path.name for path in built]
        if names != [f"target_delivery-{version}-py3-none-any.whl", f"target_delivery-{version}.tar.gz"]:
            raise ReleaseError(f"instead of a wheel and an sdist of {version} there is {', '.join(names)}")
        run("-m", "twine", "check", "--strict", *map(str, built))
        for path in built:
            try_out(path, version)
        dist = ROOT / "dist"
        dist.mkdir(exist_ok=True)
        return [Path(shutil.copy(path, dist)) for path in built]


def try_out(built: Path, version: str) -> None:
    """Install it where nothing else is, and ask it which version it is."""
    with tempfile.TemporaryDirectory() as folder:
        run("-m", "venv", folder)
        inside = str(Path(folder) / "bin" / "python")
        run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(built), python=inside)
        ask = "import target; target.TargetClient, target.DeliveryRequest; print(target.__version__)"
        said = run("-I", "-W", "error", "-c", ask, python=inside, cwd=Path(folder)).strip()
        if said != version:
            raise ReleaseError(f"{built.name} says that it is version {said}")


def run(*arguments: str, python: str = sys.executable, cwd: Path = ROOT) -> str:
    """What that says; ReleaseError if it fails."""
    done = subprocess.run([python, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def git(*arguments: str) -> str:
    """What git says; ReleaseError if it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"git {arguments[0]} failed:\n{done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
