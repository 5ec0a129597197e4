"""The artifact: fetched, kept, replaced, retried; over real HTTP, with real threads and forks."""

from __future__ import annotations

import gzip
import logging
import time
from typing import Any

import pytest
import time_machine

from target._on_device import artifact_rotation
from target._on_device.artifact_source import Fetched
from target.errors import ArtifactError, TargetTimeout, TransportError
from target.events import ARTIFACT_CONFIRMED, ARTIFACT_DOWNLOAD_FAILED, ARTIFACT_DOWNLOAD_SUCCEEDED, CLIENT_READY
from target.protocols import FetchedArtifact
from tests.kit.calls import eventually, timed
from tests.kit.cdn import Cdn, Owner, artifact, configs, encoded, keeping, mbox_of, noting, pauses
from tests.kit.loopback import Answer
from tests.kit.raw_servers import hang, raw_server
from tests.kit.threads import threads_of


def test_the_first_artifact_makes_it_ready_and_is_told(cdn: Cdn, owner: Owner) -> None:
    with keeping(owner, artifact_location=cdn.url, polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
        assert mbox_of(keeper) == "home"
        assert eventually(lambda: owner.told)
        assert owner.told == [
            (ARTIFACT_DOWNLOAD_SUCCEEDED, {"artifact_payload": artifact(), "artifact_location": cdn.url})
        ]
        time.sleep(0.1)
        assert len(cdn.asked) == 1  # an interval of 0 is the first download only
        (times,) = owner.times
        assert times.size == len(encoded(artifact()))
        assert times.execution_ms >= times.parsing_ms + times.first_byte_ms > 0
    assert threads_of("target-artifact") == []


def test_the_request_is_a_get_that_accepts_gzip(cdn: Cdn, owner: Owner) -> None:
    cdn.answers = [Answer(gzip.compress(encoded(artifact())), headers={"Content-Encoding": "gzip"})]
    with keeping(owner, artifact_location=f"{cdn.url}?sig=1", polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
    (received,) = cdn.server.received
    assert received.target == "/rules.json?sig=1"
    assert received.content == b""
    assert "gzip" in received.headers["Accept-Encoding"]


def test_polling_replaces_the_artifact_and_asks_only_for_a_newer_one(cdn: Cdn, owner: Owner) -> None:
    with keeping(owner, artifact_location=cdn.url, polling_interval_s=0.05) as keeper:
        assert keeper.wait_until_ready(5)
        first = keeper.current
        assert eventually(lambda: len(cdn.asked) >= 3)
        assert keeper.current is first
        assert cdn.asked[:3] == [None, '"one"', '"one"']
        cdn.body, cdn.etag = artifact("checkout"), '"two"'
        assert eventually(lambda: mbox_of(keeper) == "checkout")
        assert eventually(lambda: cdn.asked[-1] == '"two"')
        assert owner.names() == [ARTIFACT_DOWNLOAD_SUCCEEDED] * 2  # an answer 304 is no download
        assert len(owner.times) == 2


BAD_ARTIFACTS = {
    "truncated": encoded(artifact("checkout"))[:-20],
    "not JSON": b"<html>maintenance</html>",
    "a list": b"[]",
    "wrong version": encoded(artifact("checkout", version="99.0.0")),
    "no rules": b'{"version": "1.0.0"}',
    "nested too deep": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe\x00",
    "empty": b"",
}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("body", BAD_ARTIFACTS.values(), ids=BAD_ARTIFACTS)
def test_a_bad_new_artifact_keeps_the_last_good_one(body: bytes, cdn: Cdn, owner: Owner) -> None:
    with keeping(owner, artifact_location=cdn.url, polling_interval_s=0.05) as keeper:
        assert keeper.wait_until_ready(5)
        cdn.body, cdn.etag = body, '"bad"'
        assert eventually(owner.errors)
        assert mbox_of(keeper) == "home"
        assert isinstance(owner.errors()[0], ArtifactError)
        assert set(cdn.asked[1:]) == {'"one"'}  # the ETag of what is kept
        cdn.body, cdn.etag = artifact("checkout"), '"two"'
        assert eventually(lambda: mbox_of(keeper) == "checkout")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("status", "says"),
    [
        (403, "on-device decisioning is off for this client"),
        (404, "there is no artifact"),
        (500, "answered 500"),
        (302, "answered 302"),
        (204, "answered 204"),
        (304, "answered 304"),
    ],
)
def test_a_refusal_is_told(status: int, says: str, cdn: Cdn, owner: Owner) -> None:
    cdn.status = status
    with keeping(owner, artifact_location=cdn.url, polling_interval=0) as keeper:
        assert eventually(lambda: owner.told)
        assert not keeper.wait_until_ready(0.01)
        (name, payload) = owner.told[0]
        assert name == ARTIFACT_DOWNLOAD_FAILED
        assert payload["artifact_location"] == cdn.url
        assert isinstance(payload["error"], TransportError)
        assert says in str(payload["error"])
        assert len(cdn.asked) == 3


@pytest.mark.waits
def test_a_download_is_tried_three_times_within_about_two_seconds(cdn: Cdn, owner: Owner) -> None:
    moments = noting(cdn)
    cdn.answers = [Answer(None, 503, {"Connection": "close"}), lambda sock: None]
    with keeping(owner, artifact_location=cdn.url, polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
        assert eventually(lambda: owner.told)
    assert owner.names() == [ARTIFACT_DOWNLOAD_SUCCEEDED]  # what was mended in time is not told
    assert pauses(moments) == pytest.approx([0.5, 1.5], abs=0.2)


def test_until_the_first_success_attempts_come_after_a_second_then_two_then_at_most_sixty(
    cdn: Cdn, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", ())
    config, client_config = configs(artifact_location=cdn.url, polling_interval=3_600_000)
    rotation = artifact_rotation.ArtifactRotation(config, client_config, owner.emit, None)
    waits = []
    for _ in range(9):
        rotation.take(TransportError("down"))
        waits.append(round(rotation.due_in_s() or 0))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    rotation.take(Fetched(FetchedArtifact(encoded(artifact()))))
    assert round(rotation.due_in_s() or 0) == 3600
    rotation.take(TransportError("down"))
    assert round(rotation.due_in_s() or 0) == 3600


def test_a_hanging_cdn_holds_up_nobody(owner: Owner) -> None:
    with raw_server(hang) as server:
        with keeping(owner, artifact_location=f"http://{server.domain}/rules.json") as keeper:
            assert timed(lambda: keeper.wait_until_ready(0.1)) < 3
            assert keeper.current is None
            assert eventually(lambda: server.connections)
            assert timed(lambda: keeper.close(5)) < 4  # the download is ended, not waited for
        assert threads_of("target-artifact") == []
    assert owner.told == []


def test_each_try_has_a_deadline(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_rotation, "TRY_S", 0.1)
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.02, 0.03))
    with raw_server(hang) as server:
        where = f"http://{server.domain}/rules.json?signature=secret"
        with keeping(owner, artifact_location=where, timeout=100) as keeper:
            assert eventually(lambda: owner.told)
            assert keeper.current is None
    assert isinstance(owner.errors()[0], TargetTimeout)
    assert "secret" not in str(owner.errors()[0])


@pytest.mark.usefixtures("hasty")
def test_a_file_that_is_too_large_is_refused_however_it_was_packed(cdn: Cdn, owner: Owner) -> None:
    packed = gzip.compress(b" " * 10_000_000)
    cdn.answers = [Answer(packed, headers={"Content-Encoding": "gzip"})] * 3
    with keeping(owner, artifact_location=cdn.url, max_response_bytes=1_000_000):
        assert eventually(lambda: owner.told)
    assert "larger than max_response_bytes (1000000)" in str(owner.errors()[0])


def test_a_payload_is_the_first_artifact_without_a_download(cdn: Cdn, owner: Owner) -> None:
    payload = artifact("given")
    with keeping(owner, artifact_location=cdn.url, artifact_payload=payload, polling_interval_s=0.3) as keeper:
        assert mbox_of(keeper) == "given"  # at once, not when some thread gets to it
        assert keeper.wait_until_ready(0)
        assert cdn.asked == []
        assert eventually(lambda: mbox_of(keeper) == "home")
        assert cdn.asked == [None]
    with keeping(owner, artifact_location=cdn.url, artifact_payload=payload, polling_interval=0):
        time.sleep(0.1)
    assert len(cdn.asked) == 1


def test_a_bad_payload_is_told_and_the_artifact_downloaded(cdn: Cdn, owner: Owner) -> None:
    with keeping(owner, artifact_location=cdn.url, artifact_payload={"version": "99.0.0"}) as keeper:
        assert keeper.wait_until_ready(5)
        assert eventually(lambda: len(owner.told) == 2)
    assert owner.names() == [ARTIFACT_DOWNLOAD_FAILED, ARTIFACT_DOWNLOAD_SUCCEEDED]
    assert "99.0.0) is not supported" in str(owner.errors()[0])


def test_client_ready_comes_once_after_it_was_announced_and_there_is_an_artifact(cdn: Cdn, owner: Owner) -> None:
    with keeping(owner, artifact_location=cdn.url, polling_interval_s=0.05) as keeper:
        assert keeper.wait_until_ready(5)
        time.sleep(0.15)
        assert CLIENT_READY not in owner.names()
        keeper.announce()
        announced = time.monotonic()
        assert eventually(lambda: CLIENT_READY in owner.names())
        assert time.monotonic() - announced >= 0.09
        keeper.announce()
        time.sleep(0.15)
        assert owner.names().count(CLIENT_READY) == 1


@pytest.mark.usefixtures("hasty")
def test_client_ready_waits_for_an_artifact(cdn: Cdn, owner: Owner) -> None:
    cdn.status = 500
    with keeping(owner, artifact_location=cdn.url, polling_interval=0) as keeper:
        keeper.announce()
        assert eventually(lambda: owner.told)
        cdn.status = 200
        assert eventually(lambda: CLIENT_READY in owner.names())
    assert owner.names() == [ARTIFACT_DOWNLOAD_FAILED, ARTIFACT_DOWNLOAD_SUCCEEDED, CLIENT_READY]


def test_rules_that_cannot_be_decided_are_logged(cdn: Cdn, owner: Owner, caplog: pytest.LogCaptureFixture) -> None:
    odd = artifact()
    odd["rules"]["mboxes"]["odd"] = [{"condition": {"unheard_of": []}}] * 30
    cdn.body = odd
    with keeping(owner, artifact_location=cdn.url, polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
        assert eventually(lambda: owner.told)
        assert not [item for item in caplog.records if item.levelno == logging.WARNING]  # nobody needs them yet
        for _ in range(2):
            assert keeper.current.mboxes["odd"].gaps
    lines = [item.getMessage() for item in caplog.records if item.levelno == logging.WARNING]
    assert len(lines) == 21
    assert "only the server can decide" in lines[0]


def test_a_frozen_clock_freezes_nothing(cdn: Cdn, owner: Owner) -> None:
    with (
        time_machine.travel(0, tick=False),
        keeping(owner, artifact_location=cdn.url, polling_interval_s=0.05) as keeper,
    ):
        assert keeper.wait_until_ready(5)
        cdn.body, cdn.etag = artifact("checkout"), None
        assert eventually(lambda: mbox_of(keeper) == "checkout")


@pytest.mark.waits
def test_a_trace_is_told_how_often_and_when_the_artifact_was_retrieved(cdn: Cdn, owner: Owner) -> None:
    location = f"{cdn.url}?signature=secret"
    with keeping(owner, artifact_location=location, polling_interval=1000) as keeper:
        assert keeper.wait_until_ready(5)
        first = keeper.retrieval()
        assert (first.location, first.polling_interval_ms, first.is_halted) == (cdn.url, 1000, False)
        assert first.times >= 1
        assert first.last_s == pytest.approx(time.time(), abs=60)
        assert eventually(lambda: keeper.retrieval().times > first.times)  # a 304 confirms that it is the latest
        assert (keeper.retrieval().last_s or 0) > first.last_s
        cdn.status = 500
    assert keeper.retrieval().is_halted


def test_an_artifact_that_was_given_or_is_fetched_once_is_not_polled(cdn: Cdn, owner: Owner) -> None:
    options = {"artifact_location": cdn.url, "polling_interval": 0}
    with keeping(owner, artifact_payload=artifact(), **options) as keeper:
        given = keeper.retrieval()
        assert (given.location, given.polling_interval_ms, given.is_halted) == ("artifact_payload", 0, True)
        assert given.times == 1
    with keeping(owner, **options) as keeper:
        assert keeper.wait_until_ready(5)
        fetched = keeper.retrieval()
        assert (fetched.location, fetched.is_halted, fetched.times) == (cdn.url, True, 1)


def test_an_artifact_from_the_cache_was_not_retrieved_yet(cdn: Cdn, owner: Owner, tmp_path: Any, hasty: None) -> None:
    options = {"artifact_location": cdn.url, "polling_interval": 0, "artifact_cache": tmp_path / "rules"}
    with keeping(owner, **options) as keeper:
        assert keeper.wait_until_ready(5)
        assert eventually((tmp_path / "rules").exists)
    cdn.status = 500
    with keeping(owner, **options) as keeper:
        assert keeper.wait_until_ready(5)
        assert keeper.retrieval()[3:] == (0, None)


def test_rules_that_are_the_latest_again_are_told_where_it_was_told_that_they_may_not_be(
    cdn: Cdn, owner: Owner, quick_tries: None
) -> None:
    with keeping(owner, artifact_location=cdn.url, polling_interval_s=0.05) as keeper:
        assert keeper.wait_until_ready(5)
        assert eventually(lambda: len(cdn.asked) >= 3)
        assert owner.names() == [ARTIFACT_DOWNLOAD_SUCCEEDED]
        cdn.status = 503
        assert eventually(lambda: ARTIFACT_DOWNLOAD_FAILED in owner.names())
        cdn.status = 200
        assert eventually(lambda: owner.names()[-1] == ARTIFACT_CONFIRMED)
        asked = len(cdn.asked)
        assert eventually(lambda: len(cdn.asked) >= asked + 3)
        assert owner.names().count(ARTIFACT_CONFIRMED) == 1
