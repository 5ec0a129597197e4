"""A process that queues notifications from 8 threads until it is killed, and goes on where it was: see its tests."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from target._background.runtime import system_runtime
from target._http.transport import Transport
from target._outbox.handle import OutboxHandle
from target.config import parse_client_options, parse_request_options
from target.delivery.request import build_notifications_call
from target.errors import OutboxFull
from target.outbox import Outbox
from tests.kit.calls import options_of

THREADS = 8
PER_SESSION = 25
TIMEOUT_MS = 200
LEASE_MS = 500


def main(domain: str, folder: Path, total: int, pace_s: float, url: str, part: int, parts: int) -> None:
    """Queue every ``parts``-th of ``total`` notifications: into a file of ``folder``, or the Redis at ``url``."""
    journal = folder / (f"queued-{part}" if url else "queued")
    done = set(journal.read_text().split("\n")[:-1]) if journal.exists() else set()  # the last may be half a line
    log = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    config = parse_client_options(options_of(domain, timeout=TIMEOUT_MS))
    runtime, transport = system_runtime(), Transport(config)
    if url:
        outbox = Outbox.redis(url, flush_interval=50, lease=LEASE_MS, max_pending=50_000)
    else:
        outbox = Outbox.sqlite(folder / "outbox.db", flush_interval=50, lease=LEASE_MS)
    handle = OutboxHandle(outbox, config, runtime, transport.send, lambda name, /, **payload: None)

    def queue(thread: int) -> None:
        for number in range(thread * parts + part, total, THREADS * parts):
            name = f"n-{number}"
            if name in done:
                continue
            item = {"id": name, "impressionId": name, "type": "display", "timestamp": 1_700_000_000_000}
            session = f"s-{part}-{thread}-{number // THREADS // parts // PER_SESSION}"
            options = parse_request_options({"request": {"notifications": [item]}, "session_id": session})
            call = build_notifications_call(config, options, runtime, None)
            while True:
                try:
                    handle.queue(call)
                    break
                except OutboxFull:
                    time.sleep(0.01)
            while handle.volatile:  # a busy machine's file may take its time
                time.sleep(0.001)
            os.write(log, f"{name}\n".encode())
            time.sleep(pace_s)

    threads = [threading.Thread(target=queue, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert handle.flush()
    print(f"dead {len(handle.dead_letters)} pending {handle.pending}", flush=True)  # noqa: T201
    handle.close(1000)
    transport.close()


if __name__ == "__main__":
    url, part, parts = sys.argv[5:] or ("", "0", "1")
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), url, int(part), int(parts))
