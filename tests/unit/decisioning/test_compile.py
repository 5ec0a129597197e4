from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from target.decisioning.compile import MAX_DEPTH, compile_condition
from target.decisioning.variables import Undecidable
from tests.kit import plain_logic
from tests.kit.properties import examples
from tests.kit.rules import FIREFOX, build_scope

CONTEXT = {
    "userAgent": FIREFOX,
    "address": {"url": "http://Shop.example.co.uk/Sale?a=1#top"},
    "geo": {"city": "BERN", "latitude": 46.95, "longitude": "7.45"},
}


def holds(condition: Any, **parameters: Any) -> bool:
    return compile_condition(condition, "7").test(build_scope(CONTEXT, parameters=parameters))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (True, True),
        (False, False),
        (None, False),
        ("", False),
        ([], False),
        ({"==": ["Basel", {"var": "geo.city"}]}, False),
        ({"==": ["BERN", {"var": "geo.city"}]}, True),
        ({"==": [{"var": "current_day"}, "2"]}, True),
        ({"!=": [{"var": "current_day"}, "2"]}, False),
        ({"<=": ["0000", {"var": "current_time"}, "2359"]}, True),
        ({"<=": ["2300", {"var": "current_time"}, "2359"]}, False),
        ({"<": [1_600_000_000_000, {"var": "current_timestamp"}, 1_800_000_000_000]}, True),
        ({"<": [1_700_000_000_500, {"var": "current_timestamp"}, 1_800_000_000_000]}, False),
        ({"<": ["46.90", {"var": "geo.latitude"}]}, True),
        ({">=": ["46.90", {"var": "geo.latitude"}]}, False),
        ({">": [{"var": "geo.longitude"}, 7]}, True),
        ({"in": ["/sale", {"var": "page.url_lc"}]}, True),
        ({"in": ["/sale", {"var": "page.url"}]}, False),
        ({"in": [2, [1, 2]]}, True),
        ({"in": ["2", [1, 2]]}, False),
        ({"in": ["x", {"var": "mbox.none"}]}, False),
        ({"!": {"==": [1, "1"]}}, False),
        ({"!": [{"var": "mbox.none"}]}, True),
        ({"or": [False, {"==": [{"var": "user.browserType"}, "firefox"]}]}, True),
        ({"and": True}, True),
        ({"==": [{"and": [1, "x"]}, "x"]}, True),
        ({"==": [{"or": [0, ""]}, ""]}, True),
        ({"==": [{"var": ["mbox.none", "given"]}, "given"]}, True),
        ({"==": [{"var": "mbox.none.deeper"}, None]}, True),
        ({"<": [{"var": "mbox.none"}, 1]}, True),
        ({"var": "page"}, True),
        ({"var": ""}, True),
        ({"==": [None, 0]}, False),
        # Where a text is compared with a text they compare as texts, whatever the third is.
        ({"<=": ["9", {"var": "mbox.ten"}, 100]}, False),
        ({"<=": [0, {"var": "mbox.ten"}, "9"]}, True),
        ({"<=": [9, {"var": "mbox.ten"}, 10]}, True),
        ({"<": [{"var": "mbox.one"}, {"var": "mbox.two"}, {"var": "mbox.ten"}]}, True),
        ({"<": [{"var": "mbox.two"}, {"var": "mbox.two"}, {"var": "mbox.ten"}]}, False),
        ({"<=": [{"var": "mbox.one"}, {"var": "mbox.ten"}, {"var": "mbox.two"}]}, False),
        ({"<=": [{"var": "mbox.ten"}, 9]}, False),
        ({"<=": [{"var": "mbox.ten"}, 10]}, True),
        ({">=": [9, {"var": "mbox.ten"}]}, False),
        ({">=": [11, {"var": "mbox.ten"}]}, True),
        ({"==": ["cd", {"substr": ["abcd", {"var": "mbox.two"}]}]}, True),
        ({"==": ["c", {"substr": ["abcd", {"var": "mbox.two"}, {"var": "mbox.one"}]}]}, True),
        ({"substr": ["  ", 0, 1]}, True),
        # A domain is the host or the registrable domain, a place is compared however it is written.
        ({"==": ["shop.example.co.uk", {"var": "page.domain"}]}, True),
        ({"==": ["example.co.uk", {"var": "page.domain"}]}, True),
        ({"!=": ["shop.example.co.uk", {"var": "page.domain"}]}, False),
        ({"!=": ["example.co.uk", {"var": "page.domain"}]}, False),
        ({"==": ["b ern", {"var": "geo.city"}]}, True),
        ({"==": ["b ern", {"or": [{"==": ["x", {"var": "mbox.one"}]}, {"var": "geo.city"}]}]}, True),
        ({"==": ["b ern", {"or": [{"<": [1, {"var": "mbox.one"}, 2]}, {"var": "geo.city"}]}]}, True),
        ({"<": ["b ern", {"var": "geo.city"}]}, False),
        ({"<": ["A z", {"var": "geo.city"}, "b a"]}, True),
    ],
)
def test_conditions(condition: Any, expected: bool) -> None:
    assert holds(condition, one=1, two=2, ten="10") is expected


