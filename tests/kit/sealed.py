"""A program in which nothing may open a socket or look up a name: whatever tries ends it with status 3.

An audit hook sees what Python's own functions and what libraries written in C do through them; nobody can take it away.

Run as a program, it uses an offline client in every way there is: ``python -m tests.kit.sealed KIND FOLDER``. KIND is
``sync``, ``threads`` or ``aiohttp``; with ``online`` after that, the client is not offline.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from target import AsyncTargetClient, Outbox, TargetClient
from target._on_device.artifact_cache import write_cache
from tests.kit.calls import ACCOUNT
from tests.kit.cdn import artifact

SEALED = 3
_FORBIDDEN = ("socket.__new__", "socket.connect", "socket.bind", "socket.get", "socket.send")
_LOCATION = "https://assets.adobetarget.com/acme/production/v1/rules.json"
_REQUEST = {
    "context": {"channel": "web", "geo": {"ipAddress": "127.0.0.1"}, "userAgent": "Mozilla/5.0"},
    "execute": {"pageLoad": {}, "mboxes": [{"name": "home"}, {"name": "elsewhere"}]},
    "prefetch": {"views": [{}]},
}
_DISPLAY = {"id": "n1", "type": "display", "timestamp": 1, "mbox": {"name": "home"}, "tokens": ["t"]}


def seal() -> None:
    """From now on. An event loop has to run already, which makes a pair of sockets for itself, and urllib3 be imported,
    which binds one to see whether there is IPv6."""
    sys.addaudithook(_watch)


def _watch(event: str, _: object) -> None:
    if event.startswith(_FORBIDDEN):
        traceback.print_stack()
        sys.stderr.write(f"sealed: {event}\n")
        sys.stderr.flush()
        os._exit(SEALED)


def _rules(folder: Path) -> dict[str, dict[str, Any]]:
    """Options that say where an offline client has its rules from, by what they are called."""
    rules = artifact(geoTargetingEnabled=True)
    cache = folder / "rules.json"
    write_cache(cache, _LOCATION, '"one"', json.dumps(rules).encode())
    os.utime(cache, (0, 0))
    return {"none": {}, "given": {"artifact_payload": rules}, "cached": {"artifact_cache": cache}}


Use = Callable[..., Awaitable[Any]]


async def _use(call: Use, method: str) -> dict[str, Any]:
    """What a client says, when ``call`` calls its method of that name."""
    told: dict[str, Any] = {"ready": await call("wait_until_ready")}
    offers = await call("get_offers", request=_REQUEST)
    told["home"] = offers.content("home", "default")
    told["reasons"] = [part.reason for part in offers.meta.decisions]
    told["flags"] = (await call("get_attributes", ["elsewhere"])).as_object("elsewhere")
    told["notified"] = (await call("send_notifications", request={"notifications": [_DISPLAY]})).response
    told["told"] = (await call("notify", offers, displayed=[_DISPLAY])).response
    told["queued"] = await call("queue_notifications", request={"notifications": [_DISPLAY]})
    told["of the result"] = await call("queue", offers, displayed=[_DISPLAY])
    if told["home"] != "default":
        told["explained"] = (await call("explain", request=_REQUEST)).decided_by
    told["left"] = await call("flush", 5000)
    return told


async def _use_one(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    client: Any
    if kind == "sync":
        client = TargetClient.create(options)
    else:
        client = await AsyncTargetClient.create(options, transport=kind)

    async def call(name: str, *positional: Any, **keywords: Any) -> Any:
        answer = getattr(client, name)(*positional, **keywords)
        return await answer if asyncio.iscoroutine(answer) else answer

    told = await _use(call, options["decisioning_method"])
    if kind == "sync":
        handle = client.get_offers(request=_REQUEST, callback=lambda _: None)
        assert handle.get(10).content("home", "default") == told["home"]
    told["status"] = client.status()
    await call("close" if kind == "sync" else "aclose")
    return told


async def main(kind: str, folder: Path, offline: bool) -> None:
    """Print what each client said, as JSON."""
    rules = _rules(folder)
    events: list[str] = []
    seal()
    found = {}
    for method in ("server-side", "on-device", "hybrid"):
        for source, given in rules.items():
            name = f"{method} {source}"
            outbox = Outbox.sqlite(folder / f"{name}.db")
            options = {**ACCOUNT, **given, "decisioning_method": method, "outbox": outbox, "offline": offline}
            options |= {"default_attributes": {"elsewhere": {"a": 1}}, "maximum_wait_ready": 100}
            options["events"] = {"client_ready": lambda _, name=name: events.append(name)}
            found[name] = await _use_one(kind, options)
    time.sleep(0.3)  # whatever would send or fetch a little later
    sys.stdout.write(json.dumps({**found, "events": events}, default=repr))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), "online" not in sys.argv))
