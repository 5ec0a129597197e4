"""Rules that a caller's own source brings: whatever it does, the last good ones stay in use and nothing is shown."""

from __future__ import annotations

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from target._on_device import artifact_rotation
from target.errors import ArtifactError, OptionsError, TargetError, TargetTimeout, TransportError
from target.events import ARTIFACT_DOWNLOAD_FAILED, ARTIFACT_DOWNLOAD_SUCCEEDED
from target.protocols import ArtifactSource, FetchedArtifact
from tests.kit.calls import eventually
from tests.kit.cdn import Owner, artifact, configs, encoded, keeping, mbox_of
from tests.kit.threads import threads_of

SECRET = "redis://:hunter2@cache.example"


class Source(ArtifactSource):
    """Brings what ``answers`` holds first, then always the same."""

    location = "the shop's rules?signature=1"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.current: Any = FetchedArtifact(encoded(artifact()), "1")
        self.asked: list[tuple[str | None, float]] = []

    def fetch(self, known: str | None, timeout_s: float, /) -> Any:
        self.asked.append((known, timeout_s))
        answer = self.answers.pop(0) if self.answers else self.current
        if callable(answer):
            answer = answer()
        if isinstance(answer, BaseException):
            raise answer
        return None if isinstance(answer, FetchedArtifact) and known == answer.version is not None else answer


def test_rules_come_from_it_and_are_replaced_when_it_has_newer_ones(owner: Owner) -> None:
    source = Source()
    with keeping(owner, artifact_source=source, polling_interval_s=0.05) as keeper:
        assert keeper.wait_until_ready(5)
        assert mbox_of(keeper) == "home"
        assert eventually(lambda: len(source.asked) >= 3)
        assert [known for known, _ in source.asked[:3]] == [None, "1", "1"]
        source.current = FetchedArtifact(encoded(artifact("checkout")), "2", 3.0, 4.0)
        assert eventually(lambda: mbox_of(keeper) == "checkout")
        assert eventually(lambda: source.asked[-1][0] == "2")
        assert eventually(lambda: len(owner.told) == 2)
        assert owner.told[0] == (
            ARTIFACT_DOWNLOAD_SUCCEEDED,
            {"artifact_payload": artifact(), "artifact_location": "the shop's rules?signature=1"},
        )
        times = owner.times[-1]
        assert (times.first_byte_ms, times.body_ms, times.size) == (3.0, 4.0, len(encoded(artifact("checkout"))))
        assert keeper.retrieval().location == "the shop's rules"
    assert eventually(lambda: threads_of("target-artifact") == [], 15)


def _raise_from(error: Exception, cause: Exception) -> Any:
    raise error from cause