def test_share_of_visitors_is_a_range_with_open_and_closed_ends() -> None:
    place = build_scope().allocations["7"]
    assert holds({"and": [{"<=": [place, {"var": "allocation"}]}, {">=": [place, {"var": "allocation"}]}]})
    assert not holds({"<": [place, {"var": "allocation"}]})
    assert not holds({">": [place, {"var": "allocation"}]})
    assert holds({"and": [{"<": [place - 0.01, {"var": "allocation"}]}, {"<=": [{"var": "allocation"}, 100]}]})
    assert not holds({"and": [{">=": [place - 0.01, {"var": "allocation"}]}]})
    for outside in ({"<": [place, {"var": "allocation"}]}, {"<": [{"var": "allocation"}, place]}):
        assert not holds({"and": [{"<=": [0, {"var": "allocation"}]}, outside, {">=": [100, {"var": "allocation"}]}]})


def test_empty_text_holds_nothing_not_even_empty_text() -> None:
    assert not holds({"in": ["", {"var": "mbox.a"}]}, a="")
    assert holds({"in": ["", {"var": "mbox.a"}]}, a="b")


def test_parameters_are_read_as_paths_and_in_lower_case() -> None:
    assert holds({"==": ["red", {"var": "mbox.favourite.colour_lc"}]}, **{"favourite.colour": "Red"})
    assert holds({"==": ["Red", {"var": "mbox.favourite.colour"}]}, **{"favourite.colour": "Red"})


@pytest.mark.parametrize(
    "condition",
    [
        {"cat": ["a", "b"]},
        {"and": [True, {"missing": ["a"]}]},
        {"and": []},
        {"or": []},
        {},
        {"==": [1, 1], "!=": [1, 2]},
        {"==": [1]},
        {"==": [1, 2, 3]},
        {">": [3, 2, 1]},
        {"<": [1, 2, 3, 4]},
        {"in": ["a"]},
        {"!": [True, False]},
        {"!": []},
        {"var": []},
        {"var": 1},
        {"var": {"var": "page.url"}},
        {"var": ["a", {"var": "b"}]},
        {"in": ["a", ["a", {"var": "b"}]]},
        [{"==": [1, 1]}],
        {"substr": []},
        {"substr": ["abcd", 1, 2, 3]},
        {"==": ["a", {"substr": [{"var": "page.colour"}, 0, 1]}]},
        {"==": ["a", {"substr": [{"cat": ["a"]}, 0, 1]}]},
        {"==": ["a", {"substr": [{"var": "page.url"}, {"cat": ["a"]}]}]},
        {"==": ["a", {"substr": [{"var": "page.url"}, 0, {"max": [1, 2]}]}]},
    ],
)
def test_what_is_not_known_is_undecidable(condition: Any) -> None:
    with pytest.raises(Undecidable):
        compile_condition(condition, "7")


