from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.address import host_of, parse_address, parse_query


def parts(url: Any, *names: str) -> tuple[str, ...]:
    return tuple(parse_address(url)[name] for name in names)


@pytest.mark.parametrize(
    ("url", "domain", "subdomain", "top_level_domain"),
    [
        ("http://some.subdomain.google.co.uk", "google.co.uk", "some.subdomain", "co.uk"),
        ("http://Blog.Myfavesite.GeoCities.com/Posts", "geocities.com", "blog.myfavesite", "com"),
        ("https://www.a.b.com", "b.com", "a", "com"),
        ("https://www.b.com", "b.com", "", "com"),
        ("https://wwwx.b.com", "b.com", "wwwx", "com"),
        ("https://a.www.b.com", "b.com", "a.www", "com"),
        ("http://local-target-test:8080/x", "local-target-test", "", ""),
        ("http://intranet.local/x", "intranet.local", "", ""),
        ("http://user:secret@shop.example.org:8443/x", "example.org", "shop", "org"),
        (
            "https://test.wayne-enterprises.us-east-1.elasticbeanstalk.com",
            "wayne-enterprises.us-east-1.elasticbeanstalk.com",
            "test",
            "us-east-1.elasticbeanstalk.com",
        ),
        ("http://127.0.0.1:8000/", "127.0.0.1", "", ""),
        ("http://[::1]:8000/", "::1", "", ""),
        ("//cdn.example.com/x", "example.com", "cdn", "com"),
        ("/only/a/path", "", "", ""),
        ("", "", "", ""),
        (None, "", "", ""),
        (5, "", "", ""),
    ],
)
def test_hosts(url: Any, domain: str, subdomain: str, top_level_domain: str) -> None:
    assert parts(url, "domain", "subdomain", "topLevelDomain") == (domain, subdomain, top_level_domain)


def test_path_query_and_fragment_keep_their_case_and_have_a_lower_case_twin() -> None:
    url = "http://Blog.Myfavesite.GeoCities.com/Posts?Page=1&b=?#Bottom"
    assert parts(url, "url", "path", "query", "fragment") == (url, "/Posts", "Page=1&b=?", "Bottom")
    assert parts(url, "url_lc", "path_lc", "query_lc", "fragment_lc") == (url.lower(), "/posts", "page=1&b=?", "bottom")
    assert parts(url, "domain_lc", "subdomain_lc") == ("geocities.com", "blog.myfavesite")


def test_host_is_without_port_and_credentials() -> None:
    assert host_of("HTTP://a:b@Shop.Example.com:80/x?y@z") == "shop.example.com"


def test_long_urls_are_read_too() -> None:
    assert parts("http://example.com/" + "x" * 10_000, "domain") == ("example.com",)
    assert parts(f"http://{'x' * 100_000}.com/", "topLevelDomain") == ("",)


@given(st.one_of(st.text(), st.text().map(lambda text: f"http://{text}"), st.integers(), st.none()))
def test_any_url_gives_every_part_as_text(url: Any) -> None:
    found = parse_address(url)
    assert len(found) == 14
    assert all(isinstance(text, str) for text in found.values())


def test_of_a_query_that_is_too_long_the_beginning_is_read() -> None:
    assert parse_query("a=1&b=%20x&" + "%" * 1_000_000)["b"] == " x"
    assert "c" not in parse_query("a=1&" + "x" * 10_000 + "&c=1")
    assert parse_query("") == {}


@pytest.mark.parametrize(
    ("url", "host"),
    [("http://X.example.com/a", "x.example.com"), ("//[::1]:80", "::1"), ("/a", ""), (None, ""), (b"//a", "")],
)
def test_the_host_of_an_address(url: Any, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("length", [1, 1024, 1025, 5000])
def test_an_address_of_any_length_is_read_and_only_a_short_one_kept(length: int) -> None:
    url = "https://shop.example.com/".ljust(length, "a")[:length]
    assert parse_address(url)["url"] == url
    assert (parse_address(url) is parse_address(url)) is (length <= 1024)


@pytest.mark.parametrize(("length", "domain"), [(255, 11), (256, 256)])
def test_a_host_that_no_name_server_knows_is_its_own_domain(length: int, domain: int) -> None:
    host = ("a." * 200)[-(length - 11) :] + "example.com"
    assert len(host) == length
    found = parse_address(f"http://{host}/")
    assert (len(found["domain"]), found["topLevelDomain"]) == (domain, "com" if domain == 11 else "")
    assert found["subdomain"] == ("" if domain == length else host.removesuffix(".example.com"))
