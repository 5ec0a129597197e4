"""`python -m benchmarks.redis_load`: eight processes and one Redis, 2,000 notifications a second in, drained at 30 ms.

Each process queues at its own pace (open loop) into the outbox that all share, and sends whatever any of them queued to
a server that takes 30 ms for each call and counts what arrives. Redis, server and processes are on this machine.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.command import Command
from benchmarks.memory import resident_bytes
from benchmarks.report import Row
from target import Outbox, TargetClient
from target.stores.redis import look_at

LATENCY_S = 0.03
WITHIN_S = 30.0
ACCOUNT: Any = {"client": "acme", "organization_id": "1234@AdobeOrg"}


@dataclass(frozen=True)
class Effort:
    """How much is done. Notifications come ``at_once`` in one call, as a page tells of all that it showed."""

    processes: int = 8
    rate: int = 2000
    at_once: int = 4
    seconds: float = 30.0


QUICK = Effort(processes=2, rate=100, seconds=3.0)


async def _serve(port: int, report: Connection) -> None:
    counted = {"calls": 0, "notifications": 0}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            body = await reader.readexactly(int(length.partition(b":")[2]))
            counted["calls"] += 1
            counted["notifications"] += body.count(b'"display"')
            await asyncio.sleep(LATENCY_S)
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    async with await asyncio.start_server(guarded, "127.0.0.1", port, backlog=1024):
        report.send("ready")
        while not report.poll():
            await asyncio.sleep(0.05)
        report.send(counted)


def serve(port: int, report: Connection) -> None:
    asyncio.run(_serve(port, report))


def queue(port: int, url: str, effort: Effort, report: Connection) -> None:
    """One process: its share of the rate, then whatever is left of all, until told to end."""
    outbox = Outbox.redis(url, max_pending=200_000)
    client = TargetClient.create(
        **ACCOUNT, server_domain=f"127.0.0.1:{port}", secure=False, edge_routing=False, outbox=outbox
    )
    pause_s = effort.processes * effort.at_once / effort.rate
    took_s: list[float] = []
    held: list[int] = []
    report.send("ready")
    report.recv()
    began_s, cpu_s = time.monotonic(), time.process_time()
    number, late_s = 0, 0.0
    while (due_s := began_s + number * pause_s) < began_s + effort.seconds:
        time.sleep(max(0.0, due_s - time.monotonic()))
        items = [
            {"id": uuid.uuid4().hex, "type": "display", "timestamp": 1, "mbox": {"name": f"mbox-{place}"}}
            for place in range(effort.at_once)
        ]
        started_s = time.monotonic()
        client.queue_notifications(request={"notifications": items}, session_id=uuid.uuid4().hex)
        took_s.append(time.monotonic() - started_s)
        late_s = max(late_s, started_s - due_s)
        number += 1
        if number % max(1, round(1 / pause_s)) == 0:
            held.append(resident_bytes())
    seconds = time.monotonic() - began_s
    report.send(
        {"queued": number * effort.at_once, "seconds": seconds, "took_s": took_s, "held": held, "late_s": late_s}
    )
    report.recv()
    report.send(
        {
            "held": resident_bytes(),
            "cpu_s": time.process_time() - cpu_s,
            **client.outbox.counters,
            "volatile": client.outbox.volatile,
        }
    )
    client.close()


@contextmanager
def redis_server() -> Iterator[str]:
    """A Redis of its own, which keeps an append-only file."""
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        command = [shutil.which("redis-server") or "redis-server", "--port", str(port), "--bind", "127.0.0.1"]
        options = ["--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
        with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL) as process:
            try:
                url = f"redis://127.0.0.1:{port}/0"
                give_up_at_s = time.monotonic() + WITHIN_S
                while look_at(url).why_not is not None:
                    if time.monotonic() > give_up_at_s:
                        raise SystemExit("redis-server does not answer: make redis installs it")
                    time.sleep(0.05)
                yield url
            finally:
                process.terminate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _start(work: Any, *arguments: Any) -> tuple[Any, Connection]:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=work, args=(*arguments, theirs))
    process.start()
    assert mine.recv() == "ready"
    return process, mine


def run(effort: Effort) -> list[Row]:
    port = _free_port()
    with redis_server() as url:
        server, counts = _start(serve, port)
        fleet = [_start(queue, port, url, effort) for _ in range(effort.processes)]
        account = " ".join(ACCOUNT.values())
        for _, pipe in fleet:
            pipe.send("go")
        waiting: list[int] = []
        ends_s = time.monotonic() + effort.seconds
        while time.monotonic() < ends_s:
            time.sleep(1.0)
            waiting.append(look_at(url, account=account).pending or 0)
        queued = [pipe.recv() for _, pipe in fleet]
        stopped_s = time.monotonic()
        while look_at(url, account=account).pending:
            if time.monotonic() > stopped_s + WITHIN_S:
                break
            time.sleep(0.1)
        drained_s = time.monotonic() - stopped_s
        left = look_at(url, account=account)
        for _, pipe in fleet:
            pipe.send("end")
        ended = [pipe.recv() for _, pipe in fleet]
        counts.send("end")
        arrived = counts.recv()
        for process, _ in [*fleet, (server, counts)]:
            process.join(WITHIN_S)
            process.terminate()
    total = sum(each["queued"] for each in queued)
    half = max(1, len(waiting) // 2)
    waits = [_mean(part) for part in (waiting[1:half], waiting[half:])]
    took_ms = sorted(second * 1000 for each in queued for second in each["took_s"])
    grown = [ended_["held"] / each["held"][len(each["held"]) // 3] for each, ended_ in zip(queued, ended, strict=True)]
    rate = sum(each["queued"] / each["seconds"] for each in queued)
    acknowledged = sum(each["acknowledged"] for each in ended)
    return [
        Row("notifications queued a second", rate, "", at_least=0.98 * effort.rate, absolute=f"{total} in all"),
        Row("lost", total - acknowledged, "", at_most=0, absolute=json.dumps(arrived)),
        Row("waiting, second half over first half", waits[1] / max(1.0, waits[0]), at_most=1.5,
            absolute=f"at most {max(waiting)}, {left.pending} at the end"),
        Row("drained after the last", drained_s, "s", at_most=5.0),
        Row("processor time of a notification", sum(each["cpu_s"] for each in ended) * 1000 / total, "ms",
            absolute="of the processes: to queue and send it"),
        Row("time of a call that queues, median", statistics.median(took_ms), "ms"),
        Row("time of such a call, of 100 the slowest", took_ms[len(took_ms) * 99 // 100], "ms"),
        Row("memory of a process, end over first third", max(grown), at_most=1.1,
            absolute=f"{ended[0]['held'] / 1e6:.0f} MB"),
    ]  # fmt: skip


def _mean(values: list[int]) -> float:
    return statistics.fmean(values) if values else 0.0


def main() -> int:
    command = Command("redis_load", __doc__)
    command.parser.add_argument("--seconds", type=float, default=Effort.seconds)
    command.parser.add_argument("--at-once", type=int, default=Effort.at_once)
    given = command.parse()
    effort = QUICK if given.quick else Effort(seconds=given.seconds, at_once=given.at_once)
    rows = run(effort)
    return command.tell(rows) or int(any(row.missed for row in rows) and not given.quick)


if __name__ == "__main__":
    sys.exit(main())
