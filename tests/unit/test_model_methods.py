"""``from_headers`` is where users look for it, and the classes that have it are the generated ones."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import target
from target import ClientHints, Context, DeliveryRequest, ExecuteRequest, OptionsError, RequestDetails
from target_delivery_api import models
from tests.kit.built_calls import offers
from tests.kit.processes import ROOT

HEADERS = {
    "User-Agent": "Mozilla/5.0",
    "Referer": "https://search.example/",
    "Sec-CH-UA-Platform": '"macOS"',
    "Sec-CH-UA-Mobile": "?0",
    "X-Forwarded-For": "203.0.113.7",
}


def test_the_classes_are_the_generated_ones() -> None:
    assert target.Context is models.Context
    assert target.ClientHints is models.ClientHints


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", ["from target import *", "import target_delivery_api.models", "import target.headers"]
)
def test_whatever_is_imported_first(first: str) -> None:
    """A process of its own, since this one has imported everything long ago."""
    code = (
        f"{first}\nimport target\n"
        "from target_delivery_api.models import Context as generated, DeliveryRequest\n"
        "context = target.Context.from_headers({'User-Agent': 'x'})\n"
        "assert type(context) is generated is target.Context\n"
        "assert isinstance(DeliveryRequest.from_dict({'context': {}}).context, target.Context)\n"
        "assert target.ClientHints.from_headers({'Sec-CH-UA-Mobile': '?1'}).mobile is True\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_a_context_from_headers_is_a_context() -> None:
    context = Context.from_headers(HEADERS, url="https://shop.example/", client_address="192.0.2.1", trusted_proxies=1)
    assert type(context) is models.Context
    assert context == Context.from_dict(context.to_dict())
    assert copy.deepcopy(context) == pickle.loads(pickle.dumps(context)) == context
    assert context.to_dict() == {
        "channel": "web",
        "userAgent": "Mozilla/5.0",
        "clientHints": {"mobile": False, "platform": "macOS"},
        "address": {"url": "https://shop.example/", "referringUrl": "https://search.example/"},
        "geo": {"ipAddress": "203.0.113.7"},
    }


def test_it_is_sent_as_it_is() -> None:
    context = Context.from_headers(HEADERS, client_address="192.0.2.1")
    sent = offers(DeliveryRequest(context=context, execute=ExecuteRequest(page_load=RequestDetails()))).body["context"]
    assert sent == {**context.to_dict(), "timeOffsetInMinutes": 120}
    assert sent["geo"] == {"ipAddress": "192.0.2.1"}, "an address that no proxy of ours wrote counts for nothing"


def test_hints_alone() -> None:
    hints = ClientHints.from_headers([(b"sec-ch-ua-platform", b'"Android"'), (b"sec-ch-ua-mobile", b"?1")])
    assert type(hints) is models.ClientHints
    assert hints.to_dict() == {"platform": "Android", "mobile": True}


def test_no_header_is_no_field() -> None:
    assert ClientHints.from_headers({}).to_dict() == {}
    assert Context.from_headers({}).to_dict() == {"channel": "web"}


def test_mistakes_raise() -> None:
    with pytest.raises(OptionsError, match="headers must"):
        Context.from_headers("User-Agent: x")  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="headers must"):
        ClientHints.from_headers(None)  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="trusted_proxies must"):
        Context.from_headers({}, trusted_proxies="10.0.0.0/8")


def test_help_tells_what_it_takes() -> None:
    assert "X-Forwarded-For" in (Context.from_headers.__doc__ or "")
    assert "Sec-CH-UA" in (ClientHints.from_headers.__doc__ or "")


@pytest.mark.slow
def test_type_checkers_know_the_method(tmp_path: Path) -> None:
    user = tmp_path / "user.py"
    user.write_text(
        "from target import ClientHints, Context, DeliveryRequest\n"
        "context = Context.from_headers({'User-Agent': 'x'}, url='/', trusted_proxies=['10.0.0.0/8'])\n"
        "request = DeliveryRequest(context=context)\n"
        "made = DeliveryRequest(context=Context(channel='web', client_hints=ClientHints.from_headers({})))\n"
        "Context.from_headers({}, trusted_proxies=1.5)\n"
        "Context.from_haeders({})\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "mypy", "--config-file=", "--strict", "--cache-dir", tmp_path / "cache", user]
    environment = {**os.environ, "MYPYPATH": f"{ROOT}{os.pathsep}{ROOT / 'generated'}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)  # type: ignore[arg-type]
    lines = [line.split(":")[1] for line in done.stdout.splitlines() if line.startswith(user.name) and "error" in line]
    assert lines == ["5", "6"], done.stdout + done.stderr
