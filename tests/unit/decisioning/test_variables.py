from __future__ import annotations

import re
from typing import Any

import pytest

from target.decisioning.compile import compile_condition
from target.decisioning.variables import Undecidable
from tests.kit.rules import FIREFOX, build_scope


def holds(condition: Any, context: dict[str, Any], **parameters: Any) -> bool:
    return compile_condition(condition, "7").test(build_scope(context, parameters=parameters))


def on(url: str, condition: Any, **context: Any) -> bool:
    return holds(condition, {"address": {"url": url, "referringUrl": url}, **context})


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "profile.colour",
        "user.language",
        "user.browserType_lc",
        "user.browserType.length",
        "page.title",
        "page.url.length",
        "page.URL",
        "page.{parameter=}",
        "page.{header=x}",
        "page.{parameter=x}_uc",
        "referring.colour",
        "geo.zip",
        "geo.dma",
        "geo.city_lc",
        "allocation.x",
        "current_day.x",
        "current_hour",
        "constructor",
        " page.url",
    ],
)
def test_variables_that_are_not_known_are_undecidable(name: str) -> None:
    for variable in (name, [name], [name, "given"]):
        for condition in ({"var": variable}, {"!": {"==": ["x", {"var": variable}]}}, {"substr": [{"var": variable}]}):
            with pytest.raises(Undecidable, match=re.escape(f"the variable {name!r} is not known")):
                compile_condition(condition, "7")


@pytest.mark.parametrize("name", ["mbox", "mbox.anything", "mbox.a.b.c", "mbox.{parameter=x}", "mbox.", "mbox.a..b"])
def test_parameters_are_free(name: str) -> None:
    assert not holds({"==": ["x", {"var": name}]}, {})


@pytest.mark.parametrize(
    ("name", "root"),
    [("", ""), ("page.{parameter=x}", "page"), ("referring.{parameter=x}_lc", "referring"), ("geo.city", "geo")],
)
def test_what_is_read_is_the_first_word(name: str, root: str) -> None:
    assert compile_condition({"var": name}, "7").reads == {root}


@pytest.mark.parametrize("name", [{"var": "page.domain"}, ["page.domain"], 1, None])
def test_a_name_that_is_no_text_is_undecidable_where_it_is_compared_too(name: Any) -> None:
    with pytest.raises(Undecidable, match="var needs the name of a variable"):
        compile_condition({"==": ["x", {"var": [name, "given"]}]}, "7")


def test_a_path_that_leads_through_a_plain_value_leads_nowhere() -> None:
    assert holds({"==": ["given", {"var": ["mbox.a.b", "given"]}]}, {}, a="text")
    assert holds({"==": [None, {"var": "mbox.a.b.c"}]}, {}, **{"a.b": 1})


def test_the_share_of_visitors_can_be_compared_as_a_value() -> None:
    place = build_scope().allocations["7"]
    assert holds({"==": [place, {"var": "allocation"}]}, {})
    assert not holds({"==": [None, {"var": "allocation"}]}, {})


@pytest.mark.parametrize(("length", "text"), [(38, "x" * 38), (39, None), (60, None)])
def test_a_name_is_shown_up_to_40_characters(length: int, text: str | None) -> None:
    with pytest.raises(Undecidable) as caught:
        compile_condition({"var": "x" * length}, "7")
    shown = f"'{text}'" if text else f"'{'x' * 39}..."
    assert str(caught.value) == f"the variable {shown} is not known"


def test_unknown_variable_is_named_and_cut() -> None:
    with pytest.raises(Undecidable) as caught:
        compile_condition({"var": "x" * 5000}, "7")
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("https://shop.example/?campaign=165", "165"),
        ("https://shop.example/?a=1&campaign=165#campaign=2", "165"),
        ("https://shop.example/?campaign=a%20b%2Bc+d", "a b+c d"),
        ("https://shop.example/?campaign=caf%C3%A9", "café"),
        ("https://shop.example/?campaign=%FF", "\ufffd"),
        ("https://shop.example/?campaign=1&campaign=2", "1"),
        ("https://shop.example/?c%61mpaign=1", "1"),
        ("https://shop.example/?campaign=", ""),
        ("https://shop.example/?campaign", ""),
        ("https://shop.example/?campaign=a=b", "a=b"),
        ("?campaign=x", "x"),
        ("https://shop.example/?Campaign=1", None),
        ("https://shop.example/campaign=1", None),
        ("https://shop.example/", None),
        ("", None),
    ],
)
def test_query_parameters(url: str, value: str | None) -> None:
    assert on(url, {"==": [value, {"var": "page.{parameter=campaign}"}]})
    assert on(url, {"==": [value, {"var": "referring.{parameter=campaign}"}]})
    assert on(url, {"==": ["none" if value is None else value, {"var": ["page.{parameter=campaign}", "none"]}]})


