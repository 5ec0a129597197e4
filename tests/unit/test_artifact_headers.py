"""Headers for private rules: what they may be, and that they show nowhere."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import OptionsError
from target.artifact_headers import ArtifactHeaders, parse_artifact_headers
from target.config import parse_client_options
from tests.kit.calls import ACCOUNT

TOKEN = "Bearer s3cret"


def parse(value: Any) -> ArtifactHeaders:
    return parse_artifact_headers("artifact_headers", value)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": TOKEN},
        {"Authorization": ""},
        {"authorization": "a"},
        {"X-Api-Key": 'a, b;c="d"', "Cookie": "CloudFront-Policy=x"},
        {"User-Agent": "shop/1"},
        {"X-Long": "x" * 16_384},
    ],
)
def test_headers_as_they_may_be(headers: dict[str, str]) -> None:
    assert parse(headers).current() == headers
    assert parse(lambda: headers).current() == headers


WRONG: list[tuple[Any, str]] = [
    ("Bearer s3cret", "must be a dict of headers, not str"),
    ([("Authorization", TOKEN)], "must be a dict of headers, not list"),
    (1, "not int"),
    ({"Authorization": b"Bearer s3cret"}, "must hold a string for 'Authorization', not bytes"),
    ({"Authorization": None}, "not NoneType"),
    ({"Authorization": 5}, "not int"),
    ({"Authorization": [TOKEN]}, "not list"),
    ({b"Authorization": TOKEN}, "must have names of headers as keys"),
    ({"": TOKEN}, "must have names of headers as keys"),
    ({"Bearer s3cret": "Authorization"}, "must have names of headers as keys"),
    ({"Authorization:": TOKEN}, "must have names of headers as keys"),
    ({"A\r\nHost": TOKEN}, "must have names of headers as keys"),
    ({"Authorization": "s3cret\r\nHost: evil"}, "in one line"),
    ({"Authorization": "s3cret\n"}, "in one line"),
    ({"Authorization": "s3cret\0"}, "printable ASCII"),
    ({"Authorization": " s3cret"}, "no blanks around it"),
    ({"Authorization": "s3cret "}, "no blanks around it"),
    ({"Authorization": "s3cret\u00e9"}, "printable ASCII"),
    ({"Authorization": "s3cret\ud800"}, "printable ASCII"),
    ({"Authorization": "s3cret" * 10_000}, "printable ASCII"),
    ({"Host": "evil"}, "may not hold 'Host', which this package sets itself"),
    ({"if-none-match": '"x"'}, "may not hold 'if-none-match'"),
    ({"Accept-Encoding": "br"}, "may not hold 'Accept-Encoding'"),
    ({"Cache-Control": "max-age=9"}, "may not hold 'Cache-Control'"),
    ({"Transfer-Encoding": "chunked"}, "may not hold"),
    ({"Content-Length": "5"}, "may not hold"),
    ({"Range": "bytes=0-5"}, "may not hold"),
    ({"Proxy-Authorization": "Basic s3cret"}, "may not hold"),
    ({"Authorization": TOKEN, "AUTHORIZATION": "x"}, "twice, in other letters"),
]


@pytest.mark.parametrize(("value", "says"), WRONG, ids=[says for _, says in WRONG])
def test_what_cannot_be_sent_is_refused_without_a_word_of_it(value: Any, says: str) -> None:
    with pytest.raises(OptionsError, match=says) as caught:
        parse_client_options({**ACCOUNT, "artifact_headers": value})
    assert "'artifact_headers'" in str(caught.value)
    with pytest.raises(OptionsError, match=says) as returned:
        parse(lambda: value).current()
    for error in (caught.value, returned.value):
        assert "s3cret" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("error", [KeyError("s3cret"), SystemExit("s3cret"), OptionsError("s3cret")])
def test_a_function_that_raises(error: BaseException) -> None:
    def headers() -> dict[str, str]:
        raise error

    with pytest.raises(OptionsError, match=f"raised {type(error).__name__}: it must return a dict") as caught:
        parse(headers).current()
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_an_async_function_is_refused_before_it_is_called() -> None:
    async def headers() -> dict[str, str]:
        return {}

    with pytest.raises(OptionsError, match="not an async one"):
        parse(headers)


def test_a_function_that_returns_nothing() -> None:
    with pytest.raises(OptionsError, match="must be a dict of headers, not NoneType"):
        parse(lambda: None).current()


def test_the_dict_is_copied_and_the_function_asked_each_time() -> None:
    given = {"Authorization": "1"}
    fixed, fresh = parse(given), parse(lambda: given)
    given["Authorization"] = "2"
    assert (fixed.current(), fresh.current()) == ({"Authorization": "1"}, {"Authorization": "2"})
    fixed.current()["Authorization"] = "3"
    assert fixed.current() == {"Authorization": "1"}


def test_they_show_in_no_repr() -> None:
    options = {**ACCOUNT, "decisioning_method": "on-device"}
    config = parse_client_options({**options, "artifact_headers": {"Authorization": TOKEN}})
    assert config.on_device is not None
    assert config.on_device.artifact_headers is not None
    assert config.on_device.artifact_headers.current() == {"Authorization": TOKEN}
    assert "s3cret" not in repr(config)
    with pytest.raises(Exception, match="pickle"):
        pickle.dumps(config.on_device.artifact_headers, 0)


@given(st.dictionaries(st.text(), st.text()))
def test_what_is_taken_is_one_header_to_a_line(headers: dict[str, str]) -> None:
    try:
        taken = parse(headers).current()
    except OptionsError:
        return
    lines = "\r\n".join(f"{name}: {value}" for name, value in taken.items())
    assert lines.count("\n") == max(len(taken) - 1, 0)
    assert lines.isascii()
