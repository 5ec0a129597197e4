"""A worker of a fleet that shares rules: `python -m tests.lifecycle.sharing DOMAIN REDIS CHILDREN`.

Decides again and again, in CHILDREN forked children or by itself; prints the moment at which its decision changed.
"""

from __future__ import annotations

import os
import sys
import time

from target import TargetClient
from target.stores.redis import RedisArtifacts
from tests.kit.calls import options_of

INTERVAL_MS = 1000


def decide(client: TargetClient, ends_s: float) -> None:
    seen = ""
    while time.monotonic() < ends_s:
        result = client.get_offers(request={"execute": {"mboxes": [{"name": "home", "index": 1}]}})
        said = str(result.content("home"))
        if said != seen:
            os.write(1, f"{time.monotonic()} {said}\n".encode())
            seen = said
        time.sleep(0.02)


def main(domain: str, redis: str, children: int, lasts_s: float) -> None:
    client = TargetClient.create(
        **options_of(domain),
        decisioning_method="on-device",
        cdn_base_path=f"http://{domain}",
        polling_interval=INTERVAL_MS,
        telemetry_enabled=False,
        artifact_source=RedisArtifacts(redis),
    )
    ends_s = time.monotonic() + lasts_s
    if not children:
        decide(client, ends_s)
    pids = []
    for _ in range(children):
        pid = os.fork()
        if not pid:
            decide(client, ends_s)
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    client.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
