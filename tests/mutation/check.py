"""Which small faults of target/decisioning and target/delivery do their unit tests notice?

mutmut makes the faults (an operator, a text, an argument at a time) and runs, for each, the tests that reach its
function. Here is what may kill, what is asked of the result, and the list of survivors that are known, with reasons.

Run by ``make mutants``, or for one module: ``make mutants MODULE=delivery/echo``.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from contextlib import chdir
from pathlib import Path
from typing import NamedTuple

from mutmut.mutation.file_mutation import mutate_file_contents

from tests.mutation.runner import NO_TEST, SURVIVED

ROOT = Path(__file__).resolve().parents[2]
KNOWN = Path(__file__).with_name("survivors.toml")
WORKSPACE = ROOT / ".mutants"

#: By package: the tests that have to notice. They need no socket, so a mutant costs milliseconds.
KILLERS = {
    "decisioning": ("tests/unit/decisioning", "tests/conformance/test_engine.py"),
    "delivery": ("tests/unit/delivery",),
}
LEAST_CAUGHT = 0.9

_SURVIVED = {str(SURVIVED), str(NO_TEST)}
_ARGUMENTS = (
    "-ptests.mutation.runner",
    "-pno:randomly",
    "--hypothesis-profile=mutants",
    "-pno:cacheprovider",
    "-s",
    "--timeout=600",
)


class Mutant(NamedTuple):
    """A fault that was tried."""

    module: str
    """Such as ``delivery/echo``."""
    function: str
    """Such as ``delivery.echo.whose``, or ``delivery.telemetry.Buffer.add``."""
    change: str
    """Which lines went ("- ...") and which came ("+ ..."), without their indentation."""
    is_caught: bool


class Known(NamedTuple):
    """A survivor that is listed."""

    function: str
    change: str
    reason: str


class Broken(Exception):
    """The mutants could not be tried."""


def try_mutants(package: str, only: str, jobs: int, root: Path, workspace: Path) -> list[Mutant]:
    """Make the mutants of ``package`` (or of its module ``only``) and run the tests that reach them.

    Args:
        package: A key of ``KILLERS``.
        only: The name of a module of it, or ``*``.
        jobs: How many mutants are tried at once.
        root: The folder of ``target``, ``tests``, ``openapi`` and pyproject.toml.
        workspace: The folder to work in; what it holds is removed.

    Raises:
        Broken: The tests fail without a mutant, too, or a mutant was not tried.
    """
    shutil.rmtree(workspace, ignore_errors=True)
    for name in ("target", "tests", "openapi"):
        shutil.copytree(root / name, workspace / name, ignore=shutil.ignore_patterns("__pycache__"))
    settings = (root / "pyproject.toml").read_text("utf-8") + '\n[tool.mutmut]\nsource_paths = ["target"]\n'
    (workspace / "pyproject.toml").write_text(settings, "utf-8")
    with chdir(workspace):  # where mutmut looks for its settings
        mutated = {path: _mutate(path) for path in sorted(Path("target", package).glob(f"{only}.py"))}
    names, verdicts = workspace / "names", workspace / "verdicts"
    names.write_text(json.dumps([name for file in mutated.values() for name in file]), "utf-8")
    files = [f"--mutants={names}", f"--verdicts={verdicts}"]
    with (workspace / "log").open("w") as log:
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *_ARGUMENTS, *files, f"--jobs={jobs}", *KILLERS[package]],
            cwd=workspace,
            env={**os.environ, "PYTHONHASHSEED": "0"},  # so that sets have the same order each time
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode:
        raise Broken(f"pytest ended with {ended.returncode}:\n{(workspace / 'log').read_text('utf-8')[-4000:]}")
    codes = dict(line.split() for line in verdicts.read_text("utf-8").splitlines())
    return [
        Mutant(f"{package}/{path.stem}", *mutants[name], codes[name] not in _SURVIVED)
        for path, mutants in mutated.items()
        for name in mutants
    ]


def _mutate(path: Path) -> dict[str, tuple[str, str]]:
    """Put all mutants of the module at ``path`` into it; by name, of which function each is, and what it changes."""
    file = mutate_file_contents(str(path), path.read_text("utf-8"))
    path.write_text(file.code, "utf-8")
    lines = file.code.splitlines()
    module = ".".join(path.with_suffix("").parts)
    mutants = {}
    for name in file.mutant_names:
        mangled, _, number = name.rpartition("_")
        before, after = (
            [line.strip() for line in lines[span.start - 1 : span.end]]
            for span in (file.line_span_by_function_name[f"{mangled}_{which}"] for which in ("orig", number))
        )
        change = _change(before, [line.replace(f"{mangled}_{number}(", f"{mangled}_orig(") for line in after])
        function = mangled.removesuffix("__mutmut").removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
        mutants[f"{module}.{name}"] = (f"{module.removeprefix('target.')}.{function}", change)
    return mutants


def _change(before: list[str], after: list[str]) -> str:
    differences = difflib.unified_diff(before, after, n=0, lineterm="")
    return "\n".join(f"{line[0]} {line[1:]}" for line in list(differences)[2:] if not line.startswith("@@"))


def read_known(path: Path) -> list[Known]:
    """The survivors that ``path`` lists. Changes of one function that have one reason are apart by a blank line."""
    rows = tomllib.loads(path.read_text("utf-8")).get("survivor", [])
    return [
        Known(row["function"], change.strip(), row["reason"].strip())
        for row in rows
        for change in row["changes"].strip().split("\n\n")
    ]


def judge(mutants: list[Mutant], known: Iterable[Known]) -> tuple[list[str], list[str]]:
    """What to print of ``mutants``, and what is wrong with them; of modules that were not tried nothing is said."""
    modules = list(dict.fromkeys(mutant.module for mutant in mutants))
    table = [f"{'module':32}{'mutants':>8}{'caught':>8}{'survivors':>11}{'rate':>9}"]
    problems = []
    for name, some in [(name, [m for m in mutants if m.module == name]) for name in modules] + [("all", mutants)]:
        caught = sum(mutant.is_caught for mutant in some)
        rate = caught / len(some) if some else 1.0
        table.append(f"{name:32}{len(some):8}{caught:8}{len(some) - caught:11}{rate:9.1%}")
        if rate < LEAST_CAUGHT:
            problems.append(f"{name}: {rate:.1%} are caught, {LEAST_CAUGHT:.0%} are asked for")
    reasons = {(row.function, row.change): row.reason for row in known if _module_of(row, modules)}
    survived = list(dict.fromkeys((mutant.function, mutant.change) for mutant in mutants if not mutant.is_caught))
    problems += [
        f"{function}: no reason is listed for\n{change}"
        for function, change in survived
        if not reasons.get((function, change))
    ]
    problems += [
        f"{function}: listed, but caught, or no mutant any more:\n{change}"
        for function, change in reasons
        if (function, change) not in survived
    ]
    return table, problems


def _module_of(row: Known, modules: list[str]) -> str | None:
    return next((name for name in modules if row.function.startswith(f"{name.replace('/', '.')}.")), None)


def main(arguments: list[str] | None = None) -> int:
    """Try the mutants, print how many are caught, and return what the process ends with."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("module", nargs="?", default="", help="such as delivery/echo, or delivery; all where left out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many mutants are tried at once")
    options = parser.parse_args(arguments)
    package, _, only = options.module.partition("/")
    if not (ROOT / "target" / package / f"{only or '__init__'}.py").is_file() or package not in {"", *KILLERS}:
        parser.error(f"there is no module {options.module} in {' or '.join(KILLERS)}")
    try:
        mutants = [
            mutant
            for name in ([package] if package else KILLERS)
            for mutant in try_mutants(name, only or "*", options.jobs, ROOT, WORKSPACE / name)
        ]
    except Broken as error:
        print(error)
        return 2
    table, problems = judge(mutants, read_known(KNOWN))
    print("\n".join([*table, "", *problems]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
