"""Owns what `target doctor` checks of packages: whether what is needed is there, in versions that it works with."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

import target
from target.cli.checks import BAD, GOOD, NOTE, Check
from target.installed import DISTRIBUTION, others_named_target

_OWN = "cli"  # the extra that this command is run with


def check_packages() -> Iterator[Check]:
    """This package, what may be imported in its place, and the packages of every extra that is there."""
    yield Check("version", GOOD, f"{DISTRIBUTION} {target.__version__}, Python {platform.python_version()}")
    others = others_named_target(Path(target.__file__).resolve().parent)
    if others:
        advice = "rename or remove it: which of them is imported depends on where from"
        yield Check("name", BAD, f"also named target: {', '.join(others)}", advice)
    else:
        yield Check("name", GOOD, "nothing else is named target")
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        yield Check("packages", NOTE, "unknown: it was not installed but is run from its source")
        return
    yield from check_required(required, installed_version)


def installed_version(name: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_required(required: Iterable[str], version_of: Callable[[str], str | None]) -> Iterator[Check]:
    """Whether what is required is there: a check for what always is, and for each extra of which something is there.

    Args:
        required: Requirements as the metadata of a package has them.
        version_of: The version of a package, None where it is not installed.
    """
    by_extra: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, required):
        extra = str(requirement.marker).partition("extra == ")[2].strip("\"'") if requirement.marker else ""
        by_extra.setdefault(extra, []).append(requirement)
    for extra, needed in by_extra.items():
        versions = {each.name: version_of(each.name) for each in needed}
        if not extra or any(versions.values()):
            yield _check(extra, needed, versions)


def _check(extra: str, needed: list[Requirement], versions: dict[str, str | None]) -> Check:
    name = f"extra {extra}" if extra else "packages"
    wrong = []
    for each in needed:
        version = versions[each.name]
        if version is None:
            wrong.append(f"{each.name} is not installed")
        elif not each.specifier.contains(version, prereleases=True):
            wrong.append(f"{each.name} is {version}, not {each.specifier}")
    if not wrong:
        return Check(name, GOOD, ", ".join(f"{package} {version}" for package, version in versions.items()))
    # Packages of an extra may be there for something else, so that it is no fault of the installation.
    verdict = BAD if extra in ("", _OWN) else NOTE
    wanted = f"{DISTRIBUTION}[{extra}]" if extra else DISTRIBUTION
    advice = f"pip install '{wanted}'" + ("" if verdict == BAD else f", if you use the extra {extra}")
    return Check(name, verdict, ", ".join(wrong), advice)
