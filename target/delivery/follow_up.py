"""Builds the calls that follow a decision made in process: what was shown, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from target.config import ClientConfig, Runtime
from target.delivery.edge import build_base_url
from target.delivery.request import Call, write_body
from target.delivery.telemetry import add_telemetry

_KEPT = ("environmentId", "property", "context", "experienceCloud")


def build_follow_up(
    config: ClientConfig,
    runtime: Runtime,
    decided: Call,
    ids: Mapping[str, Any],
    cluster: str | None,
    notifications: Sequence[Mapping[str, Any]],
    entries: Sequence[Mapping[str, Any]],
) -> Call:
    """The call that reports on ``decided``, in the visitor's session, property and context.

    Args:
        config: The client's options.
        runtime: Time and ids.
        decided: The call that was decided in process.
        ids: ``id`` of its answer.
        cluster: Edge cluster of the visitor.
        notifications: What to report, in wire form.
        entries: Telemetry entries to go with it.
    """
    body = {key: decided.body[key] for key in _KEPT if key in decided.body}
    if ids:
        body["id"] = dict(ids)
    body["notifications"] = list(notifications)
    return _build(config, runtime, body, entries, cluster, decided.session_id)


def build_telemetry_call(
    config: ClientConfig, runtime: Runtime, cluster: str | None, entries: Sequence[Mapping[str, Any]]
) -> Call:
    """The call that carries telemetry alone, for no visitor."""
    context = {"channel": "web", "timeOffsetInMinutes": runtime.utc_offset_minutes()}
    return _build(config, runtime, {"context": context}, entries, cluster, runtime.new_id())


def _build(
    config: ClientConfig,
    runtime: Runtime,
    body: dict[str, Any],
    entries: Sequence[Mapping[str, Any]],
    cluster: str | None,
    session_id: str,
) -> Call:
    trace_id = runtime.new_id()
    body = add_telemetry({"requestId": trace_id, "impressionId": runtime.new_id(), **body}, entries)
    return Call(
        body=body,
        content=write_body(body),
        base_url=build_base_url(config, cluster),
        session_id=session_id,
        device_id=None,
        cluster=cluster,
        names_cluster=True,  # nothing is learnt from what is sent in the background
        trace_id=trace_id,
        visitor=None,
    )
