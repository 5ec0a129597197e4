"""Checks of the way to a host: each against a server that is as the check fears."""

from __future__ import annotations

import email.utils
import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from target.cli import checks
from target.cli.checks import BAD, GOOD, NOTE, Answer, Way, ask, check_artifact, check_certificate, check_clock
from tests.kit.loopback import Answer as Sent
from tests.kit.loopback import serving
from tests.kit.tls import Authority

URL = "http://a.example/rules.json"


def answered(body: object = b"", status: int = 200, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers, content, 1.0, time.time())


def dated(off_s: float) -> str:
    return email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=off_s), usegmt=True)


@pytest.mark.parametrize(
    ("off_s", "verdict", "said"),
    [(0, GOOD, "within 30 s"), (600, BAD, "behind the host"), (-600, BAD, "ahead of the host")],
)
def test_a_clock_that_is_off_is_a_finding(off_s: float, verdict: str, said: str) -> None:
    check = check_clock(answered(date=dated(off_s)))
    assert check.verdict == verdict
    assert said in check.found


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Nov 2026 10:00:00 GMT", "0", "Thu, 26 Nov 99999 1:1:1 GMT"])
def test_a_date_that_is_none_is_not_compared(date: str) -> None:
    assert check_clock(answered(date=date)).verdict == NOTE
    assert check_clock("no answer").verdict == NOTE


def test_rules_have_an_age() -> None:
    def rules(days: float, **more: object) -> Answer:
        made = (datetime.now(UTC) - timedelta(days=days)).isoformat().replace("+00:00", "Z")
        return answered({"version": "1.0.0", "meta": {"generatedAt": made}, **more})

    assert check_artifact(URL, rules(3)).found.endswith(", 3 days old")
    assert check_artifact(URL, rules(3)).verdict == GOOD
    old = check_artifact(URL, rules(90))
    assert (old.verdict, bool(old.advice)) == (NOTE, True)
    by_header = answered({"version": "1.0.0"})._replace(headers={"last-modified": dated(-86400 * 2)})
    assert check_artifact(URL, by_header).found.endswith(", 2 days old")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("refused", BAD),
        (answered(status=403), NOTE),
        (answered(status=404), NOTE),
        (answered(status=500), BAD),
        (answered(b"<html>"), BAD),
        (answered([]), BAD),
        (answered({"meta": 5}), BAD),
        (answered({"version": "1", "meta": 5}), BAD),
        (answered(b"[" * 100_000), BAD),
        (answered({"version": "1", "meta": {"generatedAt": "soon"}}), GOOD),
    ],
)
def test_rules_that_are_none_are_told_with_advice(answer: Answer | str, verdict: str) -> None:
    check = check_artifact(URL, answer)
    assert check.verdict == verdict
    assert bool(check.advice) == (verdict != GOOD)


@pytest.mark.parametrize(("days", "verdict"), [(400, GOOD), (3, BAD), (-3, BAD)])
def test_certificates_have_an_end(tmp_path: Path, days: int, verdict: str) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=days, hours=1))
    with serving(lambda _: Sent({}), tls=context) as server:
        check = check_certificate(f"https://{server.domain}", Way(authority.ca_certs))
    assert check.verdict == verdict, check
    assert bool(check.advice) == (verdict == BAD)
    if days > 0:
        assert f"valid until {datetime.now(UTC) + timedelta(days=days, hours=1):%Y-%m-%d}" in check.found
    else:
        assert "expired" in check.found


@pytest.mark.slow
def test_a_certificate_of_nobody_who_is_trusted_is_told(tmp_path: Path) -> None:
    with serving(lambda _: Sent({}), tls=Authority(tmp_path).server_context("127.0.0.1")) as server:
        check = check_certificate(f"https://{server.domain}")
        assert (check.verdict, "ca_certs" in check.advice) == (BAD, True)
        assert "certificate" in str(ask(f"https://{server.domain}"))
    nowhere = check_certificate(f"https://{server.domain}", Way(str(tmp_path / "nowhere.pem")))
    assert (nowhere.verdict, "ca_certs" in nowhere.advice) == (BAD, True)


def test_plain_http_has_no_certificate_and_a_proxy_hides_it() -> None:
    assert check_certificate("http://127.0.0.1:8080").verdict == NOTE
    assert check_certificate("https://a.example", Way(proxy="http://p.example:3128")).verdict == NOTE


@pytest.mark.waits
def test_every_check_ends_soon_whatever_a_host_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        started_s = time.monotonic()
        assert isinstance(ask(f"http://{host}"), str)
        assert check_certificate(f"https://{host}").verdict == BAD
    released = threading.Event()

    def hang(*_: object, **__: object) -> None:
        released.wait(30)
        raise OSError("let go")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert ask("http://a.example") == "no answer within 0 s"
    assert time.monotonic() - started_s < 10
    released.set()


def test_proxies_are_told_without_their_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert checks.check_proxy("http://a.example") == ("proxy", GOOD, "none", "")
    monkeypatch.setenv("http_proxy", "http://user:secret@p.example:3128")
    far = checks.check_proxy("http://a.example")
    assert (far.verdict, far.found) == (NOTE, "p.example is on the way to a.example")
    near = checks.check_proxy("http://127.0.0.1:8080")
    assert (near.verdict, near.advice) == (BAD, "set NO_PROXY=127.0.0.1, since no proxy leads to this machine")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert checks.check_proxy("http://127.0.0.1:8080").verdict == GOOD
    given = checks.check_proxy("http://a.example", Way(proxy="http://u:secret@q.example:1"))
    assert given.found == "q.example is on the way to a.example"
