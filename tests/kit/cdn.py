"""What the tests of the blocking parts of on-device decisioning share: artifacts, a CDN on loopback, keepers."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from target._on_device.artifact_keeper import ArtifactKeeper
from target._on_device.artifact_rotation import DownloadTimes
from target._on_device.download import Downloads
from target.config import ClientConfig, parse_client_options
from target.loggers import Log
from target.on_device_config import OnDeviceConfig
from tests.kit.calls import ACCOUNT
from tests.kit.loopback import Answer, LoopbackServer, Received

LOGGER = Log(logging.getLogger("shop"))


def artifact(name: str = "home", **changes: Any) -> dict[str, Any]:
    """An artifact with one rule, for the mbox ``name``."""
    rule = {
        "ruleKey": "rule-1",
        "activityId": "100",
        "meta": {"activity.id": 100, "experience.id": 0},
        "condition": True,
        "consequence": {"name": name, "options": [{"type": "json", "content": {"from": name}, "eventToken": "t"}]},
    }
    data = {"version": "1.0.0", "meta": {}, "globalMbox": "g", "rules": {"mboxes": {name: [rule]}, "views": {}}}
    return {**data, **changes}


class Cdn:
    """Answers with an artifact and its ETag, or with whatever ``answers`` holds first; 304 where the ETag fits."""

    def __init__(self, server: LoopbackServer) -> None:
        self.server = server
        self.url = f"{server.url}/rules.json"
        self.body: Any = artifact()
        self.etag: str | None = '"one"'
        self.status = 200
        self.answers: list[Any] = []
        server.answer = self.answer

    def answer(self, received: Received) -> Any:
        if self.answers:
            return self.answers.pop(0)
        if self.status != 200:
            return Answer({"message": "no"}, self.status)
        if self.etag is not None and received.headers.get("If-None-Match") == self.etag:
            return Answer(b"", 304)
        return Answer(self.body, headers={} if self.etag is None else {"ETag": self.etag})

    @property
    def asked(self) -> list[str | None]:
        """The If-None-Match of each request so far."""
        return [item.headers.get("If-None-Match") for item in self.server.received]


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.times: list[DownloadTimes] = []

    def emit(self, name: str, /, **payload: Any) -> None:
        self.told.append((name, payload))

    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    def errors(self) -> list[Exception]:
        return [payload["error"] for _, payload in self.told if "error" in payload]


def configs(**options: Any) -> tuple[OnDeviceConfig, ClientConfig]:
    """Both configurations. ``polling_interval_s`` and ``maximum_wait_ready_s`` may be less than callers may say."""
    own = {key: options.pop(key) for key in ("polling_interval_s", "maximum_wait_ready_s") if key in options}
    base = {**ACCOUNT, "logger": LOGGER, "decisioning_method": "on-device"}
    client = parse_client_options({**base, **options})
    assert client.on_device is not None
    return client.on_device._replace(**own), client


@contextmanager
def keeping(owner: Owner, **options: Any) -> Iterator[ArtifactKeeper]:
    """A keeper that was started, and is closed at the end."""
    config, client_config = configs(**options)
    downloads = Downloads(client_config)
    keeper = ArtifactKeeper(config, client_config, downloads, owner.emit, owner.times.append)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.close(5)
        downloads.close()


def mbox_of(keeper: ArtifactKeeper) -> str | None:
    """The mbox of the current artifact."""
    current = keeper.current
    return None if current is None else next(iter(current.mboxes))


def encoded(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data).encode()


def pauses(moments: list[float]) -> list[float]:
    """Seconds between one moment and the next."""
    return [round(later - earlier, 2) for earlier, later in pairwise(moments)]


def noting(cdn: Cdn) -> list[float]:
    """The moments at which the CDN is asked from now on."""
    moments: list[float] = []

    def answer(received: Received) -> Any:
        moments.append(time.monotonic())
        return cdn.answer(received)

    cdn.server.answer = answer
    return moments