def test_unknown_operator_is_named_and_cut() -> None:
    with pytest.raises(Undecidable, match="'cat'"):
        compile_condition({"cat": []}, "7")
    with pytest.raises(Undecidable) as caught:
        compile_condition({"x" * 5000: []}, "7")
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("operator", ["!", "and", "or", "=="])
def test_depth_is_bounded(operator: str) -> None:
    condition: Any = True
    for _ in range(MAX_DEPTH + 5):
        condition = {operator: [condition, 1]} if operator == "==" else {operator: [condition]}
    for outer in (condition, {"==": ["a", condition]}):
        with pytest.raises(Undecidable, match="nested"):
            compile_condition(outer, "7")


def test_tells_which_variables_are_read() -> None:
    condition = {"and": [{"<": [1, {"var": "allocation"}]}, {"!": {"==": [{"var": "geo.city"}, {"var": "mbox.a.b"}]}}]}
    assert compile_condition(condition, "7").reads == {"allocation", "geo", "mbox"}


def test_allocation_is_not_computed_where_the_audience_does_not_match() -> None:
    scope = build_scope(CONTEXT)
    share = {"and": [{"<=": [0, {"var": "allocation"}]}, {">=": [100, {"var": "allocation"}]}]}
    assert not compile_condition({"and": [share, {"==": ["x", {"var": "mbox.a"}]}]}, "7").test(scope)
    assert scope.allocations == {}
    assert compile_condition({"and": [share, {"!=": ["x", {"var": "mbox.a"}]}]}, "7").test(scope)
    assert list(scope.allocations) == ["7"]


NAMES = [
    "allocation",
    "current_day",
    "current_time",
    "current_timestamp",
    "geo.city",
    "geo.latitude",
    "mbox",
    "mbox.a",
    "mbox.a_lc",
    "mbox.b.c",
    "mbox.b.c_lc",
    "mbox.none",
    "page.path_lc",
    "page.domain",
    "user.browserVersion",
    "referring.domain_lc",
    "",
]
TEXTS = st.one_of(
    st.text(max_size=4), st.sampled_from(["1", " 2 ", "02", "1e1", "0x10", "-3", "true", "a", "BERN", "é"])
)
NUMBERS = st.one_of(st.integers(-1000, 1000), st.floats(-100, 100).map(lambda value: round(value, 2)))
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VARIABLES = st.one_of(
    st.sampled_from(NAMES).map(lambda name: {"var": name}),
    st.tuples(st.sampled_from(NAMES), PLAIN).map(lambda pair: {"var": list(pair)}),
)


def operations(operands: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pair = st.lists(operands, min_size=2, max_size=2)
    return st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(operands, min_size=1, max_size=4)).map(lambda t: dict([t])),
        st.tuples(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), pair).map(lambda t: dict([t])),
        st.tuples(st.sampled_from(["<", "<="]), st.lists(operands, min_size=3, max_size=3)).map(lambda t: dict([t])),
        operands.map(lambda item: {"!": [item]}),
        pair.map(lambda items: {"in": items}),
        st.tuples(operands, st.lists(PLAIN, max_size=3)).map(lambda t: {"in": list(t)}),
        st.lists(operands, min_size=1, max_size=3).map(lambda items: {"substr": items}),
    )


LOGIC = st.recursive(st.one_of(PLAIN, VARIABLES, VARIABLES), operations, max_leaves=12)
PARAMETERS = st.dictionaries(st.sampled_from(["a", "b", "b.c", ".d", "e..f"]), st.one_of(PLAIN, st.lists(PLAIN)))


