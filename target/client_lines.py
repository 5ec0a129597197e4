"""What the log is told of a client's life: a line when it begins, one when it ends; no secret, and no visitor's id."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target.config import ClientConfig
from target.delivery.identity import build_base_url
from target.loggers import fields
from target.status import ClientStatus


def _of_outbox(outbox: Any) -> str:
    if not outbox.outlives_process:
        return "an outbox in memory"
    return "an outbox in a file" if outbox.path is not None else "an outbox in a store"


def _number(one: str, many: str) -> Callable[[Any], str]:
    return lambda values: f"{len(values)} {one if len(values) == 1 else many}"


#: What is said to be on, by the option that turns it on: its name alone is said, or what is made of its value.
_ON: dict[str, Callable[[Any], str]] = {
    "offline": lambda _: "offline",
    "outbox": _of_outbox,
    "hooks": _number("hook", "hooks"),
    "debug_calls": lambda _: "a line for each call",
    "overrides": _number("override", "overrides"),
    "allow_overrides": lambda _: "overrides are allowed",
    "exclude_bots": lambda _: "bots are excluded",
    "breaker_failures": lambda failures: f"a breaker at {failures} failures",
    "default_attributes": _number("mbox with default attributes", "mboxes with default attributes"),
    "telemetry_enabled": lambda _: "telemetry",
    "property_token": lambda _: "a property",
    "proxy": lambda _: "a proxy",
    "events": _number("handler of events", "handlers of events"),
}


class ClientLines:
    """Writes the lines of one client.

    Args:
        config: The client's options.
        kind: What carries its calls, as the log calls it.
    """

    def __init__(self, config: ClientConfig, kind: str) -> None:
        self._config = config
        self._kind = kind
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child: from now on it is the child's."""
        self._began_s = monotonic_s()

    def start(self) -> None:
        """It begins."""
        log, config = self._config.logger, self._config
        if not log.isEnabledFor(logging.INFO):
            return
        url = build_base_url(config, None)
        log.info(
            "Client %s has started: %s, %s, %s; on: %s",
            config.client,
            config.decisioning_method,
            url,
            self._kind,
            ", ".join(_on(config)) or "nothing else",
            extra=fields(host=url.partition("://")[2]),
        )

    def close(self, read_status: Callable[[], ClientStatus]) -> None:
        """It has ended."""
        log = self._config.logger
        if log.isEnabledFor(logging.INFO):
            status = read_status()
            log.info(
                "Client %s is closed after %.1f s: %s",
                self._config.client,
                monotonic_s() - self._began_s,
                "; ".join(_came_to(status, self._config)),
            )


def _on(config: ClientConfig) -> list[str]:
    if config.debug_calls:  # the last hook is what writes these lines
        config = config._replace(hooks=(config.hooks or ())[:-1])
    if config.offline:
        config = config._replace(telemetry_enabled=False)  # whatever the option says
    found = [say(value) for name, say in _ON.items() if (value := getattr(config, name))]
    on_device = config.on_device
    if on_device is not None:
        interval_s = on_device.polling_interval_s
        fetched = f"every {interval_s:g} s" if interval_s else "that are fetched once"
        found.insert(0, f"rules {'that were given or cached' if config.offline else fetched}")
        found += ["a cache of rules"] if on_device.artifact_cache is not None else []
    return found


def _came_to(status: ClientStatus, config: ClientConfig) -> list[str]:
    """What was sent, was lost and is pending, of each kind that the client has."""
    found = []
    outbox, background = status.outbox, status.background
    if outbox is not None and config.outbox is not None:
        left = "left for the next process" if config.outbox.outlives_process else "lost"
        found.append(
            "outbox: {queued} queued, {acknowledged} acknowledged, {dead} given up, {dropped} dropped, "
            "{pending} ".format(**outbox)
            + left
        )
    if config.on_device is not None:
        found.append(
            "background: {sent} sent, {failed} failed, {dropped} dropped, {pending} pending".format(**background)
        )
    if status.connections is not None and status.connections["made"]:
        found.append(f"connections: {status.connections['made']} made")
    return found or ["nothing to send"]
