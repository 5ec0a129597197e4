"""Adobe's Python SDK, driven by a line of JSON for each step: as drive.js does its Node.js SDK.

It runs in a venv of its own, where nothing of this package is.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from delivery_api_client import DeliveryRequest
from delivery_api_client.api_client import ApiClient
from target_python_sdk import TargetClient

_READY_S = 20
# Made without its configuration: the first that is made in a process is a model for all that follow.
_TRANSLATE = ApiClient.__new__(ApiClient)


class _Text:
    """What its deserializer takes an answer to be."""

    def __init__(self, value: Any) -> None:
        self.data = json.dumps(value)


def create(options: dict[str, Any]) -> Any:
    """A client, once it is ready."""
    ready = threading.Event()
    failed: list[Any] = []

    def fail(event: Any) -> None:
        failed.append(event)
        ready.set()

    events = {"client_ready": lambda _: ready.set(), "artifact_download_failed": fail}
    made = TargetClient.create({"telemetry_enabled": False, **options, "events": events})
    if not ready.wait(_READY_S) or failed:
        raise RuntimeError(f"no rules: {failed}")
    return made


def ask(client: Any, method: str, options: dict[str, Any]) -> dict[str, Any]:
    """The result of a call, as plain data."""
    request = _TRANSLATE.deserialize(_Text(options["request"]), DeliveryRequest)
    result = getattr(client, method)({**options, "request": request})
    cookie = result.get("target_cookie") or {}
    hint = result.get("target_location_hint_cookie") or {}
    return {
        "response": _TRANSLATE.sanitize_for_serialization(result.get("response")),
        "targetCookie": cookie.get("value"),
        "targetLocationHintCookie": hint.get("value"),
        "meta": result.get("meta"),
    }


def main() -> None:
    """Take one step after the other."""
    client = None
    for line in sys.stdin:
        step = json.loads(line)
        try:
            if "create" in step:
                client = create(step["create"])
                answer: dict[str, Any] = {"created": True}
            else:
                answer = ask(client, step["ask"], step["options"])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
