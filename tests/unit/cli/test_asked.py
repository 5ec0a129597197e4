"""Flags and files become requests: whatever they hold, a request or one line that says where it is wrong."""

from __future__ import annotations

import io
import json
import string
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from target.cli.asked import asking_options, build_request, call_options, take_asked
from target.emulator import Emulator
from tests.unit.cli.conftest import Target

NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=12).filter(lambda it: it[0] != "-")
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
PAIRS = st.dictionaries(NAMES, VALUES, max_size=3)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def built(*arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and options that a command line comes to."""
    made: list[Any] = []

    @click.command()
    @click.argument("mboxes", nargs=-1)
    @asking_options
    def command(mboxes: tuple[str, ...], **given: Any) -> None:
        asked = take_asked(given)
        assert not given
        made.extend((build_request(mboxes, asked), call_options(asked)))

    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    request, options = made
    return request, options


@given(st.lists(NAMES, min_size=1, max_size=3), PAIRS, PAIRS, PAIRS, st.booleans())
def test_flags_say_what_is_asked(
    mboxes: list[str], params: dict[str, str], profile: dict[str, str], codes: dict[str, str], later: bool
) -> None:
    arguments = [*mboxes, *(["--prefetch"] if later else [])]
    for flag, pairs in (("--param", params), ("--profile-param", profile), ("--customer-id", codes)):
        arguments += [each for name, value in pairs.items() for each in (flag, f"{name}={value}")]
    request, options = built(*arguments)
    part = {**({"parameters": params} if params else {}), **({"profileParameters": profile} if profile else {})}
    assert request == {"prefetch" if later else "execute": {"mboxes": [{"name": name, **part} for name in mboxes]}}
    assert options.get("customer_ids", {}) == {
        code: {"id": value, "authState": "unknown"} for code, value in codes.items()
    }


@given(TEXTS, TEXTS, TEXTS, st.floats(-90, 90))
def test_flags_say_who_and_where_the_visitor_is(text: str, url: str, agent: str, latitude: float) -> None:
    flags = {"--tnt-id": text, "--third-party-id": text, "--ecid": text, "--cookie": text, "--session-id": text}
    request, options = built(
        "home",
        *(each for pair in flags.items() for each in pair),
        *("--url", url, "--referrer", url, "--user-agent", agent, "--location-hint", "38"),
        *("--geo", f"latitude={latitude}", "--geo", f"city={text}"),
    )
    assert request["id"] == dict.fromkeys(("tntId", "thirdPartyId", "marketingCloudVisitorId"), text)
    assert request["context"] == {
        "address": {"url": url, "referringUrl": url},
        "userAgent": agent,
        "geo": {"latitude": latitude, "city": text},
    }
    assert options == {"target_cookie": text, "session_id": text, "target_location_hint": "38"}


def test_flags_add_to_the_request_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    own = {
        "context": {"channel": "mobile", "geo": {"countryCode": "US"}},
        "execute": {"mboxes": [{"name": "a", "parameters": {"x": "1", "y": "2"}}], "pageLoad": {}},
        "prefetch": {"views": [{"name": "cart"}]},
    }
    path.write_text(json.dumps(own))
    request, _ = built("b", "--param", "x=3", "--geo", "city=Basel", "--view", "pay", "--trace", "--request", str(path))
    assert request == {
        "context": {"channel": "mobile", "geo": {"countryCode": "US", "city": "Basel"}},
        "execute": {
            "mboxes": [{"name": "a", "parameters": {"x": "3", "y": "2"}}, {"name": "b", "parameters": {"x": "3"}}],
            "pageLoad": {"parameters": {"x": "3"}},
        },
        "prefetch": {"views": [{"name": name, "parameters": {"x": "3"}} for name in ("cart", "pay")]},
        "trace": {},
    }


@pytest.mark.parametrize("flag", ["--param", "--profile-param", "--customer-id", "--geo"])
@pytest.mark.parametrize("value", ["", "secret-id", "=secret-id"])
def test_what_is_no_pair_is_told_and_not_quoted(target: Target, flag: str, value: str) -> None:
    ended = target("offers", "home", flag, value)
    assert ended == (2, "", f"target offers: {flag}: write NAME=VALUE (see target offers --help)\n")


def test_places_have_names_and_numbers(target: Target) -> None:
    wrong = target("offers", "home", "--geo", "planet=Mars")
    assert "--geo: 'planet' is none of ip, country, region, city, zip, latitude, longitude" in wrong.err
    assert "--geo: latitude is a number, not 'north'" in target("offers", "home", "--geo", "latitude=north").err
    assert wrong.code == 2


#: Files that hold no request: what is said of each, after its name.
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "line 1, column 1: not JSON (Expecting value)"),
    "cut short": (b'{"execute":', "line 1, column 12: not JSON (Expecting value)"),
    "binary": (b"\x00\xff\xfe\x80", "byte 1: not UTF-8"),
    "a list": (b"[]", "must be a JSON object, not list"),
    "too deep": (b'{"a":' * 200_000, "nested too deeply"),
    "a long number": (b'{"a":' + b"9" * 5000 + b"}", "has a number of too many digits"),
    "a name of another type": (b'{"execute":{"mboxes":[{"name":5}]}}', "/execute/mboxes/0/name: must be a string"),
    "mboxes of another type": (b'{"execute":{"mboxes":{}}}', "/execute/mboxes: must be a list, not dict"),
    "a section of another type": (b'{"execute":5}', "/execute: must be "),
    "no number": (b'{"prefetch":{"views":[{"name":"a","parameters":{"b":NaN}}]}}', "/prefetch/views/0/parameters/b: "),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_holds_no_request_is_one_line(
    target: Target, emulator: Emulator, rules: Path, tmp_path: Path, case: str
) -> None:
    content, said = HOSTILE[case]
    path = tmp_path / "request.json"
    path.write_bytes(content)
    for command in (["offers", "--emulator", emulator.url], ["explain", rules]):
        ended = target(*command, "--request", path)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.startswith(f"target: {path}: {said}")
        assert ended.err.count("\n") == 1
    assert not emulator.received


def test_a_request_comes_from_standard_input_too(
    target: Target, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stdin(text: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))

    stdin(b'\xef\xbb\xbf{"execute":{"mboxes":[{"name":"home"}]}}')
    assert target("offers", "--request", "-", "--emulator", emulator.url).code == 0
    stdin(b"{")
    assert target("offers", "--request", "-").err.startswith("target: standard input: line 1, column 2: not JSON")


def test_files_that_cannot_be_read_say_why(target: Target, tmp_path: Path) -> None:
    assert target("offers", "--request", "nowhere.json").err == (
        "target: nowhere.json: cannot be read (No such file or directory)\n"
    )
    assert "Is a directory" in target("offers", "--request", tmp_path).err


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=8,
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "execute": JSON | st.fixed_dictionaries({"mboxes": JSON | st.lists(st.fixed_dictionaries({"name": JSON}))}),
        "prefetch": JSON | st.fixed_dictionaries({"views": JSON}),
        "context": JSON,
        "id": JSON,
    },
)


@given(REQUESTS)
def test_whatever_a_file_holds_flags_make_it_a_request_or_one_line(request: dict[str, Any]) -> None:
    @click.command()
    @asking_options
    def command(**given: Any) -> None:
        build_request(["home"], take_asked(given))

    flags = ["--param", "a=b", "--tnt-id", "t", "--url", "u", "--view", "v", "--request", "-"]
    result = CliRunner().invoke(command, flags, input=json.dumps(request))
    assert result.exit_code in (0, 1)
    if result.exit_code:
        assert isinstance(result.exception, SystemExit)
        assert result.output.count("\n") == 1