WRONG: dict[str, Any] = {
    "an error": ValueError(SECRET),
    "an error with a cause": partial(_raise_from, RuntimeError(SECRET), OSError(SECRET)),
    "SystemExit": SystemExit(SECRET),
    "KeyboardInterrupt": KeyboardInterrupt(SECRET),
    "its own TargetError": partial(_raise_from, TransportError("the store is away"), OSError(SECRET)),
    "nothing": None,
    "bytes": encoded(artifact("checkout")),
    "a dict": artifact("checkout"),
    "a tuple": (encoded(artifact("checkout")), "2"),
    "text as content": FetchedArtifact(encoded(artifact("checkout")).decode(), "2"),  # type: ignore[arg-type]
    "bytes as version": FetchedArtifact(encoded(artifact("checkout")), b"2"),  # type: ignore[arg-type]
    "no JSON": FetchedArtifact(SECRET.encode(), "2"),
    "a list": FetchedArtifact(b"[]", "2"),
    "half an artifact": FetchedArtifact(encoded(artifact("checkout"))[:-20], "2"),
    "another version": FetchedArtifact(encoded(artifact("checkout", version="99.0.0")), "2"),
    "too many values": FetchedArtifact(b"[" + b"{}," * 2_000_000 + b"0]", "2"),
    "too much": FetchedArtifact(b" " * 1_000_001, "2"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_whatever_it_does_the_last_good_rules_stay_and_no_secret_is_told(
    wrong: str, owner: Owner, hasty: None, caplog: pytest.LogCaptureFixture
) -> None:
    bad = WRONG[wrong]
    source = Source(FetchedArtifact(encoded(artifact())), bad, bad, bad)
    limit = 50_000_000 if wrong == "too many values" else 1_000_000
    options: dict[str, Any] = {"artifact_source": source, "polling_interval_s": 0.05, "max_response_bytes": limit}
    with caplog.at_level(logging.DEBUG), keeping(owner, **options) as keeper:
        assert keeper.wait_until_ready(5)
        source.current = FetchedArtifact(encoded(artifact("later")), "3")
        assert eventually(lambda: ARTIFACT_DOWNLOAD_FAILED in owner.names(), 15)
        assert eventually(lambda: mbox_of(keeper) == "later", 15)  # it goes on
    (error,) = owner.errors()
    assert isinstance(error, TargetError)
    told = "".join(traceback.format_exception(error)) + caplog.text + str(owner.told)
    assert "hunter2" not in told
    assert "the last good one stays in use" in caplog.text
    link: BaseException | None = error
    while link is not None:
        frames = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(link.__traceback__)]
        assert __file__ not in frames  # they would hold what the source knows
        link = link.__cause__ or link.__context__
    if wrong == "its own TargetError":
        assert str(error) == "the store is away"
    elif isinstance(bad, BaseException):
        assert str(error) == f"artifact_source raised {type(bad).__name__}"


def test_nothing_newer_than_nothing_is_an_error(owner: Owner, hasty: None) -> None:
    source = Source(None, None, None)
    with keeping(owner, artifact_source=source, polling_interval=0) as keeper:
        assert keeper.wait_until_ready(15)
    assert all(isinstance(error, ArtifactError) for error in owner.errors())


def test_one_that_hangs_holds_up_nobody_and_is_asked_once(
    owner: Owner, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_rotation, "TRY_S", 0.05)
    released = threading.Event()
    source = Source(lambda: released.wait(60) and None, FetchedArtifact(encoded(artifact("late")), "9"))
    options: dict[str, Any] = {"artifact_source": source, "artifact_payload": artifact(), "timeout": 50}
    with keeping(owner, polling_interval_s=0.05, **options) as keeper:
        assert mbox_of(keeper) == "home"
        assert eventually(owner.errors)
        assert isinstance(owner.errors()[0], TargetTimeout)
        assert len(source.asked) == 1
        assert mbox_of(keeper) == "home"
        released.set()
        assert eventually(lambda: mbox_of(keeper) == "late")


def test_close_does_not_wait_for_one_that_hangs(owner: Owner) -> None:
    released = threading.Event()
    source = Source(lambda: released.wait(60) and None)
    try:
        with keeping(owner, artifact_source=source) as keeper:
            assert eventually(lambda: source.asked)
            started = time.monotonic()
            keeper.close(5)
            assert time.monotonic() - started < 4
            assert not keeper.wait_until_ready(5)
    finally:
        released.set()
    assert eventually(lambda: threads_of("target-artifact") == [], 15)


def test_a_cold_start_uses_the_cache_beneath_one_that_hangs(owner: Owner, tmp_path: Path) -> None:
    path = tmp_path / "rules.cache"
    with keeping(owner, artifact_source=Source(), artifact_cache=str(path), polling_interval=0) as keeper:
        assert keeper.wait_until_ready(5)
        assert eventually(path.exists)
    released = threading.Event()
    hanging = Source(lambda: released.wait(60) and None)
    options: dict[str, Any] = {"artifact_source": hanging, "artifact_cache": str(path), "maximum_wait_ready_s": 1.0}
    try:
        with keeping(owner, **options) as keeper:
            assert keeper.wait_until_ready(15)
            assert mbox_of(keeper) == "home"
            assert hanging.asked == [("1", 0.5)]
    finally:
        released.set()


def test_a_cold_start_asks_for_what_is_newer_than_the_cache(owner: Owner, tmp_path: Path) -> None:
    path = tmp_path / "rules.cache"
    for _ in range(2):
        source = Source()
        with keeping(owner, artifact_source=source, artifact_cache=str(path), polling_interval=0) as keeper:
            assert keeper.wait_until_ready(5)
            assert eventually(path.exists)
    assert [known for known, _ in source.asked] == ["1"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_asks_anew_while_the_parent_still_waits(owner: Owner) -> None:
    parent, released = os.getpid(), threading.Event()
    source = Source(lambda: released.wait(60) and None)
    reader, writer = os.pipe()
    try:
        with keeping(owner, artifact_source=source) as keeper:
            assert eventually(lambda: source.asked)
            child = os.fork()
            if child == 0:
                got = keeper.wait_until_ready(15)
                os.write(writer, f"{got} {mbox_of(keeper)}".encode())
                os._exit(0)
            os.waitpid(child, 0)
            assert os.read(reader, 100) == b"True home"
            assert len(source.asked) == 1
            assert os.getpid() == parent
    finally:
        released.set()
        os.close(reader)
        os.close(writer)


class Unreadable:
    @property
    def fetch(self) -> Callable[..., None]:
        raise RuntimeError(SECRET)

    location = "x"


class Unlocated(Source):
    @property
    def location(self) -> str:  # type: ignore[override]
        raise RuntimeError(SECRET)


class Coroutine(Source):
    async def fetch(self, known: str | None, timeout_s: float, /) -> Any:  # type: ignore[override]
        return None


def located(where: Any) -> Source:
    source = Source()
    source.location = where
    return source


NO_SOURCES = {
    "a class": Source,
    "a function": lambda known, timeout_s: None,
    "text": "rules.json",
    "unreadable": Unreadable(),
    "no location": Unlocated(),
    "a coroutine function": Coroutine(),
    "location of bytes": located(b"x"),
    "an empty location": located(""),
    "location of two lines": located("a\nb"),
}


@pytest.mark.parametrize("what", NO_SOURCES)
def test_what_is_no_source_is_refused(what: str) -> None:
    with pytest.raises(OptionsError, match="'artifact_source") as caught:
        configs(artifact_source=NO_SOURCES[what])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("option", [{"artifact_location": "http://h/rules.json"}, {"artifact_headers": {"X": "y"}}])
def test_what_has_no_effect_beside_it_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(OptionsError, match=next(iter(option))):
        configs(artifact_source=Source(), **option)


def test_an_object_that_only_looks_like_one_does() -> None:
    class Own:
        location = "own"

        def fetch(self, known: str | None, timeout_s: float) -> FetchedArtifact | None:
            return None

    config, _ = configs(artifact_source=Own())
    assert (config.artifact_location, config.polling_interval_s) == ("own", 300.0)
    config, _ = configs(artifact_source=Own(), polling_interval=1000)
    assert config.polling_interval_s == 1.0
