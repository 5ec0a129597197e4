"""A file that is watched is read again however it changes; a broken one is told, and what was good stays."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import urllib3

from target.emulator import Emulator, running
from target.emulator.watching import WatchedFile, Watching
from tests.kit.calls import eventually
from tests.kit.cdn import artifact

PATIENCE_S = 20


class Reader:
    """Reads text; what says "broken" is none."""

    def __init__(self) -> None:
        self.text = ""

    def read(self, path: str) -> None:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as cause:
            raise ValueError(f"{path}: cannot be read") from cause
        if "broken" in text:
            raise ValueError(f"{path}: /rules: is broken")
        self.text = text


@contextmanager
def watched(file: Path, reader: Reader) -> Iterator[Queue[tuple[str, str | None]]]:
    told: Queue[tuple[str, str | None]] = Queue()
    watching = Watching([WatchedFile("rules", file, reader.read)], lambda one: told.put((reader.text, one.problem)))
    watching.start()
    try:
        yield told
    finally:
        watching.stop()


def replace(file: Path, text: str) -> None:
    fresh = file.with_name("fresh")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "rules.json"
    file.write_text("one", encoding="utf-8")
    return file


def test_written_replaced_removed_broken_and_mended(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader()
    with watched(file, reader) as told:
        file.write_text("two", encoding="utf-8")
        assert told.get(timeout=PATIENCE_S) == ("two", None)
        replace(file, "three")
        assert told.get(timeout=PATIENCE_S) == ("three", None)
        replace(file, "broken")
        assert told.get(timeout=PATIENCE_S) == ("three", f"{file}: /rules: is broken")
        file.unlink()
        assert told.get(timeout=PATIENCE_S) == ("three", f"{file}: cannot be read")
        file.write_text("four", encoding="utf-8")
        assert told.get(timeout=PATIENCE_S) == ("four", None)
    assert caplog.messages == [
        f"{file}: /rules: is broken; the last good rules stay in use",
        f"{file}: cannot be read; the last good rules stay in use",
    ]


@pytest.mark.waits
@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_that_leads_elsewhere_and_a_folder_that_is_swapped(tmp_path: Path) -> None:
    # As Kubernetes mounts a ConfigMap: rules.json -> ..data/rules.json, ..data -> a folder for each version.
    for version in ("one", "two", "three"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "rules.json").write_text(version, encoding="utf-8")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "..data").symlink_to(tmp_path / "one")
    (mounted / "rules.json").symlink_to(Path("..data", "rules.json"))
    with watched(mounted / "rules.json", Reader()) as told:
        for version in ("two", "three"):
            (mounted / "fresh").symlink_to(tmp_path / version)
            os.replace(mounted / "fresh", mounted / "..data")
            assert told.get(timeout=PATIENCE_S) == (version, None)
        (tmp_path / "three" / "rules.json").write_text("four", encoding="utf-8")
        assert told.get(timeout=PATIENCE_S) == ("four", None)


@pytest.mark.parametrize("why", ["missing", "failing"])
def test_without_notices_of_the_system_it_looks_now_and_then(
    why: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "missing":
        monkeypatch.setitem(sys.modules, "watchfiles", None)
    else:
        import watchfiles

        def full(*_: object, **__: object) -> None:
            raise OSError("no space left on device: inotify watches")

        monkeypatch.setattr(watchfiles, "watch", full)
    monkeypatch.setattr("target.emulator.watching._POLL_S", 0.02)
    with watched(file, Reader()) as told:
        replace(file, "two")
        assert told.get(timeout=PATIENCE_S) == ("two", None)


def test_it_leaves_no_thread_and_needs_no_file(file: Path) -> None:
    with watched(file, Reader()):
        pass
    nothing = Watching([], lambda _: None)
    nothing.start()
    nothing.stop()
    assert "target-emulator-files" not in {thread.name for thread in threading.enumerate()}


def ask(pool: urllib3.PoolManager, emulator: Emulator) -> Any:
    body = {"context": {"channel": "web"}, "execute": {"mboxes": [{"name": "home"}]}}
    url = f"{emulator.url}/rest/v1/delivery?imsOrgId=o&sessionId=s"
    answer = pool.request("POST", url, body=json.dumps(body).encode()).json()
    return [option["content"] for option in answer["execute"]["mboxes"][0].get("options", [])]


def problems(pool: urllib3.PoolManager, emulator: Emulator) -> dict[str, str | None]:
    files = pool.request("GET", f"{emulator.url}/_/state").json()["files"]
    return {file["kind"]: file["problem"] for file in files}


def test_places_are_read_again(tmp_path: Path, pool: urllib3.PoolManager) -> None:
    file = tmp_path / "geo.json"
    file.write_text('{"default": {"city": "A"}}', encoding="utf-8")
    with running(geo=file) as emulator:
        replace(file, '{"default": {"city": ""}}')
        assert eventually(lambda: problems(pool, emulator)["places"])
        replace(file, '{"default": {"city": "B"}}')
        url = f"{emulator.url}/v1/geo"
        assert eventually(lambda: pool.request("GET", url).json()["x-geo-city"] == "B")


def test_an_emulator_serves_what_its_files_hold_now(tmp_path: Path, pool: urllib3.PoolManager) -> None:
    rules, offers = tmp_path / "rules.json", tmp_path / "offers.json"
    rules.write_text(json.dumps(artifact("home")), encoding="utf-8")
    offers.write_text("{}", encoding="utf-8")
    with running(offers, rules) as emulator:
        assert ask(pool, emulator) == [{"from": "home"}]
        assert problems(pool, emulator) == {"rules": None, "offers": None}
        replace(rules, '{"version": "1.0.0", "rules": {"mboxes": 5}}')
        assert eventually(lambda: problems(pool, emulator)["rules"])
        assert str(problems(pool, emulator)["rules"]).startswith(f"{rules}: /rules/mboxes: must be an object")
        assert problems(pool, emulator)["offers"] is None
        assert ask(pool, emulator) == [{"from": "home"}]
        replace(rules, json.dumps(artifact("other")))
        replace(offers, '{"mboxes": {"home": [{"type": "html", "content": "offer"}]}}')
        assert eventually(lambda: ask(pool, emulator) == ["offer"])
        assert problems(pool, emulator) == {"rules": None, "offers": None}
