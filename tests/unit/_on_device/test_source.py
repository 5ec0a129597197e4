"""Asking for the artifact: past caches, with the caller's own headers, nothing that is too much."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from target import OptionsError, TargetClient, TargetError
from target._on_device.artifact_cache import write_cache
from target._on_device.artifact_source import require_bounds
from target.errors import ArtifactError
from tests.kit.calls import ACCOUNT, eventually
from tests.kit.cdn import Cdn, Owner, artifact, encoded, keeping, mbox_of
from tests.kit.loopback import Answer, LoopbackServer, serving
from tests.kit.processes import run_script

SECRET = "Bearer s3cret"
EMPTY = b'{"version":"1.0.0","rules":{"mboxes":{"home":['


def sent(cdn: Cdn, name: str) -> list[str | None]:
    return [received.headers.get(name) for received in cdn.server.received]


def test_every_download_asks_past_the_caches(cdn: Cdn, owner: Owner) -> None:
    with keeping(owner, artifact_location=cdn.url, polling_interval_s=0.05):
        eventually(lambda: len(cdn.server.received) >= 3)
    assert set(sent(cdn, "Cache-Control")) == {"no-cache"}
    assert sent(cdn, "If-None-Match")[:2] == [None, '"one"']


def test_own_headers_go_along_each_time(cdn: Cdn, owner: Owner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = iter(range(100))
    headers: Callable[[], dict[str, str]] = lambda: {"Authorization": f"{SECRET}-{next(tokens)}", "X-Key": "k"}  # noqa: E731
    with keeping(owner, artifact_location=cdn.url, polling_interval_s=0.05, artifact_headers=headers):
        eventually(lambda: len(cdn.server.received) >= 3)
    assert sent(cdn, "Authorization")[:3] == [f"{SECRET}-{n}" for n in range(3)]
    assert sent(cdn, "X-Key")[0] == "k"
    assert "s3cret" not in caplog.text + repr(owner.told)


@pytest.mark.waits
def test_a_function_that_fails_costs_its_download_and_no_more(cdn: Cdn, owner: Owner) -> None:
    state: dict[str, Any] = {"error": None}

    def headers() -> dict[str, str]:
        if state["error"] is not None:
            raise state["error"]
        return {"Authorization": SECRET}

    with keeping(owner, artifact_location=cdn.url, polling_interval_s=0.05, artifact_headers=headers) as keeper:
        eventually(lambda: mbox_of(keeper) == "home")
        state["error"] = SystemExit("s3cret")
        eventually(lambda: owner.errors() != [], 10)
        assert isinstance(owner.errors()[-1], OptionsError)
        assert "raised SystemExit" in str(owner.errors()[-1])
        assert mbox_of(keeper) == "home"
        cdn.body, cdn.etag = artifact("other"), '"two"'
        state["error"] = None
        eventually(lambda: mbox_of(keeper) == "other", 10)
    assert set(sent(cdn, "Authorization")) == {SECRET}
    assert "s3cret" not in repr(owner.told)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_own_headers_go_to_no_other_host(status: int, cdn: Cdn, owner: Owner) -> None:
    with serving() as elsewhere:
        cdn.server.answer = lambda _: Answer(b"", status, {"Location": f"{elsewhere.url}/rules.json"})
        with keeping(owner, artifact_location=cdn.url, artifact_headers={"Authorization": SECRET}):
            eventually(lambda: len(cdn.server.received) >= 2)
        assert elsewhere.received == []


def test_own_headers_do_not_go_to_the_geo_service_nor_with_calls(server: LoopbackServer) -> None:
    def answer(received: Any) -> Answer:
        return Answer(artifact(geoTargetingEnabled=True) if "rules" in received.target else {})

    server.answer = answer
    with TargetClient.create(
        **ACCOUNT, server_domain=server.domain, secure=False, edge_routing=False,
        cdn_base_path=server.url, decisioning_method="on-device", artifact_headers={"Authorization": SECRET},
    ) as client:  # fmt: skip
        request = {"context": {"geo": {"ipAddress": "203.0.113.7"}}, "execute": {"mboxes": [{"name": "home"}]}}
        client.get_offers(request=request)
    told = {received.target.partition("?")[0]: received.headers.get("Authorization") for received in server.received}
    assert told == {"/acme/production/v1/rules.json": SECRET, "/v1/geo": None, "/rest/v1/delivery": None}


@pytest.mark.waits
@pytest.mark.parametrize("wrong", ["nobody listens", "no JSON", "no gzip", "too much"])
def test_no_error_leads_to_own_headers(wrong: str, cdn: Cdn, owner: Owner) -> None:
    cdn.answers = [Answer(b"{" if wrong == "no JSON" else HOSTILE["numbers"], headers={})] * 9
    if wrong == "no gzip":
        cdn.answers = [Answer(b"{}", headers={"Content-Encoding": "gzip"})] * 9
    url = "http://127.0.0.1:9/rules.json" if wrong == "nobody listens" else cdn.url
    with keeping(owner, artifact_location=url, artifact_headers=lambda: {"Authorization": SECRET}):
        assert eventually(lambda: owner.errors() != [], 10)
    (error,) = owner.errors()
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert "s3cret" not in "".join(shown.format())


@pytest.mark.waits
def test_private_rules_without_a_token(cdn: Cdn, owner: Owner) -> None:
    cdn.status = 401
    with keeping(owner, artifact_location=cdn.url):
        eventually(lambda: owner.errors() != [], 10)
    assert "artifact_headers has no token that opens them" in str(owner.errors()[0])


HOSTILE = {
    "empty rules": EMPTY + b"{}," * 3_000_000 + b"{}]}}}",
    "empty lists": EMPTY + b"[]," * 3_000_000 + b"{}]}}}",
    "numbers": EMPTY + b"0," * 3_000_000 + b"0]}}}",
    "nothing but brackets": b"[" * 3_000_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_more_values_than_rules_ever_hold(kind: str) -> None:
    with pytest.raises(ArtifactError, match="more JSON values than may be"):
        require_bounds(HOSTILE[kind], None)


@pytest.mark.waits
def test_an_artifact_of_too_many_values_is_not_parsed(cdn: Cdn, owner: Owner) -> None:
    cdn.body = HOSTILE["empty rules"]
    with keeping(owner, artifact_location=cdn.url) as keeper:
        eventually(lambda: owner.errors() != [], 10)
        assert keeper.current is None
    assert isinstance(owner.errors()[0], ArtifactError)
    assert "more JSON values than may be" in str(owner.errors()[0])


def test_what_may_be_can_be_said(cdn: Cdn, owner: Owner) -> None:
    content = encoded(artifact(more=[0] * 2000))
    cdn.body = content
    with pytest.raises(ArtifactError):
        require_bounds(content, 1000)
    with keeping(owner, artifact_location=cdn.url, max_response_values=3000) as keeper:
        eventually(lambda: mbox_of(keeper) == "home")


@pytest.mark.waits
def test_a_cache_file_of_too_many_values_is_not_parsed(
    cdn: Cdn, owner: Owner, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cdn.status = 500
    path = tmp_path / "rules"
    write_cache(path, cdn.url, None, HOSTILE["empty rules"])
    with keeping(owner, artifact_location=cdn.url, artifact_cache=path) as keeper:
        eventually(lambda: owner.errors() != [], 10)
        assert keeper.current is None
    assert "artifact_cache is not used: The artifact holds more JSON values than may be" in caplog.text


def test_rules_that_are_nearly_all_conditions_may_be_as_many_as_an_account_may_have() -> None:
    """10,000 activities with 50 audiences at each place."""
    audience = {"==": ["BERLIN", {"var": "geo.city"}]}
    rule = {"ruleKey": "1", "activityId": "1", "condition": {"or": [audience] * 50}, "consequence": {}}
    content = json.dumps([rule] * 10_000, separators=(",", ":")).encode()
    require_bounds(content, None)


MEASURE = """
import gzip, resource, sys, threading, time
from tests.kit.loopback import Answer, serving
from tests.kit.cdn import Owner, artifact, encoded, keeping, mbox_of
kind, size = sys.argv[1], 20 * 2**20
from tests.unit._on_device.test_source import EMPTY
pieces = {"rules": b"{},", "lists": b"[],", "deep": b"[", "text": b"x"}
pieces |= {"padded": b'{"a":1}      ,', "or": b'{"var":"x"}     ,'}
ends = {"text": (b'"', b'"'), "padded": (b"", b"{}"), "or": (b'{"condition":{"or":[', b"0]}}")}
begin, end = ends.get(kind, (b"", b""))
body = EMPTY + begin + pieces[kind] * (size // len(pieces[kind])) + end + b"]}}}"
packed = gzip.compress(body, 1)
del body
owner = Owner()
with serving(lambda _: Answer(packed, headers={"Content-Encoding": "gzip"})) as server:
    with keeping(owner, artifact_location=server.url + "/warm", maximum_wait_ready_s=0.0):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with keeping(owner, artifact_location=server.url + "/rules.json") as keeper:
        ends_at = time.monotonic() + 50
        while not owner.told and time.monotonic() < ends_at:
            time.sleep(0.05)
        if keeper.current is not None:
            keeper.current.mboxes["home"]
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / size)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux")
@pytest.mark.parametrize("kind", ["rules", "lists", "deep", "text", "padded", "or"])
def test_memory_stays_within_the_documented_multiple_of_the_size(kind: str) -> None:
    assert float(run_script(MEASURE, kind)) < 20


@pytest.mark.waits
def test_every_error_is_one_of_this_package(cdn: Cdn, owner: Owner) -> None:
    cdn.body = b"{"
    with keeping(owner, artifact_location=cdn.url):
        eventually(lambda: owner.errors() != [], 10)
    assert all(isinstance(error, TargetError) for error in owner.errors())
