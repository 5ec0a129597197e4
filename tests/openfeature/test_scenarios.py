"""How features are read, and what is said of a step that is none."""

from __future__ import annotations

import pytest

from tests.openfeature.scenarios import Step, Steps, parse

FEATURE = """
Feature: F
  Background:
    Given the start

  @one
  Scenario Outline: Rows
    When <a> is asked
      | name | value |
      | <a>  | 1     |

    @two
    Examples:
      | a |
      | x |
      | y |
"""


def test_a_row_of_examples_is_a_scenario_of_its_own() -> None:
    first, second = parse("f", FEATURE)
    assert (str(first), str(second)) == ("f: Rows (1)", "f: Rows (2)")
    assert first.tags == {"one", "two"}
    assert first.steps == (Step("the start"), Step("x is asked", (("x", "1"),)))
    assert second.steps[1] == Step("y is asked", (("y", "1"),))


def test_a_step_is_found_by_all_of_its_words() -> None:
    steps = Steps()

    @steps("the {what} is {value}")
    def check(what: str, value: str) -> None:
        """Nothing is done here."""

    assert steps.find(Step("the value is 7")) == (check, {"what": "value", "value": "7"})
    with pytest.raises(LookupError, match="0 steps are 'a value is 7'"):
        steps.find(Step("a value is 7"))


def test_of_several_functions_the_one_with_the_most_words_has_a_step() -> None:
    steps = Steps()
    steps("the {what} is {value}")(print)
    steps("the value is {value}")(len)
    assert steps.find(Step("the value is 7"))[0] is len


def test_a_step_of_two_functions_is_refused() -> None:
    steps = Steps()
    steps("the 1{it} is 7")(len)
    steps("the {it}4 is 7")(print)
    with pytest.raises(LookupError, match="2 steps are 'the 1234 is 7'"):
        steps.find(Step("the 1234 is 7"))
