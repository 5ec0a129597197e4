"""The file with the last good artifact: written as one, used when the CDN is down, believed only when it is sound."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
from pathlib import Path

import pytest

from target._on_device import artifact_rotation
from target._on_device.artifact_cache import Cached, read_cache, write_cache
from target._on_device.artifact_source import parse_etag
from target.errors import CacheError
from tests.kit.calls import eventually, timed
from tests.kit.cdn import Cdn, Owner, artifact, encoded, keeping, mbox_of
from tests.kit.raw_servers import hang, raw_server

URL = "https://cdn.example/rules.json"
MOST = 1_000_000
GOOD = encoded(artifact("cached"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rules.cache"


def test_what_is_written_is_read(path: Path) -> None:
    for etag in ('"one"', 'W/"two"', None):
        write_cache(path, URL, etag, GOOD)
        assert read_cache(path, URL, MOST) == Cached(etag, GOOD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]


def test_no_file_is_no_error(path: Path) -> None:
    assert read_cache(path, URL, MOST) is None


def test_a_reader_never_sees_half_a_file(path: Path) -> None:
    versions = [encoded(artifact(name)) * 200 for name in ("a", "b")]
    write_cache(path, URL, None, versions[0])
    ended = threading.Event()

    def write() -> None:
        for number in range(40):
            write_cache(path, URL, None, versions[number % 2])
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not ended.is_set():
        found = read_cache(path, URL, MOST)
        assert found is not None
        assert found.content in versions
    writer.join()


def head(**changes: object) -> bytes:
    import hashlib

    facts = {"format": 1, "artifact_location": URL, "etag": '"e"', "sha256": hashlib.sha256(GOOD).hexdigest()}
    return json.dumps({**facts, **changes}).encode() + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        GOOD,
        b"[" * 100_000,
        b"[]\n" + GOOD,
        b"\xff\xfe\n" + GOOD,
        head(format=2) + GOOD,
        head(artifact_location="https://elsewhere.example/rules.json") + GOOD,
        head(artifact_location=["x"]) + GOOD,
        head() + GOOD[:-1],
        head() + GOOD.replace(b"cached", b"hacked"),
        head(sha256=None) + GOOD,
        head() + b" " * (MOST + 1),
        head(more="x" * 20_000) + GOOD,
    ],
)
def test_a_damaged_file_is_refused(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(CacheError):
        read_cache(path, URL, MOST)


def test_a_hostile_etag_is_left_out(path: Path) -> None:
    for etag in ('"a"\r\nX-Evil: 1', "", " ", "\u00e9", 7, None, '"' + "x" * 600 + '"', ["a"]):
        path.write_bytes(head(etag=etag) + GOOD)
        assert read_cache(path, URL, MOST) == Cached(None, GOOD)
        assert parse_etag(etag) is None


def test_what_is_no_file_or_open_to_all_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(CacheError):
        read_cache(path, URL, MOST)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(CacheError, match="no file"):  # at once: nobody will ever write into it
        read_cache(path, URL, MOST)
    path.unlink()
    write_cache(path, URL, None, GOOD)
    path.chmod(0o666)
    with pytest.raises(CacheError, match="others"):
        read_cache(path, URL, MOST)


def test_a_write_that_fails_leaves_all_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CacheError, match="cannot be written"):
        write_cache(path.parent / "missing" / "file", URL, None, GOOD)
    write_cache(path, URL, None, GOOD)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match="No space left"):
        write_cache(path, URL, None, b"other")
    monkeypatch.undo()
    assert read_cache(path, URL, MOST) == Cached(None, GOOD)
    assert os.listdir(path.parent) == [path.name]


def test_a_cold_start_while_the_cdn_is_down_uses_it_and_goes_on_trying(
    cdn: Cdn, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keeping(Owner(), artifact_location=cdn.url, artifact_cache=str(path), polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
        assert eventually(path.exists)
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.05, 0.05))
    monkeypatch.setattr(artifact_rotation, "FIRST_WAIT_S", 0.2)
    cdn.status = 503
    owner = Owner()
    with keeping(owner, artifact_location=cdn.url, artifact_cache=path, polling_interval=0) as keeper:
        assert timed(lambda: keeper.wait_until_ready(5)) < 4
        assert mbox_of(keeper) == "home"
        assert eventually(owner.errors)
        assert cdn.asked == [None, '"one"', '"one"', '"one"']
        cdn.status, cdn.body, cdn.etag = 200, artifact("checkout"), '"two"'
        assert eventually(lambda: mbox_of(keeper) == "checkout")  # an interval of 0 has not begun
        assert eventually(lambda: b"checkout" in path.read_bytes())
    assert any("artifact_cache is in use" in record.getMessage() for record in caplog.records)


def test_a_cold_start_asks_with_the_etag_and_304_confirms_it(cdn: Cdn, path: Path) -> None:
    write_cache(path, cdn.url, '"one"', GOOD)
    owner = Owner()
    with keeping(owner, artifact_location=cdn.url, artifact_cache=path, polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
        assert mbox_of(keeper) == "cached"
        assert cdn.asked == ['"one"']
    assert owner.told == []


def test_a_newer_artifact_is_used_instead(cdn: Cdn, path: Path) -> None:
    write_cache(path, cdn.url, '"old"', GOOD)
    with keeping(Owner(), artifact_location=cdn.url, artifact_cache=path, polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
        assert mbox_of(keeper) == "home"


def test_a_cdn_that_hangs_does_not_keep_the_cache_from_being_used_in_time(path: Path) -> None:
    with raw_server(hang) as server:
        url = f"http://{server.domain}/rules.json"
        write_cache(path, url, None, GOOD)
        with keeping(Owner(), artifact_location=url, artifact_cache=path, maximum_wait_ready_s=1.2) as keeper:
            assert keeper.wait_until_ready(1.2)
            assert mbox_of(keeper) == "cached"


@pytest.mark.parametrize("content", [b"rubbish", head(artifact_location="x")])
def test_a_bad_cache_is_a_line_in_the_log(
    content: bytes, cdn: Cdn, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(content)
    with keeping(Owner(), artifact_location=cdn.url, artifact_cache=path, polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
        assert mbox_of(keeper) == "home"
        assert eventually(lambda: read_back(path, cdn.url))
    warnings = [item.getMessage() for item in caplog.records if item.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("artifact_cache is not used: ")


def read_back(path: Path, url: str) -> bool:
    try:
        return read_cache(path, url, MOST) is not None
    except CacheError:
        return False


def test_a_cache_that_holds_no_artifact_is_not_used(cdn: Cdn, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_cache(path, cdn.url, '"one"', encoded(artifact(version="99.0.0")))
    with keeping(Owner(), artifact_location=cdn.url, artifact_cache=path, polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
        assert cdn.asked == [None]  # its ETag would bring 304, and no artifact
    assert "not supported" in caplog.text


def test_a_cache_that_cannot_be_written_is_a_line_in_the_log(
    cdn: Cdn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    where = tmp_path / "missing" / "file"
    with keeping(Owner(), artifact_location=cdn.url, artifact_cache=where, polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
        assert eventually(lambda: "artifact_cache is not kept up to date" in caplog.text)
