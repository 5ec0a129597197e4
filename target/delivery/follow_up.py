"""Builds the call that follows a decision made in process: what was shown, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from target.config import ClientConfig, Runtime
from target.delivery.identity import build_base_url, cluster_of_device_id
from target.delivery.request import Asked, Call, add_to_call
from target.delivery.telemetry import Entry

_KEPT = ("environmentId", "property", "context", "experienceCloud")


class Decided(NamedTuple):
    """What was decided in process: who asked what, and ``id`` of the answer."""

    asked: Asked
    ids: Mapping[str, Any]


def build_follow_up(
    config: ClientConfig,
    runtime: Runtime,
    decided: Decided,
    notifications: Sequence[Mapping[str, Any]],
    entries: Sequence[Entry],
) -> Call:
    """The call that reports on ``decided``, in the visitor's session, property and context.

    Args:
        config: The client's options.
        runtime: Time and ids.
        decided: What it follows.
        notifications: What to report, in wire form; may be empty.
        entries: Telemetry entries to go with it; they may be of other visitors, whom they do not name.
    """
    followed, tnt_id = decided.asked.call, decided.ids.get("tntId")
    cluster = cluster_of_device_id(tnt_id if isinstance(tnt_id, str) else None) or followed.cluster
    trace_id = runtime.new_id()
    body: dict[str, Any] = {"requestId": trace_id, "impressionId": runtime.new_id()}
    if decided.ids:
        body["id"] = dict(decided.ids)
    body |= {key: followed.body[key] for key in _KEPT if key in followed.body}
    if notifications:
        body["notifications"] = list(notifications)
    call = Call(
        body=body,
        base_url=build_base_url(config, cluster),
        session_id=followed.session_id,
        device_id=None,
        cluster=cluster,
        names_cluster=True,  # nothing is learnt from what is sent in the background
        trace_id=trace_id,
        visitor=None,
        written=[],
        causes=() if followed.info is None else (followed.info,),
        method="background",
    )
    return add_to_call(call, entries) if entries else call
