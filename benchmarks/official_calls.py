"""Runs the official SDK for official.py, in the SDK's own venv: reads commands as JSON lines, answers each with one.

The first line says where to send and what. Each further line names a number of calls and of threads; the answer is the
seconds they took. Only the stop watch of this project is imported here.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from delivery_api_client import (
    Address,
    ChannelType,
    Configuration,
    Context,
    DeliveryRequest,
    ExecuteRequest,
    MboxRequest,
    PrefetchRequest,
)
from target_python_sdk import TargetClient

from benchmarks.measure import in_sequence, in_threads


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    # Its configuration is one per process and the first one wins, host included; a CA bundle has no other way in.
    configuration = Configuration(host=settings["url"])
    if settings["ca_certs"]:
        configuration.ssl_ca_cert = settings["ca_certs"]
    Configuration.set_default(configuration)

    scheme, _, domain = settings["url"].partition("://")
    client = TargetClient.create(
        {
            "client": "acme",
            "organization_id": settings["organization_id"],
            "server_domain": domain,
            "secure": scheme == "https",
            "timeout": 20_000,
        }
    )
    request = build_request(settings["request"])

    def call() -> object:
        offers = client.get_offers({"request": request, "target_cookie": settings["target_cookie"]})
        return offers["response"].execute.mboxes[0].options

    if not call():
        raise RuntimeError("the official SDK read no options from the answer")
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        block = in_sequence(call) if command["threads"] == 1 else in_threads(call, command["threads"])
        print(json.dumps({"seconds": block(command["calls"])}), flush=True)


def build_request(wire: dict[str, Any]) -> Any:
    """The request in that SDK's own models."""
    context = wire["context"]
    return DeliveryRequest(
        context=Context(
            channel=ChannelType.WEB, user_agent=context["userAgent"], address=Address(url=context["address"]["url"])
        ),
        execute=ExecuteRequest(mboxes=_mboxes(wire["execute"])),
        prefetch=PrefetchRequest(mboxes=_mboxes(wire["prefetch"])),
    )


def _mboxes(part: dict[str, Any]) -> list[Any]:
    return [
        MboxRequest(index=mbox["index"], name=mbox["name"], parameters=mbox.get("parameters"))
        for mbox in part["mboxes"]
    ]


if __name__ == "__main__":
    main()
