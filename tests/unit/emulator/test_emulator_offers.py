"""A broken offers file is refused with the file, the place in it and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from target.emulator import OffersError, load_offers, parse_offers

EXAMPLE = Path(__file__).parents[3] / "examples" / "offers.json"


def option(**fields: Any) -> dict[str, Any]:
    return {"mboxes": {"home": [{"type": "html", "content": "x"} | fields]}}


BROKEN: list[tuple[Any, str]] = [
    ([], "must be an object with client, edgeHost, properties, mboxes, views, pageLoad"),
    ({"mboxs": {}}, "/mboxs: is no key of the format; did you mean 'mboxes'?"),
    (
        {"zzz": {}},
        "/zzz: is no key of the format; use client, edgeHost, properties, mboxes, views, pageLoad",
    ),
    ({"client": 5}, "/client: must be a string that is not empty"),
    ({"edgeHost": ""}, "/edgeHost: must be a string that is not empty"),
    ({"properties": "token"}, "/properties: must be a list of property tokens"),
    ({"properties": ["a", 5]}, "/properties/1: must be a string that is not empty"),
    ({"mboxes": []}, "/mboxes: must be an object: a name and its options each"),
    ({"mboxes": {"home": "hi"}}, "/mboxes/home: must be an object with options, metrics"),
    ({"mboxes": {"home": {"key": "k"}}}, "/mboxes/home/key: is no key of the format; use options, metrics"),
    ({"mboxes": {"home": {"option": []}}}, "/mboxes/home/option: is no key of the format; did you mean 'options'?"),
    ({"mboxes": {"home": {"options": {}}}}, "/mboxes/home/options: must be a list"),
    ({"views": {"cart": {"key": 1}}}, "/views/cart/key: must be a string that is not empty"),
    ({"pageLoad": 5}, "/pageLoad: must be an object with options, metrics"),
    (
        option(type="htlm"),
        "/mboxes/home/0/type: must be one of html, json, redirect, dynamic, actions (did you mean 'html'?)",
    ),
    (option(type="json", content=5), "/mboxes/home/0/content: must be a string, an object or a list"),
    (option(content={}), "/mboxes/home/0/content: must be a string, as the type is html"),
    (
        option(type="actions", content=["x"]),
        "/mboxes/home/0/content: must be a list of actions (objects), as the type is actions",
    ),
    (option(responseTokens=[]), "/mboxes/home/0/responseTokens: must be an object of token names and values"),
    (
        {"mboxes": {"home": [{"type": "html"}]}},
        "/mboxes/home/0: give type and content together, or neither for default content",
    ),
    ({"mboxes": {"home": ["hi"]}}, "/mboxes/home/0: must be an object with type, content, responseTokens"),
    ({"mboxes": {"home": {"metrics": [{}]}}}, "/mboxes/home/metrics/0/type: must be one of click, display"),
    (
        {"mboxes": {"home": {"metrics": [{"type": "click", "selector": 1}]}}},
        "/mboxes/home/metrics/0/selector: must be a string that is not empty",
    ),
]


@pytest.mark.parametrize(("data", "problem"), BROKEN, ids=[problem for _, problem in BROKEN])
def test_a_broken_file_is_named_with_the_place(data: Any, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "offers.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(OffersError) as refused:
        load_offers(file)
    assert str(refused.value) == f"{file}: {problem}"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b'{\n "mboxes": }', "line 2, column 12: not JSON (Expecting value); correct it there"),
        (b"\xff", "'utf-8' codec can't decode byte"),
        (b'{"mboxes": {"a": [], "a": []}}', "the key 'a' is given twice in one object"),
        (b"[" * 100_000, "maximum recursion depth exceeded"),
    ],
)
def test_a_file_that_is_not_json(raw: bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "offers.json"
    file.write_bytes(raw)
    with pytest.raises(OffersError) as refused:
        load_offers(file)
    assert str(refused.value).startswith(f"{file}: {problem}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OffersError, match=r"none\.json: cannot be read .*; name an existing offers file"):
        load_offers(tmp_path / "none.json")


def test_the_example_file_is_served_as_it_is() -> None:
    offers = load_offers(EXAMPLE)
    assert {"home", "product1"} <= offers.mboxes.keys()
    assert offers.mboxes["home"].metrics
    assert offers.page_load is not None


def test_a_list_is_short_for_an_object_with_options() -> None:
    entry = {"type": "html", "content": "x"}
    assert parse_offers({"mboxes": {"a": [entry]}}) == parse_offers({"mboxes": {"a": {"options": [entry]}}})


def test_an_empty_object_serves_nothing() -> None:
    offers = parse_offers({})
    assert (dict(offers.mboxes), dict(offers.views), offers.page_load, offers.properties) == ({}, {}, None, None)


def test_a_place_is_named_by_json_pointer_whatever_its_name() -> None:
    broken = {"views": {"a/b~c": {"options": [{"type": "html", "content": 5}]}}}
    with pytest.raises(OffersError, match=r"^offers: /views/a~1b~0c/options/0/content: must be a string"):
        parse_offers(broken)
