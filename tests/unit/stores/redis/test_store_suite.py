"""The outbox in Redis, under the suite that every store can run: on one server, and as a cluster takes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from target.stores.redis import RedisOutbox
from target.testing.stores import OpenStore, StoreSuite
from tests.kit.redis_server import RedisServer, running_cluster


class TestRedis(StoreSuite):
    several_processes = True

    @pytest.fixture
    def open_store(self, redis_server: RedisServer) -> OpenStore:
        return RedisOutbox(redis_server.url)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.mark.slow
class TestCluster(StoreSuite):
    """Three masters, each with a third of the keys: no step may touch keys of two."""

    several_processes = True

    @pytest.fixture
    def open_store(self, cluster: list[RedisServer]) -> OpenStore:
        for server in cluster:
            client = server.client()
            client.flushall()
            client.close()
        return RedisOutbox(f"redis+cluster://127.0.0.1:{cluster[0].port}")