@example(logic={"!": [{"==": [{"var": ""}, {"var": ""}]}]}, parameters={}, now_s=0.0, city=None)
@example(logic={"substr": [1.62, 4]}, parameters={}, now_s=0.0, city=None)
@given(logic=LOGIC, parameters=PARAMETERS, now_s=st.floats(0, 4e9), city=PLAIN)
@settings(max_examples=examples(400))
def test_compiled_rules_agree_with_the_plain_evaluator(
    logic: Any, parameters: dict[str, Any], now_s: float, city: Any
) -> None:
    # A cut of a place is as long as the place that it is compared with, as test_places_... tells.
    assume(not ("substr" in repr(logic) and "geo.city" in repr(logic)))
    scope = build_scope({**CONTEXT, "geo": {**CONTEXT["geo"], "city": city}}, now_s, parameters=parameters)  # type: ignore[dict-item]
    others = {"page.domain": "shop.example.co.uk", "referring.domain_lc": ""}
    expected = plain_logic.truthy(plain_logic.evaluate(logic, scope.as_data("7"), others))
    assert compile_condition(logic, "7").test(scope) is expected


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(), st.sampled_from(["var", "and", "or", "!", "==", "<", "<=", "in"])), inner),
    ),
    max_leaves=15,
)


@given(logic=JSON, parameters=st.dictionaries(st.text(), JSON, max_size=3))
@settings(max_examples=examples(300))
def test_any_json_is_a_condition_or_undecidable(logic: Any, parameters: dict[str, Any]) -> None:
    try:
        condition = compile_condition(logic, "7")
    except Undecidable:
        return
    assert condition.test(build_scope(CONTEXT, parameters=parameters)) in (True, False)


@pytest.mark.parametrize("operator", ["and", "or"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_operand_of_a_junction_counts(operator: str, count: int) -> None:
    calm, striking = operator == "and", operator == "or"
    assert holds({operator: [{"==": [{"var": "mbox.none"}, None]} if calm else {"var": "mbox.none"}] * count}) is calm
    for place in range(count):
        operands: list[Any] = [{"var": "mbox.yes" if calm else "mbox.none"}] * count
        operands[place] = {"var": "mbox.none" if calm else "mbox.yes"}
        assert holds({operator: operands}, yes="yes") is striking
        assert holds({"==": ["yes", {operator: operands}]}, yes="yes") is striking


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ({"var": []}, "var needs the name of a variable"),
        ({"var": ["a", 1, 2]}, "var needs the name of a variable"),
        ({"==": ["a", {"substr": []}]}, "substr does not take 0 arguments"),
        ({"substr": ["abcd", 1, 2, 3]}, "substr does not take 4 arguments"),
        ({"<": [1, 2, 3, 4]}, "< does not take 4 arguments"),
        ({"!": [1, 2]}, "! does not take 2 arguments"),
        ({"and": []}, "and needs an argument"),
        ({"==": ["a", {"or": []}]}, "or needs an argument"),
        ({"and": [True, {"and": []}]}, "and needs an argument"),
        ({"==": [1, 1], "!=": [1, 2]}, "an operation names exactly one operator"),
        ({"cat": []}, "the operator 'cat' is not known"),
        ([[1]], "a literal holds more than plain values"),
    ],
)
def test_what_is_undecidable_is_said(condition: Any, problem: str) -> None:
    with pytest.raises(Undecidable) as caught:
        compile_condition(condition, "7")
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "wrap",
    [
        lambda item: {"!": [item]},
        lambda item: {"and": [item]},
        lambda item: {"or": [item, False]},
        lambda item: {"or" if "and" in item else "and": [item, True]},
        lambda item: {"==": [item, 1]},
        lambda item: {"==": [1, item]},
        lambda item: {"==": ["a", item]},
        lambda item: {"in": ["a", item]},
        lambda item: {"<": [1, item]},
        lambda item: {"<=": [1, item]},
        lambda item: {"<=": [item, 1]},
        lambda item: {"<": [0, item, 1]},
        lambda item: {"substr": [item]},
        lambda item: {"substr": ["a", item]},
    ],
)
def test_so_many_levels_are_known_and_no_more(wrap: Any) -> None:
    condition: Any = {"var": "mbox.a"}
    for _ in range(MAX_DEPTH):
        condition = wrap(condition)
    assert compile_condition(condition, "7").reads == {"mbox"}
    with pytest.raises(Undecidable, match="the condition is nested more than 64 deep"):
        compile_condition(wrap(condition), "7")