def test_query_parameters_in_lower_case_with_dots_and_as_numbers() -> None:
    assert on("https://a.example/?utm.source=News", {"==": ["News", {"var": "page.{parameter=utm.source}"}]})
    assert on("https://a.example/?utm.source=News", {"==": ["news", {"var": "page.{parameter=utm.source}_lc"}]})
    assert on("https://a.example/?n=30", {"<": [{"var": "page.{parameter=n}"}, 31]})
    assert on("https://a.example/?n=30x", {"==": ["30", {"substr": [{"var": "page.{parameter=n}"}, 0, 2]}]})


@pytest.mark.parametrize("name", ["page.domain", "page.domain_lc", "referring.domain", "referring.domain_lc"])
def test_a_domain_is_the_host_or_the_registrable_domain(name: str) -> None:
    domain = {"var": name}
    for url in ("https://stage.Example.com:8443/a", "https://user@stage.example.com/"):
        assert on(url, {"==": ["stage.example.com", domain]})
        assert on(url, {"==": ["example.com", domain]})
        assert on(url, {"==": [domain, "stage.example.com"]})
        assert on(url, {"in": ["stage.ex", domain]})
        assert on(url, {"in": [domain, ["shop.example.com", "stage.example.com"]]})
        assert on(url, {"in": [domain, ["example.com"]]})
        assert on(url, {"==": ["stage.", {"substr": [domain, 0, 6]}]})
        assert on(url, {"==": ["exam", {"substr": [domain, 0, 4]}]})
        assert on(url, {"==": [".com", {"substr": [domain, -4]}]})
        assert not on(url, {"==": ["m.example.com", domain]})
        assert not on(url, {"in": ["m.example.com", domain]})
    assert on("https://www.example.com/", {"==": ["www.example.com", domain]})
    assert on("https://www.example.com/", {"==": ["example.com", domain]})


def test_what_is_not_true_of_a_domain_is_true_of_neither_reading() -> None:
    domain = {"var": "page.domain"}
    for listed in ("stage.example.com", "example.com"):
        assert not on("https://stage.example.com/", {"!=": [listed, domain]})
        assert not on("https://stage.example.com/", {"!": {"==": [listed, domain]}})
        assert not on("https://stage.example.com/", {"!": [{"in": [domain, [listed]]}]})
    assert on("https://stage.example.com/", {"!=": ["m.example.com", domain]})
    assert on("https://stage.example.com/", {"!": {"in": ["m.", domain]}})


def test_two_domains_are_compared_in_one_reading_at_a_time() -> None:
    same = {"==": [{"var": "page.domain"}, {"var": "referring.domain"}]}
    address = {"url": "https://a.example.com/", "referringUrl": "https://b.example.com/"}
    assert holds(same, {"address": address})
    assert not holds(same, {"address": {**address, "referringUrl": "https://a.example.org/"}})


def test_readings_do_not_multiply() -> None:
    condition: Any = {"var": "page.domain"}
    for _ in range(30):
        condition = {"==": [{"or": [{"var": "page.domain"}, condition]}, "x"]}
    assert compile_condition(condition, "7").reads == {"page"}


