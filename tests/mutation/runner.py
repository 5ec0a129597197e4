"""A pytest plugin that tries mutants: tests are collected once, and each mutant has a process forked from there.

A mutant so costs the tests that reach its function, until one fails, and little else. Where very many do, it is tried
on those of its own module, and those that reach little else.
"""

from __future__ import annotations

import functools
import gc
import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

# The same examples make the same mutants survive; one counterexample is enough, and a few examples find most.
_MOST_EXAMPLES = 30
settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=_MOST_EXAMPLES,
    phases=[Phase.explicit, Phase.generate],
)

SURVIVED, CAUGHT, NO_TEST = 0, 1, 5

# What a test may use that a mutant sends round in circles: processor time, which no other load of the machine uses up.
_MOST_S, _MOST_OF_ITS_OWN = 5, 20
_MOST_BYTES = 4 << 30
_MOST_TESTS = 300

Reach = dict[str, list[tuple[pytest.Item, float]]]
"""By function: tests that reach it, the quickest first, and how many seconds of processor time each takes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutants", type=Path, required=True, help="a file of the mutants' names, as a list in JSON")
    parser.addoption("--verdicts", type=Path, required=True, help="the file to write to: a name and a number a line")
    parser.addoption("--jobs", type=int, default=1, help="how many mutants are tried at once")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests that ask for many examples have no more than the others."""
    for item in items:
        test: Any = getattr(item, "obj", None)
        if (own := getattr(test, "_hypothesis_internal_use_settings", None)) and own.max_examples > _MOST_EXAMPLES:
            test._hypothesis_internal_use_settings = settings(own, max_examples=_MOST_EXAMPLES)


def pytest_runtest_setup() -> None:
    """Forget what earlier tests had worked out: it would hide which tests reach which function."""
    for cached in _caches(len(sys.modules)):
        cached.cache_clear()


@functools.lru_cache(maxsize=1)
def _caches(modules: int) -> list[Any]:
    names = [name for name in sys.modules if name.startswith(("target.decisioning.", "target.delivery."))]
    values = [value for name in names for value in vars(sys.modules[name]).values()]
    return [value for value in values if hasattr(value, "cache_clear")]


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Try each mutant, instead of running each test once."""
    if session.testsfailed:
        raise session.Interrupted("the tests cannot be collected")
    options = session.config.option
    sys.setrecursionlimit(
        4 * sys.getrecursionlimit()
    )  # each function is called by way of two more, which pick a mutant
    gc.collect()
    gc.freeze()  # so that children share what is there
    reach = _reach_of(session.items, options.verdicts.with_name("reach"))
    with options.verdicts.open("w", buffering=1) as verdicts:
        for name, verdict in _try_all(json.loads(options.mutants.read_text("utf-8")), reach, options.jobs):
            verdicts.write(f"{name} {verdict}\n")
    return True


def _reach_of(items: list[pytest.Item], found: Path) -> Reach:
    """Run all tests without a mutant, in a process of their own, and read what it wrote to ``found``."""

    def run() -> int:
        set_mutant_under_test("stats")
        rows = []
        for item, following in zip(items, [*items[1:], None], strict=True):
            state()._stats.clear()
            began_s = time.process_time()
            if not _passes(item, following):
                sys.stderr.write(f"{item.nodeid} fails without a mutant, too\n")
                return 1
            rows.append((time.process_time() - began_s, sorted(state()._stats)))
        found.write_text(json.dumps(rows), "utf-8")
        return 0

    if os.waitpid(_forked(run), 0)[1]:
        raise pytest.UsageError("without a mutant all tests have to pass")
    reach: Reach = {}
    rows = zip(items, json.loads(found.read_text("utf-8")), strict=True)
    for item, (takes_s, functions) in sorted(rows, key=lambda row: len(row[1][1])):
        for function in functions:
            reach.setdefault(function, []).append((item, takes_s))
    for function, tests in reach.items():
        own = f"test_{function.split('.')[-2]}"
        tests.sort(key=lambda test: not test[0].path.stem.startswith(own))
        reach[function] = sorted(tests[:_MOST_TESTS], key=lambda test: test[1])
    return reach


def _try_all(names: Iterable[str], reach: Reach, jobs: int) -> Iterator[tuple[str, int]]:
    running: dict[int, str] = {}

    def ended() -> tuple[str, int]:
        pid, status = os.wait()
        return running.pop(pid), os.waitstatus_to_exitcode(status)

    for name in names:
        tests = reach.get(name.partition("__mutmut_")[0])
        if not tests:
            yield name, NO_TEST
            continue
        if len(running) == jobs:
            yield ended()
        running[_forked(lambda name=name, tests=tests: _try(name, tests))] = name  # type: ignore[misc]
    while running:
        yield ended()


def _try(name: str, tests: list[tuple[pytest.Item, float]]) -> int:
    set_mutant_under_test(name)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    for (item, takes_s), following in zip(tests, [*(item for item, _ in tests[1:]), None], strict=True):
        may_use_s = time.process_time() + _MOST_S + _MOST_OF_ITS_OWN * takes_s
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(may_use_s), resource.RLIM_INFINITY))
        if not _passes(item, following):
            return CAUGHT
    return SURVIVED


def _passes(item: pytest.Item, following: pytest.Item | None) -> bool:
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=following))


def _forked(run: Callable[[], int]) -> int:
    """The process id of a child that ends with what ``run`` returns."""
    pid = os.fork()
    if pid == 0:
        code = CAUGHT
        try:
            code = run()
        finally:
            os._exit(code)
    return pid
