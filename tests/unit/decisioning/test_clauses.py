"""Comparisons read from the side of what is asked about."""

from __future__ import annotations

from typing import Any

import pytest

from target.decisioning.clauses import Clause, asks_only_for_share, parse_clause, variable_of, variables_in

URL = {"var": "page.url"}
SHARE = {"var": "allocation"}


@pytest.mark.parametrize(
    ("logic", "clause"),
    [
        ({"==": ["x", URL]}, Clause(URL, "is", ("x",))),
        ({"!=": [URL, "x"]}, Clause(URL, "is", ("x",), True)),
        ({"<": [1, URL]}, Clause(URL, "is above", (1,))),
        ({">=": [1, URL]}, Clause(URL, "is at most", (1,))),
        ({"<=": [URL, 1]}, Clause(URL, "is at most", (1,))),
        ({"<=": [1, URL, 2]}, Clause(URL, "is from", (1, 2))),
        ({"<": [1, URL, 2]}, Clause(URL, "is between", (1, 2))),
        ({"in": ["x", URL]}, Clause(URL, "contains", ("x",))),
        ({"in": [URL, ["x", "y"]]}, Clause(URL, "is one of", ("x", "y"))),
        ({"==": ["ab", {"substr": [URL, 0, 2]}]}, Clause(URL, "starts with", ("ab",))),
        ({"==": [{"substr": [URL, 0, 2]}, "\U0001f600"]}, Clause(URL, "starts with", ("\U0001f600",))),
        ({"==": ["ab", {"substr": [URL, -2]}]}, Clause(URL, "ends with", ("ab",))),
        ({"==": ["ab", {"substr": [URL, 0, 3]}]}, Clause({"substr": [URL, 0, 3]}, "is", ("ab",))),
        (URL, Clause(URL, "is set", ())),
        ({"==": ["x"]}, None),
        ({">": [1, URL, 2]}, None),
        ({"and": [URL, URL]}, None),
        ({"==": ["x", URL], "!=": ["x", URL]}, None),
        ("x", None),
    ],
)
def test_clauses(logic: Any, clause: Clause | None) -> None:
    assert parse_clause(logic) == clause
    denied = parse_clause(logic, True)
    assert denied == (clause and clause._replace(is_denied=not clause.is_denied))


@pytest.mark.parametrize(
    ("logic", "name"),
    [
        (URL, "page.url"),
        ({"var": ["page.url", "none"]}, "page.url"),
        ({"substr": [{"substr": [URL, 1]}, 2]}, "page.url"),
        ({"var": 7}, None),
        ({"var": []}, None),
        ({"substr": []}, None),
        ("page.url", None),
    ],
)
def test_variables(logic: Any, name: str | None) -> None:
    assert variable_of(logic) == name


def test_what_is_named_inside() -> None:
    assert set(variables_in({"and": [{"==": [URL, "x"]}, {"or": [SHARE, {"odd": {"a": URL}}]}]})) == {
        "page.url",
        "allocation",
    }
    assert len(list(variables_in([URL] * 20_000))) < 20_000
    assert asks_only_for_share({"<=": [0, SHARE, 50]})
    assert not asks_only_for_share({"<=": [URL, SHARE]})
    assert asks_only_for_share({"and": [True, {"!": {"<": [{"var": ["allocation"]}, 5]}}]})
    assert not asks_only_for_share({"and": [{"odd": []}, {"<": [SHARE, 5]}]})
    assert not asks_only_for_share({"and": [{"var": 5}, {"<": [SHARE, 5]}]})
    assert not asks_only_for_share({"==": [1, 1]})
    assert not asks_only_for_share(True)
