"""``substr`` of conditions: JavaScript's, held against JavaScript where there is one."""

from __future__ import annotations

import itertools
import json
import math
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.coercion import cut_text
from target.decisioning.compile import compile_condition
from tests.kit import plain_logic
from tests.kit.rules import build_scope

FACE = "a\U0001f600b"  # three characters, four units
# Our own few lines: String.prototype.substr, and a length below 0 taken off the end.
_IN_JAVASCRIPT = """
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
const cut = (text, start, length) =>
  length < 0 ? String(text).substr(start).substr(0, String(text).substr(start).length + length)
             : String(text).substr(start, length);
console.log(JSON.stringify(cases.map(([text, ...bounds]) => cut(text, ...bounds).split("").map(c => c.charCodeAt(0)))));
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["jsonlogic", 4], "logic"),
        (["jsonlogic", -5], "logic"),
        (["jsonlogic", -50], "jsonlogic"),
        (["jsonlogic", 50], ""),
        (["jsonlogic", 0, 4], "json"),
        (["jsonlogic", 4, -2], "log"),
        (["jsonlogic", 4, -20], ""),
        (["jsonlogic", -5, 2], "lo"),
        (["jsonlogic"], "jsonlogic"),
        (["jsonlogic", 0, None], ""),
        (["jsonlogic", None, 4], "json"),
        (["jsonlogic", "4", "2"], "lo"),
        (["jsonlogic", 4.9, 2.9], "lo"),
        (["jsonlogic", 4, -1.5], "log"),
        (["jsonlogic", "x", "-2"], ""),
        (["jsonlogic", True, True], "s"),
        ([None, 0, 4], "null"),
        ([True, 1], "rue"),
        ([1234.5, 1, 3], "234"),
        ([["ab", "c"], 1], "b,c"),
        ([FACE, 1, 2], "\U0001f600"),
        ([FACE, 1, 1], "\ud83d"),
        ([FACE, -1], "b"),
        ([FACE, -2], "\ude00b"),
        ([FACE, 0, -1], "a\U0001f600"),
        (["é€", 1], "€"),
        (["", 0, 3], ""),
        (["jsonlogic", "Infinity"], ""),
        (["jsonlogic", -math.inf], "jsonlogic"),
        (["jsonlogic", 4, math.inf], "logic"),
        (["jsonlogic", 4, -math.inf], ""),
    ],
)
def test_cuts(arguments: list[Any], expected: str) -> None:
    assert cut_text(*arguments) == expected
    assert compile_condition({"==": [expected, {"substr": arguments}]}, "7").test(build_scope()) is True


def test_starts_with_and_ends_with() -> None:
    scope = build_scope({"address": {"url": "https://shop.example.com/Sale/list.PDF"}})
    starts = {"==": ["https://shop.example.com/sale", {"substr": [{"var": "page.url_lc"}, 0, 29]}]}
    ends = {"==": [".pdf", {"substr": [{"var": "page.path_lc"}, -4]}]}
    assert compile_condition({"and": [starts, ends]}, "7").test(scope)
    assert not compile_condition({"==": ["/list", {"substr": [{"var": "page.path_lc"}, 0, 5]}]}, "7").test(scope)
    missing = {"==": ["gold", {"substr": [{"var": "mbox.level"}, 0, 4]}]}
    assert not compile_condition(missing, "7").test(scope)
    assert compile_condition({"!": missing}, "7").test(scope)


TEXTS = st.one_of(st.text(max_size=6), st.text(alphabet="ab\U0001f600é\ud83d\ude00", max_size=6))
BOUNDS = st.one_of(
    st.none(), st.booleans(), st.integers(-8, 8), st.floats(), st.sampled_from(["1", "-1", " 2 ", "x", "", "1e400"])
)


@given(st.one_of(TEXTS, st.integers(-99, 99), st.none(), st.lists(TEXTS, max_size=2)), st.lists(BOUNDS, max_size=2))
def test_cuts_agree_with_the_plain_model(source: Any, bounds: list[Any]) -> None:
    cut = cut_text(source, *bounds)
    assert plain_logic.units(cut) == plain_logic.units(plain_logic.cut(source, *bounds))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_cuts_agree_with_javascript() -> None:
    sources = ["", "a", "jsonlogic", FACE, "é€", None, True, 1234.5, ["ab", None, "c"], {}]
    bounds = [None, True, False, 0, 1, 3, 50, -1, -2, -50, 1.9, -1.9, "2", "-2", " 1 ", "", "x", [2], [-2], {}]
    cases = [
        [text, *given] for text in sources for size in (0, 1, 2) for given in itertools.product(bounds, repeat=size)
    ]
    run = subprocess.run(
        ["node", "-e", _IN_JAVASCRIPT], input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=60
    )
    for case, units in zip(cases, json.loads(run.stdout), strict=True):
        assert plain_logic.units(cut_text(*case)) == units, case
