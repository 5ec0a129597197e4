"""The public client in the hands of a scenario: its endpoints are one loopback server, its clock is set from outside.

The four functions at the end are what the runner of Adobe's cross-language scenarios asks of an SDK:
``python .../run.py --schema tests/conformance/scenarios --adapter tests/conformance/adapter.py --extra``.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import time_machine

if (_ROOT := str(Path(__file__).parents[2])) not in sys.path:  # loaded by path
    sys.path.insert(0, _ROOT)

from target import TargetClient, TargetDeliveryResponse
from tests.kit.loopback import Answer, Received, ok, serving

_OPTIONS = {
    "client": "client",
    "organizationId": "organization_id",
    "pollingInterval": "polling_interval",
    "telemetryEnabled": "telemetry_enabled",
}
_WAIT_MS = 5000


class Scene:
    """A client of one scenario, its server, and what the two said. Close it.

    Args:
        conf: The scenario's options, in its own spelling.
        artifact: What the CDN has.
        geo: What the geo service answers; None where nobody may ask it.
        now: What the clock shows until the end; None for the real one.
        options: More of ``TargetClient.create``.
    """

    def __init__(
        self,
        conf: Mapping[str, Any],
        artifact: Mapping[str, Any],
        geo: Mapping[str, Any] | None,
        now: datetime.datetime | None,
        **options: Any,
    ) -> None:
        self._artifact = artifact
        self._geo = geo
        self._ends = ExitStack()
        self.server = self._ends.enter_context(serving(self._answer))
        if now is not None:
            self._ends.enter_context(time_machine.travel(now, tick=False))
        wanted: dict[str, Any] = {
            **{_OPTIONS[name]: value for name, value in conf.items()},
            "decisioning_method": "on-device",
            "cdn_base_path": self.server.url,
            "server_domain": self.server.domain,
            "secure": False,
            "edge_routing": False,
            **options,
        }
        self.client = self._ends.enter_context(TargetClient.create(wanted))

    def get_offers(
        self, request: Mapping[str, Any], session_id: str | None, location_hint: str | None
    ) -> TargetDeliveryResponse:
        """The one call of a scenario."""
        return self.client.get_offers(request=request, session_id=session_id, target_location_hint=location_hint)

    def sent(self) -> list[dict[str, Any]]:
        """What the Delivery API got, once everything that was pending has been sent; the client is closed by that."""
        self.client.close(timeout=_WAIT_MS)
        return [{"request": item.body} for item in self._received("/rest/v1/delivery")]

    @property
    def geo_lookups(self) -> list[str]:
        """The addresses that were looked up."""
        return [item.headers["x-forwarded-for"] for item in self._received("/v1/geo")]

    def close(self) -> None:
        """End the client, the server and the clock."""
        self._ends.close()

    def _received(self, path: str) -> list[Received]:
        return [item for item in self.server.received if item.target.partition("?")[0] == path]

    def _answer(self, received: Received) -> Answer:
        path = received.target.partition("?")[0]
        if path.endswith("/rules.json"):
            return Answer(self._artifact, headers={"ETag": '"one"'})
        if path == "/v1/geo":
            return Answer(status=404) if self._geo is None else Answer(self._geo)
        return ok(received)


def make_client(
    conf: dict[str, Any], artifact: dict[str, Any], geo_mock: dict[str, Any] | None, now: datetime.datetime | None
) -> Scene:
    """For the runner."""
    return Scene(conf, artifact, geo_mock, now)


def get_offers(client: Scene, input_json: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """For the runner: the answer as JSON, and the whole result."""
    result = client.get_offers(input_json["request"], input_json.get("sessionId"), input_json.get("locationHint"))
    assert result.response is not None
    return result.response.to_dict(), result.to_dict()


def sent_notifications(client: Scene) -> list[dict[str, Any]]:
    """For the runner."""
    return client.sent()


def close(client: Scene) -> None:
    """For the runner."""
    client.close()
