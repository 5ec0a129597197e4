"""docs/redis.md tells the truth: its code runs against a real Redis, by the rights that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from target import Outbox, TargetClient
from target.emulator import running
from target.stores.redis import RedisArtifacts
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit import redis_server
from tests.kit.calls import eventually, options_of
from tests.kit.cdn import Cdn, Owner, keeping
from tests.kit.loopback import LoopbackServer
from tests.kit.outboxes import ids_of, notification
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/redis.md"
TEXT = PAGE.read_text(encoding="utf-8")
DOCUMENTED = "127.0.0.1:6379"


@redis_server.needs_redis
def test_the_blocks_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with redis_server.running(tmp_path) as server, running() as emulator:
        page = tmp_path / PAGE.name
        page.write_text(TEXT.replace(DOCUMENTED, f"127.0.0.1:{server.port}"), encoding="utf-8")
        assert list(run_blocks(page, {"__name__": "page"}, emulator.server_domain))
        printed = capsys.readouterr().out
        assert "['order-7']" in printed
        assert "True 1." in printed
        assert [each["notification"]["id"] for each in emulator.notifications][:1] == ["order-7"]
        assert server.all_keys(), "it was used"


@redis_server.needs_redis
def test_the_rights_are_enough(server: LoopbackServer, tmp_path: Path) -> None:
    (said,) = re.findall(r"^```text\n(user .*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    words = said.replace(">PASSWORD", ">secret").split()
    with redis_server.running(tmp_path, "--user", *words[1:]) as redis:
        url = redis.url.replace("//", "//shop:secret@")
        with TargetClient.create(**options_of(server.domain, outbox=Outbox.redis(url, flush_interval=20))) as client:
            client.queue_notifications(request={"notifications": [notification("a")]}, session_id="s")
            assert client.flush(timeout=5000) == 0
            assert client.outbox.volatile == 0
            assert client.outbox.dead_letters == []
            assert client.outbox.retry_dead_letters() == 0
        assert ids_of(server) == ["a"]
        cdn, owner = Cdn(server), Owner()
        for _ in range(2):
            with keeping(owner, artifact_source=RedisArtifacts(url), artifact_location=cdn.url) as keeper:
                assert keeper.wait_until_ready(5)
                assert eventually(lambda: redis.client().pubsub_numsub(f"{redis.all_keys()[-1]}:changed")[0][1] == 1)
        assert owner.errors() == []
        assert cdn.asked[1:] == [None], "after the call of the outbox"


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