@pytest.mark.parametrize(
    "written", ["San Francisco", "SAN FRANCISCO", "sanfrancisco", " San\u00a0Francisco ", "SANFRANCISCO"]
)
@pytest.mark.parametrize("published", ["SANFRANCISCO", "SAN FRANCISCO", "San Francisco"])
def test_places_compare_however_they_are_written(written: str, published: str) -> None:
    geo = {"geo": {"city": written, "stateCode": "california", "countryCode": "us"}}
    city = {"var": "geo.city"}
    assert holds({"==": [published, city]}, geo)
    assert holds({"==": [city, published]}, geo)
    assert not holds({"!=": [published, city]}, geo)
    assert holds({"in": [city, ["BERN", published]]}, geo)
    assert holds({"in": [published[2:], city]}, geo)
    assert holds({"==": [published[:6], {"substr": [city, 0, 6]}]}, geo)
    assert holds({"==": [published[-11:], {"substr": [city, -11]}]}, geo)
    assert holds({"==": [city, {"var": "mbox.home"}]}, geo, home=published)
    assert holds({"==": [published, {"var": ["geo.city", "x"]}]}, geo)
    assert holds({"==": [published, {"var": ["geo.city", published]}]}, {})
    assert holds({"and": [{"==": ["US", {"var": "geo.country"}]}, {"==": ["CALIFORNIA", {"var": "geo.region"}]}]}, geo)
    assert not holds({"==": ["BERN", city]}, geo)


def test_only_the_places_of_the_visitor_are_compared_with_parameters_of_their_names() -> None:
    geo = {"geo": {"city": "Bern", "countryCode": "CH"}}
    for name in ("city", "country"):
        same = {"==": [{"var": f"geo.{name}"}, {"var": f"mbox.{name}"}]}
        assert not holds(same, geo, city="Basel", country="DE")
        assert holds(same, geo, city="bern", country="ch")


def test_accents_of_places_do_not_count() -> None:
    for written in ("São Paulo", "SAO PAULO", "Sa\u0303o Paulo"):
        for published in ("SAOPAULO", "SÃO PAULO"):
            assert holds({"==": [published, {"var": "geo.city"}]}, {"geo": {"city": written}})


def test_what_is_no_place_is_compared_as_written() -> None:
    context = {"address": {"url": "https://a.example/San Francisco"}, "geo": {"latitude": "37.70"}}
    assert not holds({"==": ["/SANFRANCISCO", {"var": "page.path"}]}, context)
    assert not holds({"==": ["SAN FRANCISCO", {"var": "mbox.city"}]}, context, city="San Francisco")
    assert holds({"<": [{"var": "geo.latitude"}, 37.75]}, context)
    assert holds({"<": ["Z", {"var": "geo.city"}]}, {"geo": {"city": "bern"}})
    assert holds({"<": ["Z", {"var": "geo.city"}, "bernese"]}, {"geo": {"city": "bern"}})
    inner = {"==": [{"var": "mbox.city"}, "San Francisco"]}
    assert holds({"==": [{"or": [{"var": "geo.city"}, inner]}, True]}, context, city="San Francisco")
    assert not holds({"==": [{"or": [{"var": "geo.city"}, inner]}, True]}, context, city="SANFRANCISCO")


@pytest.mark.parametrize("inner", [{"==": ["x", {"var": "mbox.a"}]}, {"<": [1, {"var": "mbox.a"}, 2]}])
def test_after_what_is_compared_inside_places_compare_however_they_are_written(inner: Any) -> None:
    geo = {"geo": {"city": "San Francisco"}}
    assert holds({"==": ["SANFRANCISCO", {"or": [inner, {"var": "geo.city"}]}]}, geo)
    assert holds({"!=": ["BERN", {"or": [inner, {"var": "geo.city"}]}]}, geo)


def test_devices_that_were_browsers_are_still_found() -> None:
    agent = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
    )
    browser = {"var": "user.browserType"}
    for listed in ("iphone", "safari"):
        assert holds({"==": [listed, browser]}, {"userAgent": agent})
        assert holds({"in": [browser, ["ipad", listed]]}, {"userAgent": agent})
        assert not holds({"!=": [listed, browser]}, {"userAgent": agent})
    assert not holds({"==": ["ipad", browser]}, {"userAgent": agent})
    assert not holds({"==": ["iphone", browser]}, {"userAgent": FIREFOX})
    assert holds({"!=": ["iphone", browser]}, {"userAgent": FIREFOX})
