"""The check of mutants itself: what it says of a result, and that it notices tests that are too weak."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("mutmut", reason="an environment of users has none")

from tests.mutation.check import KNOWN, ROOT, Broken, Known, Mutant, judge, main, read_known, try_mutants

CHANGE = "- return a < b\n+ return a <= b"
CAUGHT = [Mutant("delivery/echo", "delivery.echo.whose", f"- {number}\n+ {number + 1}", True) for number in range(18)]
SURVIVOR = Mutant("delivery/echo", "delivery.echo.judge", CHANGE, False)

SMALL = '''
def least(numbers):
    """The smallest of ``numbers``."""
    found = numbers[0]
    for number in numbers[1:]:
        if number < found:
            found = number
    return found
'''
STRONG = """
import pytest
from target.delivery.small import least

@pytest.mark.parametrize(("numbers", "expected"), [([3, 1, 2], 1), ([1, 2], 1), ([2, 1], 1), ([4], 4)])
def test_the_least_is_found(numbers, expected):
    assert least(numbers) == expected
"""
WEAK = """
from target.delivery.small import least

def test_something_is_found():
    assert least([1, 2])
"""


@pytest.mark.parametrize(
    ("mutants", "known", "problems"),
    [
        (CAUGHT, [], []),
        ([*CAUGHT, SURVIVOR], [Known(SURVIVOR.function, CHANGE, "It is as good.")], []),
        ([*CAUGHT, SURVIVOR], [], [f"delivery.echo.judge: no reason is listed for\n{CHANGE}"]),
        ([*CAUGHT, SURVIVOR], [Known(SURVIVOR.function, CHANGE, "")], ["delivery.echo.judge: no reason is listed for"]),
        ([*CAUGHT, SURVIVOR], [Known("delivery.echo.whose", CHANGE, "It is as good.")], ["no reason", "but caught"]),
        (CAUGHT, [Known("delivery.echo.whose", CAUGHT[0].change, "It is as good.")], ["listed, but caught"]),
        (CAUGHT, [Known("delivery.reply.parse_reply", CHANGE, "Of a module that was not tried.")], []),
        (
            [*CAUGHT[:8], SURVIVOR],
            [Known(SURVIVOR.function, CHANGE, "It is as good.")],
            ["delivery/echo: 88.9% are caught, 90% are asked for", "all: 88.9% are caught"],
        ),
    ],
)
def test_what_is_wrong_with_a_result_is_told(mutants: list[Mutant], known: list[Known], problems: list[str]) -> None:
    table, told = judge(mutants, known)
    assert [expected in found for expected, found in zip(problems, told, strict=True)] == [True] * len(problems)
    assert table[1].split()[:4] == ["delivery/echo", str(len(mutants)), *caught_and_survived(mutants)]


def caught_and_survived(mutants: list[Mutant]) -> tuple[str, str]:
    caught = sum(mutant.is_caught for mutant in mutants)
    return str(caught), str(len(mutants) - caught)


def test_the_list_of_survivors_has_a_reason_for_each_and_each_once() -> None:
    known = read_known(KNOWN)
    assert [row.function for row in known if len(row.reason.split()) < 3] == []
    assert len({(row.function, row.change) for row in known}) == len(known)


def test_a_module_that_is_none_of_them_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["delivery/no_such_module"])
    assert "there is no module delivery/no_such_module" in capsys.readouterr().err


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project of one module, whose tests are yet to be written."""
    (tmp_path / "openapi").mkdir()
    for folder in ("target/delivery", "tests/unit/delivery"):
        (tmp_path / folder).mkdir(parents=True)
        for package in (tmp_path / folder, (tmp_path / folder).parent):
            (package / "__init__.py").touch()
    shutil.copytree(ROOT / "tests" / "mutation", tmp_path / "tests" / "mutation")
    (tmp_path / "tests" / "__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "target" / "delivery" / "small.py").write_text(SMALL, "utf-8")
    return tmp_path


def survivors(root: Path, tests: str) -> list[Mutant]:
    (root / "tests" / "unit" / "delivery" / "test_small.py").write_text(tests, "utf-8")
    mutants = try_mutants("delivery", "small", 1, root, root / "work")
    assert len(mutants) == 5
    return [mutant for mutant in mutants if not mutant.is_caught]


@pytest.mark.slow
def test_weak_tests_are_noticed(small: Path) -> None:
    as_good = Mutant("delivery/small", "delivery.small.least", "- if number < found:\n+ if number <= found:", False)
    assert survivors(small, STRONG) == [as_good]
    missed = survivors(small, WEAK)
    assert as_good in missed
    assert (
        Mutant("delivery/small", "delivery.small.least", "- found = numbers[0]\n+ found = numbers[1]", False) in missed
    )


@pytest.mark.slow
def test_tests_that_fail_without_a_mutant_tell_nothing(small: Path) -> None:
    with pytest.raises(Broken, match="fails without a mutant, too"):
        survivors(small, STRONG.replace("== expected", "!= expected"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_module_of_ours_passes(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["delivery/retry", "--jobs=1"])
    assert (code, "delivery/retry" in capsys.readouterr().out) == (0, True)
