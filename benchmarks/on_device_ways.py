"""One decision as a caller makes it: a client with an artifact, telemetry off; offers and cookie are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks.on_device_cases import Case, requests
from target import TargetClient

#: Nothing listens there: a request to it would fail the run.
NOWHERE = "127.0.0.1:9"


@contextmanager
def deciding(artifact: Mapping[str, Any], server_domain: str = NOWHERE, **options: Any) -> Iterator[TargetClient]:
    """A client that was given ``artifact`` and never downloads one."""
    with TargetClient.create(
        client="acme",
        organization_id="0123456789ABCDEF01234567@AdobeOrg",
        decisioning_method="on-device",
        artifact_payload=artifact,
        polling_interval=0,
        telemetry_enabled=False,
        server_domain=server_domain,
        secure=False,
        edge_routing=False,
        **options,
    ) as client:
        yield client


def our_decisions(client: TargetClient, case: Case, new_visitors: bool) -> Callable[[], object]:
    """Makes the next decision. Raises RuntimeError at once where that would be an answer without offers."""
    asked = requests(case, new_visitors)
    parts = case.request.get("prefetch") or case.request["execute"]
    mboxes = [mbox["name"] for mbox in parts.get("mboxes", ())]
    has_page_load = "pageLoad" in parts

    def call() -> object:
        result = client.get_offers(request=next(asked), session_id="session-1")
        read = [result.options(name) for name in mboxes]
        if has_page_load:
            read.append(result.page_load())
        return read, result.target_cookie

    answer = client.get_offers(request=next(asked), session_id="session-1").to_dict()["response"]
    if '"options": [{' not in json.dumps(answer):
        raise RuntimeError(f"{case.name} decides nothing: {answer}")
    return call
